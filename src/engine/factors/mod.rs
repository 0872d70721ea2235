//! The factors of matrices: what the states of rows and columns become, on any number of threads. New ones
//! are kept in memory of their own until the step is sure.
//!
//! Squares are widened to float64 first. A row's sum has the shape of `rules/measure.rs`; a column's is
//! that of its rows in ascending order, from +0.0.

mod marginal;
mod new;
mod squares;

use super::block::Block;
use super::control::ControlGuard;
use super::layout::Unplanned;
use super::memory::{Grow, OutOfMemory, with_room};
use super::view::View;
use super::work;
use crate::number::Precision;
use crate::rules::Averages;
use new::{New, zeros};
use squares::{Matrices, Places, Squares};

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
            Precision::F32 => {
                Either::F32(New::with_room(&of, (block, precision), averages, states)?)
            }
            Precision::F64 => {
                Either::F64(New::with_room(&of, (block, precision), averages, states)?)
            }
        };
        let size = g.format.kind.size() + if coupled_decay { p.format.kind.size() } else { 0 };
        let end = self.ends.last().copied().unwrap_or(0).checked_add(of.count * of.leaves());
        let squares = Squares::new(of, (block, coupled_decay), [p, g]);
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
