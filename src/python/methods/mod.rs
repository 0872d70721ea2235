//! The methods of an optimizer that Python sees: here how it is made and let go of, in each file those of
//! one subject.

mod options;
mod parameters;
mod state;
mod step;
mod unbound;

use std::collections::HashMap;
use std::sync::Mutex;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::core::Core;
use super::inner::Inner;
use super::lock::Lock;
use super::settings::Settings;

#[pymethods]
impl Core {
    /// Takes whatever the class takes; `_start` follows.
    #[new]
    #[pyo3(signature = (*_args, **_options))]
    fn new(_args: &Bound<'_, PyTuple>, _options: Option<&Bound<'_, PyDict>>) -> Self {
        Core { inner: Lock::new(None), last: Mutex::new(None) }
    }

    /// Begins anew, without parameters and state.
    #[allow(clippy::too_many_arguments)]
    fn _start(
        &self,
        py: Python<'_>,
        rule: String,
        read: Py<PyAny>,
        bounds: HashMap<String, (f64, f64)>,
        param_groups: Py<PyList>,
        unbound: bool,
        nonfinite_error: Py<PyAny>,
        rows_only: bool,
        settings: &Bound<'_, PyTuple>,
    ) -> PyResult<()> {
        let known =
            Settings::new(rule, read, bounds, param_groups, nonfinite_error, rows_only, settings)?;
        let before = self.inner.lock(py)?.replace(Inner::new(known, unbound));
        drop(before); // may run Python code, so after the lock is free
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // What is in use is alive: the collector may take it for held from outside.
        // SAFETY: the collector holds the GIL, and visiting runs no Python code.
        match unsafe { self.inner.idle() } {
            Some(inner) => inner.iter().try_for_each(|inner| inner.traverse(&visit)),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        let before = self.inner.try_lock().and_then(|mut inner| inner.take());
        drop(before); // after the lock is free
    }
}
