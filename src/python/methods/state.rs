//! State: shown, copied, made, loaded, and begun anew.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::python::core::{Core, started};
use crate::python::guard::guarded;
use crate::python::inner::Inner;
use crate::python::state::Snapshot;

#[pymethods]
impl Core {
    /// One parameter's state, its live arrays; None before its first step.
    fn _state<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Option<Bound<'py, PyDict>>> {
        let mut locked = self.inner.lock(py)?;
        let inner = started(&mut locked)?;
        inner.slots().get(index).map_or(Ok(None), |slot| inner.shown(py, slot, false))
    }

    /// Every parameter's state, of one moment: the live arrays or copies.
    fn _states<'py>(
        &self,
        py: Python<'py>,
        copy: bool,
    ) -> PyResult<Vec<Option<Bound<'py, PyDict>>>> {
        guarded(|| started(&mut self.inner.lock(py)?)?.states(py, copy))
    }

    /// New arrays for a parameter's state, made and checked and not kept: by name and type.
    fn _new_states<'py>(
        &self,
        py: Python<'py>,
        index: usize,
        wanted: Vec<(String, String)>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        guarded(|| started(&mut self.inner.lock(py)?)?.new_states(py, index, &wanted))
    }

    /// The states, live or copied, the sizes of the groups, the parameters' names and the count of
    /// skipped steps: all of one moment.
    fn _snapshot<'py>(&self, py: Python<'py>, copy: bool) -> PyResult<Snapshot<'py>> {
        guarded(|| started(&mut self.inner.lock(py)?)?.snapshot(py, copy))
    }

    /// Makes the state of all parameters that have none, as if they had had `step` steps.
    fn _init_state(&self, py: Python<'_>, step: u64) -> PyResult<()> {
        guarded(|| started(&mut self.inner.lock(py)?)?.init_state(py, step))
    }

    /// Takes over the parameters and the state of another, for an unbound optimizer that has none: with
    /// them the other has taken over what was `pending`. `numbers`: by the
    /// keys of those that will come one by one.
    #[pyo3(signature = (other, pending, numbers=None))]
    fn _take_over(
        &self,
        py: Python<'_>,
        other: &Bound<'_, Core>,
        pending: Option<Py<PyAny>>,
        numbers: Option<Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        guarded(|| self.take_over(py, other, pending.as_ref(), numbers))
    }

    /// Replaces every parameter's state, the count of skipped steps, and options group by group,
    /// or nothing if one array is refused.
    #[pyo3(signature = (steps, arrays, skipped, options=vec![]))]
    fn _load(
        &self,
        py: Python<'_>,
        steps: Vec<Option<u64>>,
        arrays: Vec<Option<Bound<'_, PyDict>>>,
        skipped: u64,
        options: Vec<Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        self.exchange(py, |inner| inner.load(py, &steps, &arrays, skipped, &options))
    }

    /// Begins an unbound optimizer anew: its parameters are those of its next call, with the state in
    /// `pending`. No signal's handler can run in between.
    #[pyo3(signature = (pending, skipped, options=vec![]))]
    fn _await(
        &self,
        py: Python<'_>,
        pending: Option<Py<PyAny>>,
        skipped: u64,
        options: Vec<Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let mut locked = self.inner.lock(py)?;
        let inner = started(&mut locked)?;
        let mut before = Inner::new(inner.settings.clone_ref(py), true);
        inner.set_options(py, &options)?;
        inner.exchange(&mut before);
        inner.pending = pending;
        inner.optimizer.set_skipped(skipped);
        drop(locked);
        drop(before); // may run Python code, so after the lock is free
        Ok(())
    }

    /// What was loaded before there were parameters.
    #[getter(_pending)]
    fn pending(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let mut locked = self.inner.lock(py)?;
        Ok(started(&mut locked)?.pending.as_ref().map(|pending| pending.clone_ref(py)))
    }

    #[getter(_skipped)]
    fn skipped(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(started(&mut self.inner.lock(py)?)?.optimizer.skipped())
    }
}
