//! What an optimizer is made with and keeps.

use pyo3::exceptions::PyValueError;
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

/// What an optimizer is made with.
pub(super) struct Settings {
    pub(super) rule: String,
    /// Checks options in Python: `read(changed, known)`.
    pub(super) read: Py<PyAny>,
    /// The optimizer's `param_groups`.
    pub(super) param_groups: Py<PyList>,
    pub(super) nonfinite: NonFinite,
    pub(super) nonfinite_error: Py<PyAny>,
    /// The module of the NumPy reference, where it is to run in place of the engine.
    pub(super) reference: Option<Py<PyAny>>,
}
