//! The squares of matrices, added up along rows and along columns.

use std::mem::MaybeUninit;

use smallvec::SmallVec;

use super::marginal::{Marginal, Stretch, marginal};
use crate::engine::block::Block;
use crate::engine::gather::Tile;
use crate::engine::leaf::{self, TILE};
use crate::engine::stream::{Stream, next};
use crate::engine::view::View;
use crate::engine::walk::Cursor;
use crate::number::Precision;
use crate::rules::{LANES, LEAF};

/// All matrices of one parameter.
#[derive(Debug)]
pub(super) struct Matrices {
    pub(super) count: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// What adds them up.
#[derive(Debug)]
pub(super) struct Squares {
    pub(super) of: Matrices,
    pub(super) precision: Precision,
    block: Block,
    add: Marginal,
    /// The gradient, and the parameter if it is added to that.
    streams: SmallVec<[Stream; 2]>,
}

/// The sums of a task while threads write them, each those of its own units.
pub(super) struct Places {
    /// Of the leaves of each row.
    pub(super) leaves: *mut f64,
    pub(super) columns: *mut f64,
}

// SAFETY: `add_unit` vouches for it.
unsafe impl Sync for Places {}

impl Matrices {
    /// The leaves of a row.
    pub(super) fn leaves(&self) -> usize {
        self.columns.div_ceil(LEAF)
    }
}

impl Squares {
    /// Of a gradient, and of the parameter if it is added to that.
    pub(super) fn new(
        of: Matrices,
        (block, coupled_decay): (Block, bool),
        [p, g]: [&View; 2],
    ) -> Self {
        let precision = Precision::of(p.format.kind);
        let read: &[&View] = if coupled_decay { &[g, p] } else { &[g] };
        let streams = read.iter().map(|view| Stream::new(view, precision)).collect();
        Squares { of, precision, block, add: marginal(precision, coupled_decay), streams }
    }

    /// Adds up one leaf of each row of a matrix, from the first row to the last: a unit.
    ///
    /// SAFETY: as for `Factors::take`; there is room for all sums, no other thread has this unit, and `R` is
    /// the precision.
    pub(super) unsafe fn add_unit<R: Tile>(&self, unit: usize, places: &Places) {
        let (of, leaves) = (&self.of, self.of.leaves());
        let (matrix, leaf) = (unit / leaves, unit % leaves);
        let (begin, end) = (leaf * LEAF, of.columns.min((leaf + 1) * LEAF));
        let columns = places.columns.wrapping_add(matrix * of.columns);
        let mut tiles = [[const { MaybeUninit::<R>::uninit() }; TILE]; 2];
        let cursors = |row: usize| -> SmallVec<[Cursor<'_>; 2]> {
            self.streams.iter().map(|stream| stream.from(row * of.columns + begin)).collect()
        };
        let first = matrix * of.rows;
        let mut along = cursors(first);
        for row in first..first + of.rows {
            if row > first && leaves > 1 {
                along = cursors(row);
            }
            let (mut lanes, mut at) = ([0.0; LANES], begin);
            while at < end {
                // SAFETY: passed on from the caller; the row has as many elements from here on.
                let ([g, p], len) =
                    unsafe { next(&self.streams, &mut along, &mut tiles, end - at) };
                let stretch = Stretch { g, p, len, columns: columns.wrapping_add(at) };
                // SAFETY: both lie ready in the compute type, the sums of these columns are this
                // thread's, and the tier is one that the CPU has.
                unsafe { (self.add)(&self.block, &stretch, &mut lanes) };
                at += len;
            }
            // SAFETY: passed on from the caller.
            unsafe { *places.leaves.add(row * leaves + leaf) = leaf::fold(lanes) };
        }
    }
}
