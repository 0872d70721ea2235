//! The values of rows on a device, added up.

use numpy::PyUntypedArray;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::backend;
use crate::engine::memory::try_collect;
use crate::engine::{Occurrences, RowValues, threads};
use crate::number::Precision;
use crate::python::array::{Array, Held, Seen};

/// Adds them up on the host, which waits for them: to a device the rows that occur are known by then in
/// any case.
pub(in crate::python) fn add_rows(
    py: Python<'_>,
    values: &Held,
    device: i32,
    rows: &Occurrences,
    precision: Precision,
) -> PyResult<(Held, Seen)> {
    let copy =
        backend(py, "to_host", (values.bind(py).object(),))?.cast_into::<PyUntypedArray>()?;
    let copy = Array::Host(copy);
    let seen = Seen::of_copy(&copy)?;
    let mut shape: Vec<isize> = try_collect(seen.shape.iter().copied())?;
    shape[0] = rows.rows().len() as isize;
    let values = seen.view();
    let values = RowValues { occurrences: rows, values, precision };
    // SAFETY: the copy is ours alone.
    let added = unsafe { values.add(threads::count()) }?;
    let bytes = PyBytes::new_with(py, added.bytes().len(), |bytes| {
        bytes.copy_from_slice(added.bytes());
        Ok(())
    })?;
    let shape = PyTuple::new(py, shape)?;
    let array = backend(py, "from_host", (device, bytes, added.kind().name(), shape))?;
    let array = Array::Device(array);
    let header = Seen::of_copy(&array)?;
    Ok((array.hold(), header))
}
