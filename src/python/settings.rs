//! What an optimizer is made with, and what of it can be set between steps.

use std::collections::HashMap;

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::optimizer::NonFinite;

fn nonfinite(name: &str) -> PyResult<NonFinite> {
    match name {
        "propagate" => Ok(NonFinite::Propagate),
        "raise" => Ok(NonFinite::Raise),
        "skip" => Ok(NonFinite::Skip),
        other => Err(PyValueError::new_err(format!(
            "nonfinite must be 'propagate', 'raise' or 'skip', found {other:?}"
        ))),
    }
}

/// The least and the greatest number that an option may be.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Bounds(f64, f64);

impl Bounds {
    pub(super) fn admit(&self, value: f64) -> bool {
        self.0 <= value && value <= self.1
    }
}

/// What an optimizer is made with.
pub(super) struct Settings {
    pub(super) rule: String,
    /// Checks options in Python: `read(changed, known)`.
    pub(super) read: Py<PyAny>,
    /// Of the options that are numbers and need no Python as long as they lie within.
    bounds: HashMap<String, Bounds>,
    /// The optimizer's `param_groups`.
    pub(super) param_groups: Py<PyList>,
    pub(super) nonfinite_error: Py<PyAny>,
    /// Whether gradients are `Rows` and nothing else.
    pub(super) rows_only: bool,
    /// The named tuple that the rest comes from, as Python reads it.
    pub(super) chosen: Py<PyTuple>,
    pub(super) nonfinite: NonFinite,
    /// Makes state arrays in place of NumPy and CuPy.
    pub(super) state_factory: Option<Py<PyAny>>,
    /// Whether a gradient that is missing in a dict of names skips its parameter.
    pub(super) skips_missing: bool,
    /// The module of the NumPy reference, where it is to run in place of the engine.
    pub(super) reference: Option<Py<PyAny>>,
}

impl Settings {
    pub(super) fn new(
        rule: String,
        read: Py<PyAny>,
        bounds: HashMap<String, (f64, f64)>,
        param_groups: Py<PyList>,
        nonfinite_error: Py<PyAny>,
        rows_only: bool,
        chosen: &Bound<'_, PyTuple>,
    ) -> PyResult<Self> {
        let bounds = bounds.into_iter().map(|(name, (low, high))| (name, Bounds(low, high)));
        let (nonfinite, reference, state_factory, skips_missing) = chosen_parts(chosen)?;
        Ok(Settings {
            rule,
            read,
            bounds: bounds.collect(),
            param_groups,
            nonfinite_error,
            rows_only,
            chosen: chosen.clone().unbind(),
            nonfinite,
            state_factory,
            skips_missing,
            reference,
        })
    }

    pub(super) fn bounds(&self, name: &str) -> Option<Bounds> {
        self.bounds.get(name).copied()
    }

    pub(super) fn clone_ref(&self, py: Python<'_>) -> Self {
        let cloned = |object: &Option<Py<PyAny>>| object.as_ref().map(|o| o.clone_ref(py));
        Settings {
            rule: self.rule.clone(),
            read: self.read.clone_ref(py),
            bounds: self.bounds.clone(),
            param_groups: self.param_groups.clone_ref(py),
            nonfinite_error: self.nonfinite_error.clone_ref(py),
            rows_only: self.rows_only,
            chosen: self.chosen.clone_ref(py),
            nonfinite: self.nonfinite,
            state_factory: cloned(&self.state_factory),
            skips_missing: self.skips_missing,
            reference: cloned(&self.reference),
        }
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.read)?;
        visit.call(&self.param_groups)?;
        visit.call(&self.nonfinite_error)?;
        visit.call(&self.chosen)?;
        self.state_factory.iter().try_for_each(|factory| visit.call(factory))?;
        self.reference.iter().try_for_each(|module| visit.call(module))
    }
}

type Chosen = (NonFinite, Option<Py<PyAny>>, Option<Py<PyAny>>, bool);

/// The parts of Python's `Settings`.
pub(super) fn chosen_parts(chosen: &Bound<'_, PyTuple>) -> PyResult<Chosen> {
    type Parts = (String, Option<String>, Option<Py<PyAny>>, Option<Py<PyAny>>, String);
    let (named, _, reference, factory, missing): Parts = chosen.extract()?;
    Ok((nonfinite(&named)?, reference, factory, missing == "skip"))
}
