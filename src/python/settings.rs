//! What an optimizer is made with and keeps.

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyList;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum NonFinite {
    Propagate,
    Raise,
    Skip,
}

impl NonFinite {
    pub(super) fn named(name: &str) -> PyResult<Self> {
        match name {
            "propagate" => Ok(NonFinite::Propagate),
            "raise" => Ok(NonFinite::Raise),
            "skip" => Ok(NonFinite::Skip),
            other => Err(PyValueError::new_err(format!(
                "Invalid nonfinite value: {other:?} (wanted 'propagate', 'raise' or 'skip')"
            ))),
        }
    }
}

impl Settings {
    pub(super) fn clone_ref(&self, py: Python<'_>) -> Self {
        let cloned = |object: &Option<Py<PyAny>>| object.as_ref().map(|o| o.clone_ref(py));
        Settings {
            rule: self.rule.clone(),
            read: self.read.clone_ref(py),
            param_groups: self.param_groups.clone_ref(py),
            nonfinite: self.nonfinite,
            nonfinite_error: self.nonfinite_error.clone_ref(py),
            state_factory: cloned(&self.state_factory),
            reference: cloned(&self.reference),
        }
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.read)?;
        visit.call(&self.param_groups)?;
        visit.call(&self.nonfinite_error)?;
        self.state_factory.iter().try_for_each(|factory| visit.call(factory))?;
        self.reference.iter().try_for_each(|module| visit.call(module))
    }
}

/// What an optimizer is made with.
pub(super) struct Settings {
    pub(super) rule: String,
    /// Checks options in Python: `read(changed, known)`.
    pub(super) read: Py<PyAny>,
    /// The optimizer's `param_groups`.
    pub(super) param_groups: Py<PyList>,
    pub(super) nonfinite: NonFinite,
    pub(super) nonfinite_error: Py<PyAny>,
    /// Makes state arrays in place of NumPy and CuPy.
    pub(super) state_factory: Option<Py<PyAny>>,
    /// The module of the NumPy reference, where it is to run in place of the engine.
    pub(super) reference: Option<Py<PyAny>>,
}
