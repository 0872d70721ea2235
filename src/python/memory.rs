//! Memory that may run out: what grows with the parameters is asked for, not taken.

use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;

pub(super) fn out_of_memory() -> PyErr {
    PyMemoryError::new_err("out of memory; nothing has changed")
}

/// Room for `count` values.
pub(super) fn room<T>(count: usize) -> PyResult<Vec<T>> {
    let mut room = Vec::new();
    room.try_reserve_exact(count).map_err(|_| out_of_memory())?;
    Ok(room)
}

/// Adds a value to what has grown beyond what was asked for.
pub(super) fn push<T>(to: &mut Vec<T>, value: T) -> PyResult<()> {
    to.try_reserve(1).map_err(|_| out_of_memory())?;
    to.push(value);
    Ok(())
}

/// All of the values, or the first error; there are at most `count`.
pub(super) fn all<T>(
    count: usize,
    values: impl IntoIterator<Item = PyResult<T>>,
) -> PyResult<Vec<T>> {
    let mut all = room(count)?;
    for value in values {
        all.push(value?);
    }
    Ok(all)
}
