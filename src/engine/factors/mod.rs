//! The factors of matrices: what the states of rows and columns become, on any number of threads. New ones
//! are kept in memory of their own until the step is sure.
//!
//! Squares are widened to float64 first. A row's sum has the shape of `rules/measure.rs`; a column's is
//! that of its rows in ascending order, from +0.0.

mod marginal;
mod new;

use std::mem::MaybeUninit;

use smallvec::SmallVec;

use super::block::Block;
use super::control::ControlGuard;
use super::gather::Tile;
use super::layout::Unplanned;
use super::leaf::{self, TILE};
use super::memory::{Grow, OutOfMemory, with_room};
use super::stream::{Stream, next};
use super::view::View;
use super::walk::Cursor;
use super::work;
use crate::number::Precision;
use crate::rules::{Averages, LANES, LEAF};
use marginal::{Marginal, Stretch, marginal};
use new::{New, zeros};

/// All matrices of one parameter.
#[derive(Debug)]
struct Matrices {
    count: usize,
    rows: usize,
    columns: usize,
}

/// What adds them up.
#[derive(Debug)]
struct Squares {
    of: Matrices,
    precision: Precision,
    block: Block,
    add: Marginal,
    /// The gradient, and the parameter if it is added to that.
    streams: SmallVec<[Stream; 2]>,
}

#[derive(Debug)]
enum Either {
    F32(New<f32>),
    F64(New<f64>),
}

#[derive(Debug)]
struct Task {
    number: usize,
    squares: Squares,
    new: Either,
}

// SAFETY: the pointers are the only members that are not Send or Sync; gradients and parameters are only
// read through, by `Factors::take`, states by that and `store`, whose callers vouch for the memory.
unsafe impl Send for Task {}
// SAFETY: as above.
unsafe impl Sync for Task {}

/// Parameters with factors, each with its number, ascending.
#[derive(Debug, Default)]
pub struct Factors {
    tasks: Vec<Task>,
    /// By task, the number of units up to its end.
    ends: Vec<usize>,
    bytes: usize,
}

/// The sums of a task while threads write them, each those of its own units.
struct Places {
    /// Of the leaves of each row.
    leaves: *mut f64,
    columns: *mut f64,
}

// SAFETY: `add_unit` vouches for it.
unsafe impl Sync for Places {}

impl Factors {
    /// Adds a parameter of two axes or more, under a number larger than the last one's: with its gradient
    /// and its states of rows and of columns. One without elements has no means, and its states stay.
    pub fn push(
        &mut self,
        number: usize,
        (block, coupled_decay): (Block, bool),
        averages: Averages,
        [p, g]: [&View; 2],
        states: [&View; 2],
    ) -> Result<(), Unplanned> {
        let precision = Precision::of(p.format.kind);
        let [outer @ .., rows, columns] = &p.shape[..] else { return Ok(()) };
        if p.is_empty() {
            return Ok(());
        }
        let of = Matrices { count: outer.iter().product(), rows: *rows, columns: *columns };
        let new = match precision {
            Precision::F32 => Either::F32(New::new(&of, (block, precision), averages, states)?),
            Precision::F64 => Either::F64(New::new(&of, (block, precision), averages, states)?),
        };
        let read: &[&View] = if coupled_decay { &[g, p] } else { &[g] };
        let size: usize = read.iter().map(|view| view.format.kind.size()).sum();
        let end = self.ends.last().copied().unwrap_or(0).checked_add(of.count * of.leaves());
        let squares = Squares {
            of,
            precision,
            block,
            add: marginal(precision, coupled_decay),
            streams: read.iter().map(|view| Stream::new(view, precision)).collect(),
        };
        self.ends.try_push(end.ok_or(OutOfMemory)?)?;
        self.tasks.try_push(Task { number, squares, new })?;
        self.bytes = self.bytes.saturating_add(p.len().saturating_mul(size));
        Ok(())
    }

    /// The bytes that will be read.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes the new factors. They do not depend on the number of threads.
    ///
    /// # Safety
    /// The views describe live memory that nobody writes meanwhile.
    pub unsafe fn take(&mut self, threads: usize) -> Result<(), OutOfMemory> {
        let _control = ControlGuard::new();
        let (mut sums, mut places) = (with_room(self.tasks.len())?, with_room(self.tasks.len())?);
        for Task { squares: Squares { of, .. }, .. } in &self.tasks {
            let leaves = zeros::<f64>(of.count * of.rows * of.leaves())?;
            sums.push((leaves, zeros::<f64>(of.count * of.columns)?));
        }
        for (leaves, columns) in &mut sums {
            places.push(Places { leaves: leaves.as_mut_ptr(), columns: columns.as_mut_ptr() });
        }
        let count = self.ends.last().copied().unwrap_or(0);
        work::run(count, self.bytes, threads, |units| {
            let _control = ControlGuard::new();
            for unit in units {
                let task = self.ends.partition_point(|end| *end <= unit);
                let first = if task == 0 { 0 } else { self.ends[task - 1] };
                let (squares, places) = (&self.tasks[task].squares, &places[task]);
                // SAFETY: passed on from the caller; there is room for the sums of all units, and this
                // thread alone has this one.
                unsafe {
                    match squares.precision {
                        Precision::F32 => squares.add_unit::<f32>(unit - first, places),
                        Precision::F64 => squares.add_unit::<f64>(unit - first, places),
                    }
                }
            }
        });
        for (Task { squares, new, .. }, (leaves, columns)) in self.tasks.iter_mut().zip(&sums) {
            // SAFETY: passed on from the caller.
            unsafe {
                match new {
                    Either::F32(new) => new.make(&squares.of, leaves, columns),
                    Either::F64(new) => new.make(&squares.of, leaves, columns),
                }
            }
        }
        Ok(())
    }

    /// What was made under this number: `r` and `c`, in the shape of the parameter. They may be read as long
    /// as these live.
    pub fn of(&self, number: usize, parameter: &View) -> Option<[View; 2]> {
        let place = self.tasks.binary_search_by_key(&number, |task| task.number).ok()?;
        Some(match &self.tasks[place].new {
            Either::F32(new) => new.views(Precision::F32, parameter),
            Either::F64(new) => new.views(Precision::F64, parameter),
        })
    }

    /// Writes the new states.
    ///
    /// # Safety
    /// They are what their views say, and nobody else reads or writes them.
    pub unsafe fn store(&self) {
        for Task { new, .. } in &self.tasks {
            // SAFETY: passed on from the caller.
            unsafe {
                match new {
                    Either::F32(new) => new.store(),
                    Either::F64(new) => new.store(),
                }
            }
        }
    }
}

impl Matrices {
    /// The leaves of a row.
    fn leaves(&self) -> usize {
        self.columns.div_ceil(LEAF)
    }
}

impl Squares {
    /// Adds up one leaf of each row of a matrix, from the first row to the last: a unit.
    ///
    /// SAFETY: as for `Factors::take`; there is room for all sums, no other thread has this unit, and `R` is
    /// the precision.
    unsafe fn add_unit<R: Tile>(&self, unit: usize, places: &Places) {
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
