//! The functional call of an unbound optimizer: parameters come, and new ones are returned.

use std::sync::PoisonError;

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::array::Array;
use super::calling;
use super::core::{Core, info, started};
use super::inner::Way;
use super::scaling::Scaling;
use super::step::Done;
use crate::engine::memory::Grow;

/// What came, as arrays: plain ones as they are, numbers and integers by Python.
fn as_arrays<'py>(given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if is_plain(given) {
        return Ok(given.clone());
    }
    let functional = given.py().import(intern!(given.py(), "ferrostep.functional"))?;
    calling::method(&functional, "arrays", (given,))
}

/// Whether it is a list, tuple or dict of NumPy's own floating-point arrays, or one of those.
fn is_plain(given: &Bound<'_, PyAny>) -> bool {
    if let Ok(list) = given.cast_exact::<PyList>() {
        list.iter().all(|item| Array::is_plain_float(&item))
    } else if let Ok(tuple) = given.cast_exact::<PyTuple>() {
        tuple.iter().all(|item| Array::is_plain_float(&item))
    } else if let Ok(dict) = given.cast_exact::<PyDict>() {
        dict.iter().all(|(_, item)| Array::is_plain_float(&item))
    } else {
        Array::is_plain_float(given)
    }
}

/// New arrays in the same structure; with `copy`, and on devices, they have the old values.
fn renewed<'py>(params: &Bound<'py, PyAny>, copy: bool) -> PyResult<Bound<'py, PyAny>> {
    let py = params.py();
    let like = |array: &Bound<'py, PyAny>| Array::like(array);
    if copy || !is_plain(params) {
        let functional = py.import(intern!(py, "ferrostep.functional"))?;
        return calling::method(&functional, "renewed", (params, copy));
    }
    if let Ok(list) = params.cast_exact::<PyList>() {
        let new = PyList::empty(py);
        list.iter().try_for_each(|item| new.append(like(&item)?))?;
        Ok(new.into_any())
    } else if let Ok(tuple) = params.cast_exact::<PyTuple>() {
        let mut new = Vec::new();
        for item in tuple.iter() {
            new.try_push(like(&item)?)?;
        }
        Ok(PyTuple::new(py, new)?.into_any())
    } else if let Ok(dict) = params.cast_exact::<PyDict>() {
        let new = PyDict::new(py);
        dict.iter().try_for_each(|(key, item)| new.set_item(key, like(&item)?))?;
        Ok(new.into_any())
    } else {
        like(params)
    }
}

impl Core {
    /// New parameters in the structure of the old ones.
    pub(super) fn updated<'py>(
        slf: &Bound<'py, Self>,
        params: &Bound<'py, PyAny>,
        grads: &Bound<'py, PyAny>,
        scaling: Scaling,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, core) = (slf.py(), slf.get());
        let mut locked = core.inner.lock(py)?;
        let inner = started(&mut locked)?;
        if !inner.unbound {
            return Err(PyValueError::new_err(
                "this optimizer is bound to its parameters and updates them in place: use step(), or \
                 make it without params for updated()",
            ));
        }
        inner.check_way(Way::Anew)?;
        // The reference reads the parameters where they are to be written.
        let copy = inner.settings.reference.is_some();
        let begun = !inner.slots().is_empty();
        drop(locked);
        let (params, grads) = (as_arrays(params)?, as_arrays(grads)?);
        let new = renewed(&params, copy)?;
        let old = Some(&params).filter(|_| !copy);
        let done = match begun {
            true => None,
            false => core.begin(slf, &new, &grads, scaling, (Way::Anew, old))?,
        };
        let done = match done {
            Some(done) => done,
            None => core.go_on(py, (&new, old), &grads, scaling)?,
        };
        core.tell(py, done)?;
        Ok(new)
    }

    fn go_on<'py>(
        &self,
        py: Python<'py>,
        (new, old): (&Bound<'py, PyAny>, Option<&Bound<'py, PyAny>>),
        grads: &Bound<'py, PyAny>,
        scaling: Scaling,
    ) -> PyResult<Done> {
        let arrays = self.read_parameters(py, new)?;
        let sources = old.map(|old| self.read_parameters(py, old)).transpose()?;
        let (grads, mut locked) = self.read(py, grads, true)?;
        let inner = started(&mut locked)?;
        inner.check_way(Way::Anew)?;
        let taken = inner.take_new(arrays, sources);
        let done = taken.and_then(|()| inner.step(py, grads, scaling));
        inner.release();
        drop(locked);
        done
    }

    /// Keeps what the step did, as `last`.
    fn tell(&self, py: Python<'_>, done: Done) -> PyResult<()> {
        let info = info(py, done)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.replace(info);
        drop(last);
        drop(before); // may run Python code, so after the lock is free
        Ok(())
    }
}
