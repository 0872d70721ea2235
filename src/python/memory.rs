//! Memory that there is not, as Python's error.

use pyo3::PyErr;
use pyo3::exceptions::{PyMemoryError, PyTypeError};

use crate::engine::{OutOfMemory, Unplanned};

impl From<OutOfMemory> for PyErr {
    fn from(_: OutOfMemory) -> Self {
        PyMemoryError::new_err(())
    }
}

impl From<Unplanned> for PyErr {
    fn from(error: Unplanned) -> Self {
        match error {
            Unplanned::OutOfMemory(error) => error.into(),
            Unplanned::Unsupported(_) => PyTypeError::new_err(error.to_string()),
        }
    }
}
