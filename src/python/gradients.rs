//! Gradients (and the parameters of an unbound optimizer) as they come: lists, tuples, dicts of
//! names, one array; arrays as they are, whatever else has the array interface through NumPy.

use numpy::PyUntypedArray;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::array::{Array, exactly, ndarray};
use super::plain;

/// An array for each parameter, None for one that is skipped.
pub(super) type Arrays<'py> = Vec<Option<Array<'py>>>;

/// Reads what needs no Python code: plain arrays or None in a list or tuple, or in a dict of just
/// the parameters' names. None if it is something else.
pub(super) fn plain<'py>(
    given: &Bound<'py, PyAny>,
    names: Option<&[Py<PyString>]>,
) -> Option<Arrays<'py>> {
    let ndarray = ndarray(given.py());
    let item = |item| match exactly(item, ndarray) {
        Ok(array) => Some(Some(Array::Host(array))),
        Err(object) => object.is_none().then_some(None),
    };
    let mut arrays = Vec::with_capacity(names.map_or(1, <[_]>::len));
    if let Some(names) = names {
        let dict = given.cast_exact::<PyDict>().ok().filter(|dict| dict.len() == names.len())?;
        for name in names {
            arrays.push(item(dict.get_item(name).ok()??)?);
        }
    } else if let Ok(list) = given.cast_exact::<PyList>() {
        arrays.reserve_exact(list.len());
        for object in list {
            arrays.push(item(object)?);
        }
    } else if let Ok(tuple) = given.cast_exact::<PyTuple>() {
        arrays.reserve_exact(tuple.len());
        for object in tuple {
            arrays.push(item(object)?);
        }
    } else {
        arrays.push(Some(Array::Host(exactly(given.clone(), ndarray).ok()?)));
    }
    Some(arrays)
}

/// Reads gradients with whatever Python code that takes, so no lock may be held. `flat` is what
/// Python made of their structure. A number is an array where `single` says that the parameter is.
pub(super) fn collect<'py>(
    flat: &Bound<'py, PyAny>,
    label: impl Fn(usize) -> String,
    single: impl Fn(usize) -> bool,
) -> PyResult<Arrays<'py>> {
    if flat.cast::<PyList>().is_err() && flat.cast::<PyTuple>().is_err() {
        return Err(PyTypeError::new_err(format!(
            "gradients must come as the parameters did; found {}, wanted a list or tuple of arrays",
            flat.get_type().name()?
        )));
    }
    flat.try_iter()?.enumerate().map(|(i, g)| one(g?, single(i), || label(i))).collect()
}

fn one<'py>(
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
    let py = g.py();
    let numpy = py.import("numpy")?;
    // Arithmetic with a 0-d array gives plain numbers.
    let number = g.is_exact_instance_of::<PyFloat>() || g.is_exact_instance_of::<PyInt>();
    let g = match plain::number(&g).filter(|_| number && single) {
        Some(x) => numpy.call_method1("asarray", (x,))?,
        None => g,
    };
    if g.is_instance(&numpy.getattr("ma")?.getattr("MaskedArray")?)? {
        return Err(PyTypeError::new_err(format!(
            "the gradient of {} is a masked array; fill it first, g.filled(0.0)",
            label()
        )));
    }
    if !(g.hasattr("__array_interface__")? || g.hasattr("__array__")?) {
        return Err(PyTypeError::new_err(format!(
            "the gradient of {} is a {}; pass a NumPy or CuPy array",
            label(),
            g.get_type().name()?
        )));
    }
    let array = numpy.call_method1("asarray", (&g,))?;
    let array = array.cast_into::<PyUntypedArray>().map_err(|error| {
        PyValueError::new_err(format!("the gradient of {} is no array: {error}", label()))
    })?;
    Ok(Some(Array::Host(array)))
}
