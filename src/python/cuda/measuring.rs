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

/// A launch's scalars with the clipping factor's address, as they are passed to its kernels.
pub(super) type Update<'py> = (Bound<'py, PyBytes>, usize, usize);

/// These, and the scalars that are not rounded, those of each tensor on the device if they differ, and the
/// bytes that each has for its own.
type Given<'py> = (Update<'py>, (Bound<'py, PyBytes>, Option<Bound<'py, PyAny>>, usize));

/// What is summed, a row for each sum and tensor.
struct Summed {
    table: Py<PyAny>,
    /// The numbers of tensors, of sums, of the leaves of one sum, and of those of the longest tensor.
    shape: (usize, usize, usize, usize),
    /// The first leaf of each row.
    first: Vec<usize>,
}

impl Tensors<'_> {
    fn summed(&self, py: Python<'_>, tables: &mut Tables, sums: usize) -> PyResult<Summed> {
        let lengths = &self.lengths;
        let (mut rows, mut firsts) = (Vec::new(), with_room(lengths.len().saturating_mul(sums))?);
        let mut first = 0;
        for _ in 0..sums {
            for length in lengths {
                rows.try_extend([0, *length as i64, first as i64, 0])?;
                firsts.push(first);
                first += length.div_ceil(LEAF);
            }
        }
        let longest = lengths.iter().map(|length| length.div_ceil(LEAF)).max().unwrap_or(0);
        let table = tables.get(py, self.device, rows)?;
        Ok(Summed { table, shape: (lengths.len(), sums, first / sums, longest), first: firsts })
    }
}

/// Launches what a rule measures of each tensor, `beside` being what its kernels take more. Returns each
/// tensor's scalars, on the device, and the sums.
pub(super) fn take(
    py: Python<'_>,
    tables: &mut Tables,
    kernels: &(Py<PyAny>, Py<PyAny>),
    sums: usize,
    tensors: Tensors<'_>,
    (update, own): Given<'_>,
    beside: &Bound<'_, PyTuple>,
) -> PyResult<(Py<PyAny>, Sums)> {
    let Summed { table, shape, first } = tensors.summed(py, tables, sums)?;
    let arguments = (tensors.device, kernels, (tensors.table, table), shape, update, own, beside);
    let (own, array) = backend(py, "measured", arguments)?.extract()?;
    Ok((own, Sums { array, places: first, parts: tensors.parts }))
}

/// Launches what a rule measures of all tensors together. Returns the sums of leaves, on the device: those of
/// the first sum come first.
pub(super) fn of_leaves(
    py: Python<'_>,
    tables: &mut Tables,
    terms: &Py<PyAny>,
    sums: usize,
    tensors: &Tensors<'_>,
    update: Update<'_>,
) -> PyResult<Py<PyAny>> {
    let Summed { table, shape, .. } = tensors.summed(py, tables, sums)?;
    let arguments = (tensors.device, terms, (tensors.table, table), shape, update);
    Ok(backend(py, "leaf_terms", arguments)?.unbind())
}

/// Adds what `of_leaves` returned to the parts that it is of. Waits for it.
pub(super) fn read_leaves(
    py: Python<'_>,
    of_leaves: &Py<PyAny>,
    lengths: &[usize],
    parts: &[usize],
    by_part: &mut [Vec<[f64; MAX_SUMS]>],
) -> PyResult<()> {
    let read = backend(py, "read_bytes", (of_leaves,))?;
    let (leaves, _) = read.cast::<PyBytes>()?.as_bytes().as_chunks();
    let all: usize = lengths.iter().map(|length| length.div_ceil(LEAF)).sum();
    let mut leaf = 0;
    for (length, part) in lengths.iter().zip(parts) {
        for _ in 0..length.div_ceil(LEAF) {
            let mut sums = [0.0; MAX_SUMS];
            let of_this = leaves.iter().skip(leaf).step_by(all);
            sums.iter_mut().zip(of_this).for_each(|(to, bytes)| *to = f64::from_ne_bytes(*bytes));
            by_part[*part].try_push(sums)?;
            leaf += 1;
        }
    }
    Ok(())
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
