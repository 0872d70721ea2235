//! A step that was left out, and what is told of it.

use pyo3::prelude::*;

use super::logged::{INFO, WARNING, log};
use super::step_info::ParameterKey;

/// From so many in a row on it is a warning: a healthy loss scaling skips a few steps at its start,
/// until its scale fits.
const TOO_MANY: u64 = 8;

pub(super) struct SkippedStep {
    /// The parameter whose gradient is not finite, None if it is the norm of all.
    pub(super) key: Option<ParameterKey>,
    pub(super) cause: String,
    pub(super) in_a_row: u64,
    pub(super) total: u64,
}

impl SkippedStep {
    /// Tells of the first, second, fourth, eighth, ... of a row. Handlers are Python code, so no lock
    /// may be held.
    pub(super) fn tell(&self, py: Python<'_>) -> PyResult<()> {
        if !self.in_a_row.is_power_of_two() {
            return Ok(());
        }
        let level = if self.in_a_row < TOO_MANY { INFO } else { WARNING };
        let message = "step skipped: %s (%d in a row, %d over the run)";
        log(py, (level, message, &self.cause, self.in_a_row, self.total))
    }
}
