//! Gradients as they come: arrays as they are, whatever else has the array interface through NumPy.

use numpy::PyUntypedArray;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::array::Array;

/// The gradients in order, None where a parameter is skipped. Runs Python code for what is no
/// plain array, so no lock may be held.
pub(super) fn collect<'py>(
    grads: &Bound<'py, PyAny>,
    label: impl Fn(usize) -> String,
) -> PyResult<Vec<Option<Array<'py>>>> {
    if let Ok(list) = grads.cast_exact::<PyList>() {
        list.iter().enumerate().map(|(i, g)| one(g, i, &label)).collect()
    } else if let Ok(tuple) = grads.cast_exact::<PyTuple>() {
        tuple.iter().enumerate().map(|(i, g)| one(g, i, &label)).collect()
    } else {
        Err(PyTypeError::new_err(format!(
            "gradients must come as the parameters did; found {}, wanted a list or tuple of arrays",
            grads.get_type().name()?
        )))
    }
}

fn one<'py>(
    g: Bound<'py, PyAny>,
    i: usize,
    label: &impl Fn(usize) -> String,
) -> PyResult<Option<Array<'py>>> {
    let g = match g.cast_into_exact::<PyUntypedArray>() {
        Ok(array) => return Ok(Some(array)),
        Err(error) => error.into_inner(),
    };
    if g.is_none() {
        return Ok(None);
    }
    let py = g.py();
    let numpy = py.import("numpy")?;
    if g.is_instance(&numpy.getattr("ma")?.getattr("MaskedArray")?)? {
        return Err(PyTypeError::new_err(format!(
            "the gradient of {} is a masked array; fill it first, g.filled(0.0)",
            label(i)
        )));
    }
    if !(g.hasattr("__array_interface__")? || g.hasattr("__array__")?) {
        return Err(PyTypeError::new_err(format!(
            "the gradient of {} is a {}; pass a NumPy array",
            label(i),
            g.get_type().name()?
        )));
    }
    let array = numpy.call_method1("asarray", (&g,))?;
    let array = array.cast_into::<PyUntypedArray>().map_err(|error| {
        PyValueError::new_err(format!("the gradient of {} is no array: {error}", label(i)))
    })?;
    Ok(Some(array))
}
