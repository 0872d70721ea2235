//! The calls of an unbound optimizer: its parameters come with each of them.

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::array::Array;
use super::calling;
use super::core::{Core, started};
use super::given::Given;
use super::gradients;
use super::inner::{Inner, Way};
use super::keys::Keys;
use super::parameters::check_memory;
use super::scaling::Scaling;
use super::step::{Done, has_been};
use super::words::{ARRAY, Label, count_error, must_be};
use crate::engine::memory::{Grow, with_room};
use crate::optimizer::Named;

impl Core {
    /// The parameters that came with a call, where that takes no Python code.
    fn plain_parameters<'py>(
        &self,
        py: Python<'py>,
        params: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Vec<Array<'py>>>> {
        let mut locked = self.inner.lock(py)?;
        let inner = started(&mut locked)?;
        let names = inner.names.as_deref();
        let Some(plain) = inner.plain_parameters(params)? else { return Ok(None) };
        let mut arrays = with_room(plain.len())?;
        for (i, array) in plain.into_iter().enumerate() {
            let label = Label { py, names, named: Named::Parameter(i) };
            arrays.push(match array {
                Some(Given::Whole(array)) => array,
                Some(Given::Rows(rows)) => {
                    return Err(PyTypeError::new_err(must_be(label, ARRAY, &rows)));
                }
                None => {
                    let message = format!("{label} must be {ARRAY}, found None");
                    return Err(PyValueError::new_err(message));
                }
            });
        }
        Ok(Some(arrays))
    }

    /// The parameters that came with a call.
    pub(super) fn read_parameters<'py>(
        &self,
        py: Python<'py>,
        params: &Bound<'py, PyAny>,
    ) -> PyResult<Vec<Array<'py>>> {
        if let Some(plain) = self.plain_parameters(py, params)? {
            return Ok(plain);
        }
        let mut locked = self.inner.lock(py)?;
        let inner = started(&mut locked)?;
        let (names, likes) = (inner.names(py)?, inner.likes(py)?);
        drop(locked);
        let flat = gradients::flatten("parameters", (names.as_deref(), &likes), params, false)?;
        let mut arrays = with_room(flat.len().unwrap_or(0))?;
        let mut items = calling::iterate(&flat)?;
        while let Some(item) = items.next()? {
            let named = Named::Parameter(arrays.len());
            let label = Label { py, names: names.as_deref(), named };
            arrays.try_push(Array::plain(&item, &label, ARRAY)?)?;
        }
        Ok(arrays)
    }

    /// One step of the parameters that came with a call, the first unless it has `begun`. `old`: where
    /// their values are to be taken from.
    pub(super) fn begin_or_go_on<'py>(
        slf: &Bound<'py, Self>,
        begun: bool,
        params: &Bound<'py, PyAny>,
        grads: &Bound<'py, PyAny>,
        scaling: Scaling,
        (way, old): (Way, Option<&Bound<'py, PyAny>>),
    ) -> PyResult<Done> {
        let (py, core) = (slf.py(), slf.get());
        if !begun && let Some(done) = core.begin(slf, params, grads, scaling, (way, old))? {
            return Ok(done);
        }
        let arrays = match core.plain_parameters(py, params)? {
            Some(arrays) => arrays,
            None => match Core::step_with_more(slf, params, grads, scaling, (way, old))? {
                Some(done) => return Ok(done),
                None => core.read_parameters(py, params)?,
            },
        };
        let sources = old.map(|old| core.read_parameters(py, old)).transpose()?;
        let (grads, mut locked) = core.read(py, grads, true)?;
        let inner = started(&mut locked)?;
        inner.check_way(way)?;
        inner.way = Some(way);
        let taken = match way {
            Way::Anew => inner.take_new(arrays, sources),
            Way::InPlace | Way::OneByOne => inner.take(py, arrays),
        };
        let done = taken.and_then(|()| inner.step(py, grads, scaling));
        inner.release();
        drop(locked);
        done
    }

    /// The first step of an unbound optimizer. Its parameters, and the state that was loaded before
    /// them, are registered in a core of their own, in Python; both are taken over and stepped here,
    /// or left as they were. `old`: where the parameters' values are to be taken from. None, and
    /// nothing done, if another thread was first.
    fn begin<'py>(
        &self,
        slf: &Bound<'py, Self>,
        params: &Bound<'py, PyAny>,
        grads: &Bound<'py, PyAny>,
        scaling: Scaling,
        (way, old): (Way, Option<&Bound<'py, PyAny>>),
    ) -> PyResult<Option<Done>> {
        let py = slf.py();
        loop {
            let registered = calling::method(slf.as_any(), "_register_first", (params,))?;
            let (theirs, pending): (Bound<'py, Core>, Option<Py<PyAny>>) = registered.extract()?;
            let old = old.map(|old| theirs.get().read_parameters(py, old)).transpose()?;
            let (grads, registered) = theirs.get().read(py, grads, true)?;
            drop(registered);
            let first = &mut theirs.get().contents(py)?;
            first.way = Some(way);
            first.set_sources(old);
            let mut locked = self.inner.lock(py)?;
            let inner = started(&mut locked)?;
            if !inner.slots().is_empty() {
                return Ok(None);
            }
            if !inner.has_pending(pending.as_ref()) {
                continue; // something was loaded or forgotten meanwhile
            }
            inner.exchange(first);
            let outcome = inner.step(py, grads, scaling);
            inner.release();
            if !has_been(&outcome) {
                inner.exchange(first);
            }
            drop(locked); // before what is left is dropped
            return outcome.map(Some);
        }
    }

    /// Takes over the parameters and the state of another, if this one has none.
    pub(super) fn take_over(
        &self,
        py: Python<'_>,
        other: &Bound<'_, Core>,
        pending: Option<&Py<PyAny>>,
        numbers: Option<Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let keys = numbers.map(Keys::new).transpose()?;
        let mut theirs = other.get().contents(py)?;
        let mut locked = self.inner.lock(py)?;
        let inner = started(&mut locked)?;
        if !inner.slots().is_empty() || !inner.has_pending(pending) {
            return Err(PyRuntimeError::new_err(
                "another thread has given this optimizer parameters",
            ));
        }
        inner.exchange(&mut theirs);
        if keys.is_some() {
            inner.keys = keys;
            inner.way = Some(Way::OneByOne);
        }
        inner.release();
        drop(locked); // before what is left is dropped
        Ok(())
    }
}

