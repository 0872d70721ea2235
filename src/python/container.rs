//! The lists and dicts that parameters were handed in by. `d["w"] = d["w"] - step` puts another array in
//! one, which no optimizer would update. So what each holds is compared with what it held: a pointer
//! for each parameter, and in a tree for each list or dict in another.

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use super::memory;
use super::raw;
use super::step_info::ParameterKey;
use super::words::{Label, parameter};
use crate::engine::memory::with_room;
use crate::optimizer::Named;

pub(super) struct Container {
    object: Object,
    /// What it held, in its order.
    entries: Vec<Py<PyAny>>,
    /// What that is: the numbers of parameters, the names of anything else.
    which: Vec<ParameterKey>,
}

/// A place in a container that another object is to take.
pub(super) struct Place<'py> {
    entry: usize,
    heir: Bound<'py, PyAny>,
    /// Whether it is not there already.
    write: bool,
}

enum Object {
    List(Py<PyList>),
    /// With the keys of its entries.
    Dict(Py<PyDict>, Vec<Py<PyString>>),
    /// What has unpickled the optimizer makes two arrays of one that is met twice.
    Doubled,
}

/// The object, the keys of a dict, what it held, and what that is. No object at all stands for arrays
/// that were doubled.
pub(super) type Handed<'py> =
    (Bound<'py, PyAny>, Option<Vec<Py<PyString>>>, Vec<Py<PyAny>>, Vec<ParameterKey>);

/// The array of an entry, which may have its name before it, as in `named_parameters`.
fn array_in<'py>(entry: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match entry.cast_exact::<PyTuple>() {
        Ok(pair) if pair.len() == 2 => pair.get_item(1),
        _ => Ok(entry.clone()),
    }
}

impl Container {
    pub(super) fn all(handed: Vec<Handed<'_>>) -> PyResult<Vec<Self>> {
        let mut all = with_room(handed.len())?;
        for parts in handed {
            all.extend(Container::new(parts)?);
        }
        Ok(all)
    }

    /// None of an object that is no list or dict: nothing in it can change.
    fn new((object, keys, entries, which): Handed<'_>) -> PyResult<Option<Self>> {
        let counts = keys.as_ref().map_or(entries.len(), Vec::len);
        if counts != entries.len() || which.len() != entries.len() {
            return Err(PyValueError::new_err("a container to watch has parts of several lengths"));
        }
        let object = if object.is_none() {
            Object::Doubled
        } else if let Ok(list) = object.cast_exact::<PyList>() {
            Object::List(list.clone().unbind())
        } else if let (Ok(dict), Some(keys)) = (object.cast_exact::<PyDict>(), keys) {
            Object::Dict(dict.clone().unbind(), keys)
        } else {
            return Ok(None);
        };
        Ok(Some(Container { object, entries, which }))
    }

