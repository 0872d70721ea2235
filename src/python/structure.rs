//! The tree that a group's parameters came in: what stands where is remembered, and gradients in the
//! same tree are read along it without Python code.

use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

use super::given::{Given, GivenArrays};
use super::memory;
use crate::engine::OutOfMemory;
use crate::engine::memory::with_room;

/// As `MAX_DEPTH` in `tree.py`.
const MAX_DEPTH: usize = 100;

/// The tree, and the one of Python's own containers that it was read from (`params.py` made it).
pub(super) struct Structure {
    pub(super) like: Py<PyAny>,
    root: Place,
}

/// What stands at a place.
enum Place {
    Array,
    Nothing,
    /// A list or a tuple, of this named type if there is one.
    Sequence(Option<Py<PyType>>, Vec<Place>),
    Dict(Vec<(Py<PyString>, Place)>),
}

impl Structure {
    pub(super) fn new(like: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Structure { root: Place::new(like, 0)?, like: like.clone().unbind() })
    }

    /// Appends what stands in the places of arrays, if each needs no Python code; false if it is another
    /// tree, or one that only Python can read.
    pub(super) fn read<'py>(
        &self,
        given: &Bound<'py, PyAny>,
        ndarray: *mut ffi::PyTypeObject,
        arrays: &mut GivenArrays<'py>,
    ) -> PyResult<bool> {
        self.root.read(given, ndarray, arrays)
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.like)?;
        self.root.traverse(visit)
    }
}

impl Place {
    fn new(like: &Bound<'_, PyAny>, depth: usize) -> PyResult<Self> {
        if depth > MAX_DEPTH {
            return Err(PyValueError::new_err(format!("a tree is deeper than {MAX_DEPTH}")));
        }
        let below = |item: Bound<'_, PyAny>| Place::new(&item, depth + 1);
        if like.is_none() {
            Ok(Place::Nothing)
        } else if let Ok(list) = like.cast_exact::<PyList>() {
            Ok(Place::Sequence(None, memory::all(list.len(), list.iter().map(below))?))
        } else if let Ok(tuple) = like.cast::<PyTuple>() {
            let named = !tuple.is_exact_instance_of::<PyTuple>();
            let kind = named.then(|| like.get_type().unbind());
            Ok(Place::Sequence(kind, memory::all(tuple.len(), tuple.iter().map(below))?))
        } else if let Ok(dict) = like.cast_exact::<PyDict>() {
            let entries = dict.iter().map(|(key, item)| {
                let key = key.cast_into::<PyString>()?;
                // A subclass may compare itself in Python.
                let key = match key.is_exact_instance_of::<PyString>() {
                    true => key,
                    false => PyString::new(like.py(), key.to_str()?),
                };
                Ok((key.unbind(), below(item)?))
            });
            Ok(Place::Dict(memory::all(dict.len(), entries)?))
        } else {
            Ok(Place::Array)
        }
    }

    fn read<'py>(
        &self,
        given: &Bound<'py, PyAny>,
        ndarray: *mut ffi::PyTypeObject,
        arrays: &mut GivenArrays<'py>,
    ) -> PyResult<bool> {
        match self {
            Place::Array => match Given::plain(given.clone(), ndarray) {
                Ok(given) => {
                    arrays.try_reserve(1).map_err(OutOfMemory::from)?;
                    arrays.push(given);
                }
                Err(_) => return Ok(false),
            },
            Place::Nothing => return Ok(given.is_none()),
            Place::Sequence(kind, places) => {
                let kind = kind.as_ref().map(Py::as_ptr);
                let same = |kind| kind == given.get_type_ptr().cast();
                if let (None, Ok(list)) = (kind, given.cast_exact::<PyList>()) {
                    return read_all(places, list.len(), list.iter(), ndarray, arrays);
                }
                return match given.cast::<PyTuple>() {
                    Ok(tuple) if kind.map_or_else(|| is_plain_tuple(given), same) => {
                        read_all(places, tuple.len(), tuple.iter(), ndarray, arrays)
                    }
                    _ => Ok(false),
                };
            }
            Place::Dict(places) => {
                let Ok(dict) = given.cast_exact::<PyDict>() else { return Ok(false) };
                if dict.len() != places.len() {
                    return Ok(false);
                }
                for (key, place) in places {
                    match dict.get_item(key)? {
                        Some(item) if place.read(&item, ndarray, arrays)? => {}
                        _ => return Ok(false),
                    }
                }
            }
        }
        Ok(true)
    }

    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Place::Array | Place::Nothing => Ok(()),
            Place::Sequence(kind, places) => {
                kind.iter().try_for_each(|kind| visit.call(kind))?;
                places.iter().try_for_each(|place| place.traverse(visit))
            }
            Place::Dict(places) => places.iter().try_for_each(|(_, place)| place.traverse(visit)),
        }
    }
}

fn is_plain_tuple(given: &Bound<'_, PyAny>) -> bool {
    given.is_exact_instance_of::<PyTuple>()
}

fn read_all<'py>(
    places: &[Place],
    count: usize,
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    ndarray: *mut ffi::PyTypeObject,
    arrays: &mut GivenArrays<'py>,
) -> PyResult<bool> {
    if count != places.len() {
        return Ok(false);
    }
    for (place, item) in places.iter().zip(items) {
        if !place.read(&item, ndarray, arrays)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The same tree with other leaves; None stays. None at all if it is not of Python's own lists, tuples
/// and dicts alone, or `leaf` makes nothing of something in it.
pub(super) fn map<'py>(
    tree: &Bound<'py, PyAny>,
    leaf: fn(&Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    map_below(tree, leaf, 0)
}

fn map_below<'py>(
    tree: &Bound<'py, PyAny>,
    leaf: fn(&Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>>,
    depth: usize,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = tree.py();
    let below = |item: &Bound<'py, PyAny>| map_below(item, leaf, depth + 1);
    if depth > MAX_DEPTH {
        Ok(None) // for Python to say
    } else if let Ok(list) = tree.cast_exact::<PyList>() {
        let new = PyList::empty(py);
        for item in list.iter() {
            let Some(item) = below(&item)? else { return Ok(None) };
            new.append(item)?;
        }
        Ok(Some(new.into_any()))
    } else if let Ok(tuple) = tree.cast_exact::<PyTuple>() {
        let mut new = with_room(tuple.len())?;
        for item in tuple.iter() {
            let Some(item) = below(&item)? else { return Ok(None) };
            new.push(item);
        }
        Ok(Some(PyTuple::new(py, new)?.into_any()))
    } else if let Ok(dict) = tree.cast_exact::<PyDict>() {
        let new = PyDict::new(py);
        for (key, item) in dict.iter() {
            let Some(item) = below(&item)? else { return Ok(None) };
            new.set_item(key, item)?;
        }
        Ok(Some(new.into_any()))
    } else if tree.is_none() {
        Ok(Some(tree.clone()))
    } else {
        leaf(tree)
    }
}
