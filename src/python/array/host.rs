//! NumPy arrays by the fields of their objects.

use std::panic::catch_unwind;

use numpy::npyffi::PyArrayObject_fields;
use numpy::{PyUntypedArray, PyUntypedArrayMethods, get_array_module};
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTypeInfo, ffi};

use super::HostArray;

/// The object as an array if it is just that, no subclass; else the object. `ndarray` is the type,
/// looked up once for many.
#[inline]
pub(in crate::python) fn exactly<'py>(
    object: Bound<'py, PyAny>,
    ndarray: *mut ffi::PyTypeObject,
) -> Result<HostArray<'py>, Bound<'py, PyAny>> {
    if object.get_type_ptr() == ndarray {
        // SAFETY: its type was just compared.
        Ok(unsafe { object.cast_into_unchecked() })
    } else {
        Err(object)
    }
}

pub(in crate::python) fn ndarray(py: Python<'_>) -> *mut ffi::PyTypeObject {
    PyUntypedArray::type_object_raw(py)
}

/// Takes NumPy's C API, before any call needs it. The numpy crate takes it at its first use, by
/// importing, and panics if that fails: be it that a signal's handler raised.
pub(in crate::python) fn take_c_api(py: Python<'_>) -> PyResult<()> {
    // All of it that runs Python code; what follows is looked up without any.
    get_array_module(py)?;
    catch_unwind(|| ndarray(py)).map(drop).map_err(|_| {
        PyImportError::new_err("ferrostep cannot use the C API of this NumPy; wanted NumPy 2")
    })
}

#[inline]
pub(super) fn fields<'a>(array: &'a HostArray<'_>) -> &'a PyArrayObject_fields {
    // SAFETY: the reference keeps the array alive, and the interpreter is held: nobody changes it.
    unsafe { &(*array.as_array_ptr()).fields }
}

/// Shape and strides.
#[inline]
pub(super) fn axes(fields: &PyArrayObject_fields) -> (&[isize], &[isize]) {
    match usize::try_from(fields.nd) {
        Ok(0) | Err(_) => (&[], &[]),
        // SAFETY: NumPy keeps `nd` values at both pointers.
        Ok(nd) => unsafe {
            (
                std::slice::from_raw_parts(fields.dimensions, nd),
                std::slice::from_raw_parts(fields.strides, nd),
            )
        },
    }
}

pub(super) fn empty_like<'py>(array: &HostArray<'py>, dtype: &str) -> PyResult<Bound<'py, PyAny>> {
    let options = PyDict::new(array.py());
    options.set_item("dtype", dtype)?;
    options.set_item("order", "K")?;
    options.set_item("subok", false)?;
    array.py().import("numpy")?.call_method("empty_like", (array,), Some(&options))
}
