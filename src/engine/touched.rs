//! Rows of a parameter and of its states, beside a gradient that has these rows alone: each is run as
//! an array of its own.

use std::ops::Range;

use smallvec::SmallVec;

use super::block::{ARRAYS, Block, Dense, Loop};
use super::gather::prefetch;
use super::kernel::RuleLoops;
use super::layout::{Unplanned, in_place, rows_are_dense};
use super::tile::Tiled;
use super::view::View;
use crate::number::{Kind, Kinds};

/// So many rows ahead memory is asked for: nobody can foresee where they lie.
const AHEAD: usize = 16;

/// Bytes of such a row; within it the CPU foresees the rest.
const BEGINNING: usize = 256;

/// What runs a row, as the first one lies.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // in no box of its own, which cannot say that there is no memory
enum Row {
    Dense(Loop, Kinds, Dense),
    Tiled(Tiled),
}

#[derive(Debug)]
pub(super) struct Touched {
    /// Ascending, none twice.
    rows: *const [usize],
    row: Row,
    /// Elements of a row.
    len: usize,
    states: usize,
    /// By array (parameter, gradient, states), from one row to the next, in bytes.
    strides: [isize; ARRAYS],
}

impl Touched {
    /// Of arrays in the order parameter, gradient, states; the gradient has these rows alone.
    pub(super) fn new(
        kernel: RuleLoops,
        coupled_decay: bool,
        tier: usize,
        rows: &[usize],
        views: &[&View],
    ) -> Result<Self, Unplanned> {
        let each: SmallVec<[View; ARRAYS]> = views.iter().map(|view| view.row()).collect();
        let each: SmallVec<[&View; ARRAYS]> = each.iter().collect();
        let dense = rows_are_dense(views);
        let row = match in_place(kernel, coupled_decay, tier, &each).filter(|_| dense) {
            Some((run, kinds, dense)) => Row::Dense(run, kinds, dense),
            None => Row::Tiled(Tiled::new(kernel, coupled_decay, tier, &each, false)?),
        };
        let mut strides = [0; ARRAYS];
        for (stride, view) in strides.iter_mut().zip(views) {
            *stride = view.to_next_row();
        }
        Ok(Touched { rows, row, len: each[0].len(), states: views.len() - 2, strides })
    }

    /// Runs elements of the rows, which are counted through.
    ///
    /// SAFETY: the list is still where it was, the arrays are live and nothing written is aliased; no
    /// other thread has elements of this range.
    pub(super) unsafe fn run(&self, block: &Block, range: Range<usize>) {
        // SAFETY: passed on from the caller.
        let rows = unsafe { &*self.rows };
        for number in range.start / self.len..range.end.div_ceil(self.len) {
            let first = number * self.len;
            let part = range.start.saturating_sub(first)..self.len.min(range.end - first);
            let mut origin = self.strides.map(|stride| stride * rows[number] as isize);
            origin[1] = self.strides[1] * number as isize;
            // SAFETY: passed on from the caller.
            unsafe {
                match &self.row {
                    Row::Dense(run, kinds, dense) => {
                        if let Some(row) = rows.get(number + AHEAD) {
                            self.ask_for(*kinds, dense, *row);
                        }
                        run(block, &dense.moved(&origin).part(*kinds, part));
                    }
                    Row::Tiled(tiled) => tiled.run(block, &origin, part),
                }
            }
        }
    }

    /// Asks for what is written of a row.
    fn ask_for(&self, kinds: Kinds, first: &Dense, row: usize) {
        let ask = |data: *mut u8, stride: isize, kind: Kind| {
            let data = data.wrapping_offset(stride * row as isize);
            let bytes = BEGINNING.min(self.len * kind.size());
            (0..bytes).step_by(64).for_each(|line| prefetch(data.wrapping_add(line)));
        };
        ask(first.p, self.strides[0], kinds.p);
        for (state, stride) in first.states.iter().zip(&self.strides[2..]).take(self.states) {
            ask(*state, *stride, kinds.state);
        }
    }
}
