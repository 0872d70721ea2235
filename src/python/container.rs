//! The list or dict that parameters were handed in by. `d["w"] = d["w"] - step` puts another array in
//! it, which no optimizer would update. So what it holds is compared with what it held: a pointer for
//! each parameter.

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::memory;
use super::raw;
use super::words::Label;
use crate::optimizer::Named;

pub(super) struct Container {
    object: Object,
    /// What it held, in the order of the parameters from number `first` on.
    entries: Vec<Py<PyAny>>,
    first: usize,
}

enum Object {
    List(Py<PyList>),
    /// With the parameters' names.
    Dict(Py<PyDict>, Vec<Py<PyString>>),
    /// What has unpickled the optimizer makes two arrays of one that is met twice.
    Doubled,
}

/// The object, what it held, and the number of its first parameter.
pub(super) type Handed<'py> = (Bound<'py, PyAny>, Vec<Py<PyAny>>, usize);

impl Container {
    /// None of an object that is no list or dict: nothing in it can change. `names` are the
    /// parameters'; no object at all stands for arrays that were doubled.
    pub(super) fn new(parts: Handed<'_>, names: Option<&[Py<PyString>]>) -> PyResult<Option<Self>> {
        let (object, entries, first) = parts;
        let object = if object.is_none() {
            Object::Doubled
        } else if let Ok(list) = object.cast_exact::<PyList>() {
            Object::List(list.clone().unbind())
        } else if let (Ok(dict), Some(names)) = (object.cast_exact::<PyDict>(), names) {
            let copied = names.iter().map(|name| Ok(name.clone_ref(object.py())));
            Object::Dict(dict.clone().unbind(), memory::all(names.len(), copied)?)
        } else {
            return Ok(None);
        };
        Ok(Some(Container { object, entries, first }))
    }

    /// What makes one of a copy.
    pub(super) fn parts<'py>(&self, py: Python<'py>) -> PyResult<Handed<'py>> {
        let object = match &self.object {
            Object::List(list) => list.bind(py).clone().into_any(),
            Object::Dict(dict, _) => dict.bind(py).clone().into_any(),
            Object::Doubled => py.None().into_bound(py),
        };
        let entries = self.entries.iter().map(|entry| Ok(entry.clone_ref(py)));
        Ok((object, memory::all(self.entries.len(), entries)?, self.first))
    }

    /// Refuses a container in which a parameter was replaced. Others that were added are fine, and so
    /// is one that is gone: nobody takes anything else for it. `names` are all of the optimizer's.
    #[inline]
    pub(super) fn check(&self, py: Python<'_>, names: Option<&[Py<PyString>]>) -> PyResult<()> {
        let entries = &self.entries;
        let unchanged = match &self.object {
            Object::List(list) => raw::begins_with(list.bind(py), entries.iter().map(Py::as_ptr)),
            Object::Dict(dict, _) => {
                let mut known = entries.iter();
                raw::first_entries(dict.bind(py), entries.len(), |_, value| {
                    known.next().is_some_and(|known| known.as_ptr() == value)
                })
            }
            Object::Doubled => false,
        };
        if unchanged { Ok(()) } else { self.check_again(py, names) }
    }

    #[cold]
    fn check_again(&self, py: Python<'_>, names: Option<&[Py<PyString>]>) -> PyResult<()> {
        if matches!(self.object, Object::Doubled) {
            return Err(PyValueError::new_err(
                "what has unpickled this optimizer (joblib?) makes two arrays of one that is met \
                 twice, so that your model may have other arrays than it; call opt.rebind(params) \
                 with the model's, or opt.rebind(opt.param_groups) to go on with its own",
            ));
        }
        for (i, entry) in self.entries.iter().enumerate() {
            let now = match &self.object {
                Object::List(list) => list.bind(py).get_item(i).ok(),
                Object::Dict(dict, names) => dict.bind(py).get_item(&names[i])?,
                Object::Doubled => None,
            };
            if now.is_some_and(|now| !now.is(entry)) {
                let (kind, place) = match &self.object {
                    Object::Dict(_, names) => ("dict", format!("d[{}]", names[i].bind(py).repr()?)),
                    _ => ("list", format!("params[{i}]")),
                };
                let named = Named::Parameter(self.first + i);
                return Err(replaced(&Label { py, names, named }, kind, &place));
            }
        }
        Ok(())
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.object {
            Object::List(list) => visit.call(list)?,
            Object::Dict(dict, _) => visit.call(dict)?,
            Object::Doubled => {}
        }
        self.entries.iter().try_for_each(|entry| visit.call(entry))
    }
}

fn replaced(label: &Label<'_>, kind: &str, place: &str) -> PyErr {
    PyValueError::new_err(format!(
        "{label} was replaced in your {kind}, and the optimizer would update an array that is no \
         longer there; write {place}[...] = ... to give it new values, or call opt.rebind(...) with the \
         new arrays (as where parameters and optimizer were copied or pickled apart)"
    ))
}
