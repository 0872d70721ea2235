//! What `logging.getLogger("ferrostep")` is told.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::calling;

/// `logging.INFO` and `logging.WARNING`.
pub(super) const INFO: u32 = 20;
pub(super) const WARNING: u32 = 30;

/// Logs a level, a message, and what it is of. Handlers are Python code, so no lock may be held.
pub(super) fn log<'py>(
    py: Python<'py>,
    arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
) -> PyResult<()> {
    let builtins = py.import("builtins")?;
    let logging = calling::method(&builtins, "__import__", ("logging",))?;
    let logger = calling::method(&logging, "getLogger", ("ferrostep",))?;
    calling::method(&logger, "log", arguments).map(drop)
}