    /// What makes one of a copy.
    pub(super) fn parts<'py>(&self, py: Python<'py>) -> PyResult<Handed<'py>> {
        let (object, keys) = match &self.object {
            Object::List(list) => (list.bind(py).clone().into_any(), None),
            Object::Dict(dict, keys) => {
                let copied = keys.iter().map(|key| Ok(key.clone_ref(py)));
                (dict.bind(py).clone().into_any(), Some(memory::all(keys.len(), copied)?))
            }
            Object::Doubled => (py.None().into_bound(py), None),
        };
        let count = self.entries.len();
        let entries = self.entries.iter().map(|entry| Ok(entry.clone_ref(py)));
        let which = self.which.iter().map(|which| Ok(which.clone_ref(py)));
        Ok((object, keys, memory::all(count, entries)?, memory::all(count, which)?))
    }

    /// Refuses a container in which a parameter was replaced. Others that were added are fine, and so
    /// is one that is gone: nobody takes anything else for it. `names` are all of the optimizer's.
    #[inline]
    pub(super) fn check(&self, py: Python<'_>, names: Option<&[Py<PyString>]>) -> PyResult<()> {
        let entries = &self.entries;
        let unchanged = match &self.object {
            Object::List(list) => raw::begins_with(list.bind(py), entries.iter().map(Py::as_ptr)),
            Object::Dict(dict, _) => {
                raw::first_entries(dict.bind(py), entries.iter(), |known, _, value| {
                    known.as_ptr() == value
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
                Object::Dict(dict, keys) => dict.bind(py).get_item(&keys[i])?,
                Object::Doubled => None,
            };
            if now.is_some_and(|now| !now.is(entry)) {
                return Err(self.replaced(py, i, names)?);
            }
        }
        Ok(())
    }

    fn replaced(
        &self,
        py: Python<'_>,
        i: usize,
        names: Option<&[Py<PyString>]>,
    ) -> PyResult<PyErr> {
        let (kind, place) = match &self.object {
            Object::Dict(_, keys) => ("dict", format!("d[{}]", keys[i].bind(py).repr()?)),
            _ => ("list", format!("params[{i}]")),
        };
        let text = match &self.which[i] {
            ParameterKey::Position(number) => {
                let label = Label { py, names, named: Named::Parameter(*number) };
                format!(
                    "{label} was replaced in your {kind}, and the optimizer would update an array that is \
                     no longer there; write {place}[...] = ... to give it new values"
                )
            }
            ParameterKey::Name(name) if self.entries[i].is_none(py) => {
                return Ok(PyValueError::new_err(format!(
                    "{} was None in your {kind}, so what is there now would not be updated; put \
                     None back, or make a new optimizer",
                    parameter(name.bind(py))
                )));
            }
            ParameterKey::Name(name) => format!(
                "the parameters in {} were replaced in your {kind}, and the optimizer would update arrays \
                 that are no longer there; write new values into the old ones, p[...] = ...",
                name.bind(py).repr()?
            ),
        };
        Ok(PyValueError::new_err(format!(
            "{text}, or call opt.rebind(...) with the new arrays (as where parameters and optimizer \
             were copied or pickled apart)"
        )))
    }

    /// Where parameter number `i` stands, and what is to stand there once `new` is in its place; None
    /// if it is not in here. Refuses a container that holds neither it nor the new one there.
    pub(super) fn place<'py>(
        &self,
        i: usize,
        new: &Bound<'py, PyAny>,
        label: &Label<'_>,
    ) -> PyResult<Option<Place<'py>>> {
        let py = new.py();
        if matches!(self.object, Object::Doubled) {
            return self.check(py, label.names).map(|()| None);
        }
        let is_it = |which: &ParameterKey| matches!(which, ParameterKey::Position(n) if *n == i);
        let Some(entry) = self.which.iter().position(is_it) else { return Ok(None) };
        let old = self.entries[entry].bind(py);
        let heir = match old.cast_exact::<PyTuple>() {
            Ok(pair) => PyTuple::new(py, [pair.get_item(0)?, new.clone()])?.into_any(),
            Err(_) => new.clone(),
        };
        let (kind, now) = match &self.object {
            Object::Dict(dict, keys) => ("dict", dict.bind(py).get_item(&keys[entry])?),
            Object::List(list) => ("list", list.bind(py).get_item(entry).ok()),
            Object::Doubled => ("list", None),
        };
        match now {
            None => Ok(Some(Place { entry, heir, write: false })), // nobody takes anything for it
            Some(now) if now.is(old) => Ok(Some(Place { entry, heir, write: true })),
            Some(now) if array_in(&now)?.is(new) => {
                Ok(Some(Place { entry, heir: now, write: false }))
            }
            Some(_) => Err(PyValueError::new_err(format!(
                "{label} must be the old or the new array in your {kind}, found another there; put one \
                 of them in its place"
            ))),
        }
    }

    /// Puts it there; returns what was there.
    pub(super) fn put(&mut self, py: Python<'_>, place: Place<'_>) -> PyResult<Py<PyAny>> {
        let Place { entry, heir, write } = place;
        match &self.object {
            Object::Dict(dict, keys) if write => dict.bind(py).set_item(&keys[entry], &heir)?,
            Object::List(list) if write => list.bind(py).set_item(entry, &heir)?,
            _ => {}
        }
        Ok(std::mem::replace(&mut self.entries[entry], heir.unbind()))
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
