//! Plain numbers: what Python and NumPy write as a number, read without Python code.

use numpy::npyffi::{NpyTypes, get_type_object};
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt};

/// A float or an int that float64 reaches, or NumPy's float32 or float64 scalar. None for anything
/// else, subclasses included, which may have conversions of their own.
pub(super) fn number(value: &Bound<'_, PyAny>) -> Option<f64> {
    if let Ok(float) = value.cast_exact::<PyFloat>() {
        Some(float.value())
    } else if value.is_exact_instance_of::<PyInt>() || is_scalar(value) {
        value.extract().ok()
    } else {
        None
    }
}

fn is_scalar(value: &Bound<'_, PyAny>) -> bool {
    let kind = value.get_type_ptr();
    [NpyTypes::PyDoubleArrType_Type, NpyTypes::PyFloatArrType_Type].into_iter().any(|wanted| {
        // SAFETY: the GIL is held; NumPy's types live as long as the interpreter does.
        let wanted = unsafe { get_type_object(value.py(), wanted) };
        std::ptr::eq(kind, wanted)
    })
}
