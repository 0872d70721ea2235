//! Running out of memory, as Python's MemoryError.

use pyo3::exceptions::PyMemoryError;
use pyo3::{PyErr, PyResult};

use super::words::unsupported;
use crate::engine::memory::{Grow, with_room};
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
            Unplanned::Unsupported(kind) => unsupported(kind),
        }
    }
}

/// All of the values, or the first error; about `count` of them.
pub(super) fn all<T>(
    count: usize,
    values: impl IntoIterator<Item = PyResult<T>>,
) -> PyResult<Vec<T>> {
    let mut all = with_room(count)?;
    for value in values {
        all.try_push(value?)?;
    }
    Ok(all)
}
