//! The entries of a param group's dict: what was found in them, and how each is seen to be that still.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString, PyTuple};

use super::settings::Bounds;
use super::words::must_be;

/// An entry of the group's dict.
pub(super) struct Entry {
    pub(super) key: Py<PyString>,
    pub(super) value: Py<PyAny>,
    pub(super) watched: Watched,
}

/// How an entry is seen to be what it was.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Watched {
    /// An option of a type that cannot change in place: it is the same object.
    Identity,
    /// As `Identity`; and another number within these bounds is taken without Python.
    Number(Bounds),
    /// An option that can change in place: never.
    Never,
    /// The list of parameters: the same list with the same arrays.
    Params,
    /// No option: always.
    Ignored,
}

/// An entry as it was found, before any Python code ran that could change it.
pub(super) type Found<'py> = (Bound<'py, PyString>, Bound<'py, PyAny>);

impl Entry {
    /// An option if it has a `normal` value, else "params" or somebody's own.
    pub(super) fn new<'py>(
        dict: &Bound<'py, PyDict>,
        (key, value): Found<'py>,
        normal: Option<&Bound<'py, PyAny>>,
        bounds: Option<Bounds>,
    ) -> PyResult<Self> {
        let value = kept(dict, &key, value, normal)?;
        let watched = match (normal, bounds) {
            (Some(_), _) if !immutable(&value) => Watched::Never,
            (Some(_), Some(bounds)) => Watched::Number(bounds),
            (Some(_), None) => Watched::Identity,
            (None, _) if key == "params" => Watched::Params,
            (None, _) => Watched::Ignored,
        };
        Ok(Entry { key: key.unbind(), value: value.unbind(), watched })
    }
}

/// Whether an object of this type cannot change its value.
pub(super) fn immutable(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyString>()
        || value.is_none()
        || value
            .cast_exact::<PyTuple>()
            .is_ok_and(|items| items.iter().all(|item| immutable(&item)))
}

/// All entries. A key that is no plain str could run Python code whenever it is compared.
pub(super) fn found<'py>(dict: &Bound<'py, PyDict>) -> PyResult<Vec<Found<'py>>> {
    let entries = dict.iter().map(|(key, value)| match key.cast_into_exact::<PyString>() {
        Ok(key) => Ok((key, value)),
        Err(error) => {
            let key = error.into_inner();
            Err(PyTypeError::new_err(must_be("a key of a param group", "a str", &key)))
        }
    });
    entries.collect()
}

pub(super) fn dict_of<'py>(
    py: Python<'py>,
    entries: impl Iterator<Item = Found<'py>>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in entries {
        dict.set_item(key, value)?;
    }
    Ok(dict)
}

/// The options among the entries whose value is another than the known one.
pub(super) fn changed<'py>(
    entries: &[Entry],
    found: &[Found<'py>],
    known: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyDict>> {
    let mut changed = vec![];
    for ((key, new), entry) in found.iter().zip(entries) {
        let Some(old) = known.get_item(key)? else { continue };
        let same = (new.is(&entry.value) || new.is(&old)) && immutable(new);
        // Only an equal float is known to be equal without asking Python.
        let equal = match (new.cast_exact::<PyFloat>(), old.cast_exact::<PyFloat>()) {
            (Ok(new), Ok(old)) => new.value().to_bits() == old.value().to_bits(),
            _ => false,
        };
        if !same && !equal {
            changed.push((key.clone(), new.clone()));
        }
    }
    dict_of(known.py(), changed.into_iter())
}

/// What stays in the dict for an option's value: NumPy's scalars, 0-d arrays and names of
/// types give way to the plain value, which costs nothing at later steps; a list stays, since
/// its owner may change it in place.
fn kept<'py>(
    dict: &Bound<'py, PyDict>,
    key: &Bound<'py, PyString>,
    value: Bound<'py, PyAny>,
    normal: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(normal) = normal.filter(|_| !immutable(&value)) else { return Ok(value) };
    if normal.is_instance_of::<PyTuple>() && !value.is_exact_instance_of::<PyTuple>() {
        return Ok(value);
    }
    // Somebody's code may have run since, and may have set the option anew.
    if dict.get_item(key)?.is_some_and(|now| now.is(&value)) {
        dict.set_item(key, normal)?;
    }
    Ok(normal.clone())
}
