//! What rules that measure take before a launch: sums over its tensors, and the scalars that follow from
//! them. Nobody waits for these, but for a rule that remembers something of its sums.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::backend;
use super::tables::Tables;
use crate::engine::memory::{Grow, with_room};
use crate::optimizer::SumsOfParts;
use crate::rules::{LEAF, MAX_SUMS};

/// The tensors of a launch.
pub(super) struct Tensors<'a> {
    pub(super) device: i32,
    pub(super) table: &'a Py<PyAny>,
    pub(super) lengths: Vec<usize>,
    /// By tensor, the part that it is of.
    pub(super) parts: Vec<usize>,
}

/// Sums on a device.
pub(in crate::python) struct Sums {
    array: Py<PyAny>,
    /// Where in it they are: those of a tensor lie a row of tensors apart.
    places: Vec<usize>,
    parts: Vec<usize>,
}

/// A launch's scalars as they are passed to its kernel, with the clipping factor's address.
pub(super) type Passed<'py> = (Bound<'py, PyBytes>, usize, usize);

/// What is passed, and the scalars that are not rounded, those of each tensor on the device if they differ,
/// and the bytes that each has for its own.
type Given<'py> = (Passed<'py>, (Bound<'py, PyBytes>, Option<Bound<'py, PyAny>>, usize));

/// Launches what a rule measures, `beside` being what its kernels take more. Returns each tensor's scalars, on
/// the device, and the sums.
pub(super) fn take(
    py: Python<'_>,
    tables: &mut Tables,
    kernels: &Py<PyAny>,
    sums: usize,
    tensors: Tensors<'_>,
    (scalars, own): Given<'_>,
    beside: &Bound<'_, PyTuple>,
) -> PyResult<(Py<PyAny>, Sums)> {
    let Tensors { device, table, lengths, parts } = tensors;
    let (mut rows, mut places) = (Vec::new(), with_room(lengths.len().saturating_mul(sums))?);
    let mut first = 0;
    for _ in 0..sums {
        for length in &lengths {
            rows.try_extend([0, *length as i64, first as i64, 0])?;
            places.push(first);
            first += length.div_ceil(LEAF);
        }
    }
    let longest = lengths.iter().map(|length| length.div_ceil(LEAF)).max().unwrap_or(0);
    let summed = tables.get(py, device, rows)?;
    let shape = (parts.len(), sums, first / sums, longest);
    let arguments = (device, kernels, (table, summed), shape, scalars, own, beside);
    let (own, array) = backend(py, "measured", arguments)?.extract()?;
    Ok((own, Sums { array, places, parts }))
}

impl Sums {
    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.array)
    }

    /// Adds the sums of each tensor, with the part that it is of. Waits for them.
    pub(in crate::python) fn read(&self, py: Python<'_>, to: &mut SumsOfParts) -> PyResult<()> {
        let read = backend(py, "read_sums", (&self.array, &self.places))?;
        let read: Vec<f64> = read.extract()?;
        for (row, part) in self.parts.iter().enumerate() {
            let mut sums = [0.0; MAX_SUMS];
            let of_this = read.iter().skip(row).step_by(self.parts.len());
            sums.iter_mut().zip(of_this).for_each(|(to, from)| *to = *from);
            to.try_push((*part, sums))?;
        }
        Ok(())
    }
}
