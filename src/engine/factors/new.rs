//! What the states of rows and columns become.

use std::mem::MaybeUninit;

use super::squares::Matrices;
use crate::engine::block::Block;
use crate::engine::control::ControlGuard;
use crate::engine::gather::{Plane, Scatter, Tile, converted};
use crate::engine::layout::Unplanned;
use crate::engine::leaf::{TILE, gather_along, plain_sum};
use crate::engine::measure::fold_leaves;
use crate::engine::memory::{OutOfMemory, with_room};
use crate::engine::view::View;
use crate::engine::walk::{Cursor, in_c_order};
use crate::number::{Format, Precision};
use crate::rules::{Averages, LEAF, averaged, divisor, entering};

/// The new states in the compute type, and those that there are.
#[derive(Debug)]
pub(super) struct New<R> {
    rows: Vec<R>,
    columns: Vec<R>,
    /// Rows by their mean.
    ratios: Vec<R>,
    block: Block,
    averages: Averages,
    /// Of rows and of columns.
    states: [(View, Scatter); 2],
}

pub(super) fn zeros<R: Tile>(count: usize) -> Result<Vec<R>, OutOfMemory> {
    let mut zeros = with_room(count)?;
    zeros.resize(count, R::constant(0.0));
    Ok(zeros)
}

fn stored(precision: Precision, view: &View) -> Result<(View, Scatter), Unplanned> {
    match converted(precision, view.format.kind) {
        (_, Some(scatter)) => Ok((view.clone(), scatter)),
        (_, None) => Err(Unplanned::Unsupported(precision.kind())),
    }
}

impl<R: Tile + Into<f64>> New<R> {
    pub(super) fn with_room(
        of: &Matrices,
        (block, precision): (Block, Precision),
        averages: Averages,
        [rows, columns]: [&View; 2],
    ) -> Result<Self, Unplanned> {
        Ok(New {
            rows: zeros(of.count * of.rows)?,
            columns: zeros(of.count * of.columns)?,
            ratios: zeros(of.count * of.rows)?,
            block,
            averages,
            states: [stored(precision, rows)?, stored(precision, columns)?],
        })
    }

    /// Makes them of the sums of all rows' leaves, and of those of the columns.
    ///
    /// SAFETY: the states' views describe live memory that nobody writes meanwhile.
    pub(super) unsafe fn make(&mut self, of: &Matrices, leaves: &[f64], columns: &[f64]) {
        let Averages { beta2, one_minus_beta2, added, least } = self.averages;
        let (keep, part) = (R::constant(beta2), R::constant(one_minus_beta2));
        let next = |old: R, sum: f64, n: usize| {
            averaged(keep, part, old, R::constant(entering(sum, n as f64, added)))
        };
        // SAFETY: passed on from the caller.
        unsafe {
            read(&self.states[0].0, &mut self.rows);
            read(&self.states[1].0, &mut self.columns);
        }
        for (row, leaves) in self.rows.iter_mut().zip(leaves.chunks_exact(of.leaves())) {
            *row = next(*row, fold_leaves(leaves.iter().copied()), of.columns);
        }
        for (column, sum) in self.columns.iter_mut().zip(columns) {
            *column = next(*column, *sum, of.rows);
        }
        let ratios = self.ratios.chunks_exact_mut(of.rows);
        for (rows, ratios) in self.rows.chunks_exact(of.rows).zip(ratios) {
            let sum = fold_leaves(rows.chunks(LEAF).map(plain_sum));
            let divisor = R::constant(divisor(sum, of.rows as f64, least));
            ratios.iter_mut().zip(rows).for_each(|(ratio, row)| *ratio = *row / divisor);
        }
    }

    /// In C order, but for the axis along which they are the same.
    pub(super) fn views(&self, precision: Precision, parameter: &View) -> [View; 2] {
        let (axes, format) = (parameter.shape.len(), Format::native(precision.kind()));
        [(&self.ratios, axes - 1), (&self.columns, axes - 2)].map(|(of, along)| {
            let mut view = View { format, ..parameter.clone() };
            view.data = of.as_ptr().cast_mut().cast();
            let mut span = format.kind.size() as isize;
            for axis in (0..axes).rev() {
                view.strides[axis] = if axis == along { 0 } else { span };
                span *= if axis == along { 1 } else { view.shape[axis] as isize };
            }
            view
        })
    }

    /// Writes the states, each rounded once.
    ///
    /// SAFETY: their views describe live memory, which nobody else reads or writes.
    pub(super) unsafe fn store(&self) {
        let _control = ControlGuard::new();
        let prelude = self.block.prelude.rounded::<R>();
        for ((view, scatter), new) in self.states.iter().zip([&self.rows, &self.columns]) {
            let axes = in_c_order(view);
            let mut cursor = Cursor::new(&axes, view.data, 0);
            let (mut tile, mut rest) = ([R::constant(0.0); TILE], &new[..]);
            while !rest.is_empty() {
                let (place, stride, n) = cursor.take(TILE.min(rest.len()));
                let (these, others) = rest.split_at(n);
                tile.iter_mut().zip(these).for_each(|(to, x)| *to = prelude.after(*x));
                let (place, line) = (place.cast_mut(), Plane::line(n, stride));
                // SAFETY: passed on from the caller; the cursor has as many before it.
                unsafe { scatter(view.format.swapped, place, &line, tile.as_ptr().cast()) };
                rest = others;
            }
        }
    }
}

/// Reads an array of as many elements.
///
/// SAFETY: its view describes live memory that nobody writes meanwhile.
unsafe fn read<R: Tile>(view: &View, to: &mut [R]) {
    let axes = in_c_order(view);
    let mut cursor = Cursor::new(&axes, view.data, 0);
    // SAFETY: the same elements, which are written and not read.
    let to = unsafe {
        std::slice::from_raw_parts_mut(to.as_mut_ptr().cast::<MaybeUninit<R>>(), to.len())
    };
    // SAFETY: passed on from the caller.
    unsafe { gather_along(view.format, &mut cursor, to) };
}
