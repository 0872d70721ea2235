//! One array of a gradient as it comes: whatever has the array interface.

use numpy::PyUntypedArray;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyInt};

use super::array::Array;
use super::calling;
use super::imported::is_of;
use super::plain;
use super::words::must_be;

/// What a gradient must be, to be one.
pub(super) const WANTED: &str = "a NumPy or CuPy array";

/// An array as it is, of anything else what NumPy makes of it. A number is an array where the parameter
/// is a `single` one.
pub(super) fn array<'py>(
    g: Bound<'py, PyAny>,
    single: bool,
    label: impl Fn() -> String,
) -> PyResult<Option<Array<'py>>> {
    let g = match g.cast_into_exact::<PyUntypedArray>() {
        Ok(array) => return Ok(Some(Array::Host(array))),
        Err(error) => error.into_inner(),
    };
    if g.is_none() {
        return Ok(None);
    }
    if let Some(array) = Array::on_device(&g)? {
        return Ok(Some(array));
    }
    let numpy = g.py().import("numpy")?;
    // Arithmetic with a 0-d array gives plain numbers.
    let number = g.is_exact_instance_of::<PyFloat>() || g.is_exact_instance_of::<PyInt>();
    let g = match plain::number(&g).filter(|_| number && single) {
        Some(x) => calling::method(&numpy, "asarray", (x,))?,
        None => g,
    };
    if is_of(&g, "numpy.ma", "MaskedArray")? {
        return Err(PyTypeError::new_err(format!(
            "{}; fill it first, g.filled(0.0)",
            must_be(label(), "a plain array", &g)
        )));
    }
    if !(calling::has(&g, "__array_interface__")? || calling::has(&g, "__array__")?) {
        return Err(PyTypeError::new_err(must_be(label(), WANTED, &g)));
    }
    let array = calling::method(&numpy, "asarray", (&g,))?;
    let array = array.cast_into::<PyUntypedArray>().map_err(|error| {
        PyValueError::new_err(must_be(label(), "a NumPy array", &error.into_inner()))
    })?;
    Ok(Some(Array::Host(array)))
}