impl Inner {
    /// Takes the arrays that came with a call of an unbound optimizer.
    pub(super) fn take(&mut self, py: Python<'_>, arrays: Vec<Array<'_>>) -> PyResult<()> {
        if arrays.len() != self.slots().len() {
            return Err(count_error("parameters", arrays.len(), self.slots().len(), "parameter"));
        }
        let Inner { optimizer, owners, names, .. } = self;
        for (i, array) in arrays.into_iter().enumerate() {
            let label = Label { py, names: names.as_deref(), named: Named::Parameter(i) };
            check_memory(&array, &optimizer.slots()[i], owners[i].as_ref(), &label)?;
            optimizer.set_array(i, Some(array.hold()));
        }
        Ok(())
    }

    /// Takes new arrays for the parameters, and those that have their values; None where the new ones
    /// have them.
    pub(super) fn take_new(
        &mut self,
        arrays: Vec<Array<'_>>,
        sources: Option<Vec<Array<'_>>>,
    ) -> PyResult<()> {
        for given in std::iter::once(&arrays).chain(&sources) {
            if given.len() != self.slots().len() {
                return Err(count_error(
                    "parameters",
                    given.len(),
                    self.slots().len(),
                    "parameter",
                ));
            }
        }
        for (i, array) in arrays.into_iter().enumerate() {
            self.optimizer.set_array(i, Some(array.hold()));
        }
        self.set_sources(sources);
        Ok(())
    }

    /// Lets parameters in host memory take their values from these; a new one on a device has them.
    pub(super) fn set_sources(&mut self, sources: Option<Vec<Array<'_>>>) {
        for (i, source) in sources.into_iter().flatten().enumerate() {
            let on_host = matches!(source, Array::Host(_));
            self.optimizer.set_source(i, on_host.then(|| source.hold()));
        }
    }

    /// Lets go of the arrays that came with a call.
    pub(super) fn release(&mut self) {
        for i in 0..self.owners.len() {
            if self.owners[i].is_some() {
                self.optimizer.set_array(i, None);
                self.optimizer.set_source(i, None);
            }
        }
    }
}
