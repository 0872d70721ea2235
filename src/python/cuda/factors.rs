//! What is made of the matrices of a launch before what their rule measures: the factors that are its states.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::backend;
use super::measuring::Update;
use super::tables::Tables;
use crate::cuda;
use crate::engine::memory::Grow;
use crate::number::Precision;
use crate::rules::{Averages, LANES, LEAF};

/// The matrices of one tensor, none of which is empty.
#[derive(Clone, Copy)]
pub(super) struct Matrices {
    count: usize,
    rows: usize,
    columns: usize,
}

impl Matrices {
    /// Of this shape, if it has two axes or more.
    pub(super) fn of(shape: &[isize]) -> Option<Self> {
        let [outer @ .., rows, columns] = shape else { return None };
        let [rows, columns] = [*rows, *columns].map(isize::unsigned_abs);
        let count = outer.iter().map(|n| n.unsigned_abs()).product();
        Some(Matrices { count, rows, columns })
    }
}

/// A table of the kernels' `Lines`, with how many lanes and leaves they have, and the most leaves of one.
#[derive(Default)]
struct Lines {
    table: Vec<i64>,
    lanes: usize,
    leaves: usize,
    longest: usize,
}

impl Lines {
    fn of(lines: impl Iterator<Item = (usize, usize)>) -> PyResult<Self> {
        let mut all = Lines::default();
        for (count, length) in lines {
            all.table.try_extend([length, all.lanes, all.leaves].map(|n| n as i64))?;
            let leaves = length.div_ceil(LEAF);
            all.lanes += count * leaves * length.min(LANES);
            all.leaves += count * leaves;
            all.longest = all.longest.max(leaves);
        }
        Ok(all)
    }

    /// The table on the device, and the numbers.
    fn given(
        self,
        py: Python<'_>,
        tables: &mut Tables,
        device: i32,
    ) -> PyResult<(Py<PyAny>, usize, usize, usize)> {
        let Lines { table, lanes, leaves, longest } = self;
        Ok((tables.get(py, device, table)?, lanes, leaves, longest))
    }
}

/// Launches what makes the factors. Returns what the kernels of terms and of the update take of them; no
/// state is written before these.
pub(super) fn make<'py>(
    py: Python<'py>,
    tables: &mut Tables,
    kernels: &Py<PyAny>,
    (device, table, tensors): (i32, &Py<PyAny>, &[Matrices]),
    update: &Update<'py>,
    (averages, precision): (Averages, Precision),
) -> PyResult<Bound<'py, PyTuple>> {
    let (mut matrices, mut rows, mut columns) = (Vec::new(), 0, 0);
    for of in tensors {
        matrices.try_extend([of.rows, of.columns, rows, columns].map(|n| n as i64))?;
        rows += of.count * of.rows;
        columns += of.count * of.columns;
    }
    let along = Lines::of(tensors.iter().map(|of| (of.count * of.rows, of.columns)))?;
    let means = Lines::of(tensors.iter().map(|of| (of.count, of.rows)))?;
    let matrices = tables.get(py, device, matrices)?;
    let (along, means) = (along.given(py, tables, device)?, means.given(py, tables, device)?);
    let shape = (tensors.len(), rows, columns);
    let averages = PyBytes::new(py, &cuda::averages(averages, precision));
    let averages = (averages, precision.kind().name());
    let arguments =
        (device, kernels, (table, matrices), (along, means), shape, update.clone(), averages);
    Ok(backend(py, "factors", arguments)?.cast_into()?)
}
