//! What is told to `logging.getLogger("ferrostep")`.

use pyo3::prelude::*;

/// `logging.INFO` and `logging.WARNING`.
const INFO: u32 = 20;
const WARNING: u32 = 30;

/// From so many skips in a row on they are a warning: a healthy loss scaling skips a few times at its
/// start, until its scale fits.
const TOO_MANY: u64 = 8;

/// Tells why a step was skipped: the first, second, fourth, eighth, ... of a row. Handlers are Python
/// code, so no lock may be held.
pub(super) fn skipped(py: Python<'_>, cause: &str, in_a_row: u64, total: u64) -> PyResult<()> {
    if !in_a_row.is_power_of_two() {
        return Ok(());
    }
    let level = if in_a_row < TOO_MANY { INFO } else { WARNING };
    let message = "step skipped: %s (%d in a row, %d over the run)";
    let logger = py.import("logging")?.call_method1("getLogger", ("ferrostep",))?;
    logger.call_method1("log", (level, message, cause, in_a_row, total))?;
    Ok(())
}
