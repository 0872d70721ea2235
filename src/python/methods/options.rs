//! Options of the groups, and what can be set of the whole optimizer.

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::number::Kind;
use crate::python::core::{Core, started};
use crate::python::guard::guarded;

#[pymethods]
impl Core {
    /// Sets an option of all groups to a number that can be judged alone. False, and nothing done, if
    /// Python has to judge it.
    #[pyo3(signature = (name, value, /))]
    fn _set_number(&self, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        guarded(|| started(&mut self.inner.lock(name.py())?)?.set_number(name, value))
    }

    /// What can be set between steps, as it was set last.
    #[getter(_settings)]
    fn settings(&self, py: Python<'_>) -> PyResult<Py<PyTuple>> {
        Ok(started(&mut self.inner.lock(py)?)?.settings.chosen.clone_ref(py))
    }

    /// Goes by other settings from the next step on.
    fn _set_settings(&self, settings: &Bound<'_, PyTuple>) -> PyResult<()> {
        let before = started(&mut self.inner.lock(settings.py())?)?.choose(settings)?;
        drop(before); // may run Python code, so after the lock is free
        Ok(())
    }

    /// Refuses a type of state that does not go with one of the parameters.
    #[pyo3(signature = (dtype))]
    fn _check_state_dtype(&self, py: Python<'_>, dtype: Option<&str>) -> PyResult<()> {
        let mut locked = self.inner.lock(py)?;
        started(&mut locked)?.check_state_kind(py, dtype.and_then(Kind::named))
    }
}
