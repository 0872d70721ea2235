//! The factors of matrices: what the states of rows and columns become, on any number of threads. New ones
//! are kept in memory of their own until the step is sure.
//!
//! Squares are widened to float64 first. A row's sum has the shape of `rules/measure.rs`; a column's is
//! that of its rows in ascending order, from +0.0.

use std::mem::MaybeUninit;

use smallvec::SmallVec;

use super::block::Block;
use super::control::ControlGuard;
use super::gather::{Plane, Scatter, Tile, converted};
use super::layout::Unplanned;
use super::leaf::{self, TILE};
use super::marginal::{Marginal, Stretch, marginal};
use super::measure::fold_leaves;
use super::memory::{Grow, OutOfMemory, with_room};
use super::stream::{Stream, next};
use super::view::View;
use super::walk::{Cursor, in_c_order};
use super::work;
use crate::number::{Format, Precision};
use crate::rules::{Averages, LANES, LEAF};

/// All matrices of one parameter, with the states that they have.
#[derive(Debug)]
struct Matrices {
    add: Marginal,
    block: Block,
    averages: Averages,
    /// The gradient, and the parameter if it is added to that.
    streams: SmallVec<[Stream; 2]>,
    count: usize,
    rows: usize,
    columns: usize,
    /// Of rows and of columns.
    states: [(View, Scatter); 2],
}

// SAFETY: the pointers are the only members that are not Send or Sync; gradients and parameters are only
// read through, by `take`, states by `take` and `store`, whose callers vouch for the memory.
unsafe impl Send for Matrices {}
// SAFETY: as above.
unsafe impl Sync for Matrices {}

/// What their states become, in the compute type.
#[derive(Debug)]
struct New<R> {
    rows: Vec<R>,
    columns: Vec<R>,
    /// Rows by their mean.
    ratios: Vec<R>,
}

#[derive(Debug)]
enum Either {
    F32(New<f32>),
    F64(New<f64>),
}

/// Parameters with factors, each with its number, ascending.
#[derive(Debug, Default)]
pub struct Factors {
    tasks: Vec<(usize, Matrices, Either)>,
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
        let count = outer.iter().product();
        let stored = |view: &View| match converted(precision, view.format.kind) {
            (_, Some(scatter)) => Ok((view.clone(), scatter)),
            (_, None) => Err(Unplanned::Unsupported(p.format.kind)),
        };
        let read: &[&View] = if coupled_decay { &[g, p] } else { &[g] };
        let matrices = Matrices {
            add: marginal(precision, coupled_decay),
            block,
            averages,
            streams: read.iter().map(|view| Stream::new(view, precision)).collect(),
            count,
            rows: *rows,
            columns: *columns,
            states: [stored(states[0])?, stored(states[1])?],
        };
        let new = match precision {
            Precision::F32 => Either::F32(New::new(count * rows, count * columns)?),
            Precision::F64 => Either::F64(New::new(count * rows, count * columns)?),
        };
        let size: usize = read.iter().map(|view| view.format.kind.size()).sum();
        self.bytes = self.bytes.saturating_add(p.len().saturating_mul(size));
        Ok(self.tasks.try_push((number, matrices, new))?)
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
        for (_, matrices, new) in &mut self.tasks {
            // SAFETY: passed on from the caller.
            unsafe {
                match new {
                    Either::F32(new) => matrices.take(new, threads)?,
                    Either::F64(new) => matrices.take(new, threads)?,
                }
            }
        }
        Ok(())
    }

    /// What was made under this number: `r` and `c`, in the shape of the parameter. They may be read as long
    /// as these live.
    pub fn of(&self, number: usize, parameter: &View) -> Option<[View; 2]> {
        let place = self.tasks.binary_search_by_key(&number, |(of, ..)| *of).ok()?;
        Some(match &self.tasks[place].2 {
            Either::F32(new) => new.views(Precision::F32, parameter),
            Either::F64(new) => new.views(Precision::F64, parameter),
        })
    }

    /// Writes the new states.
    ///
    /// # Safety
    /// They are what their views say, and nobody else reads or writes them.
    pub unsafe fn store(&self) {
        for (_, matrices, new) in &self.tasks {
            // SAFETY: passed on from the caller.
            unsafe {
                match new {
                    Either::F32(new) => matrices.store(new),
                    Either::F64(new) => matrices.store(new),
                }
            }
        }
    }
}

fn zeros<R: Tile>(count: usize) -> Result<Vec<R>, OutOfMemory> {
    let mut zeros = with_room(count)?;
    zeros.resize(count, R::constant(0.0));
    Ok(zeros)
}

impl<R: Tile> New<R> {
    fn new(rows: usize, columns: usize) -> Result<Self, OutOfMemory> {
        Ok(New { rows: zeros(rows)?, columns: zeros(columns)?, ratios: zeros(rows)? })
    }

    /// In C order, but for the axis along which they are the same.
    fn views(&self, precision: Precision, parameter: &View) -> [View; 2] {
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
}

/// Sums while threads write them, each those of its own units.
struct Places {
    leaves: *mut f64,
    columns: *mut f64,
}

// SAFETY: `add_unit` vouches for it.
unsafe impl Sync for Places {}

impl Matrices {
    /// The leaves of a row.
    fn leaves(&self) -> usize {
        self.columns.div_ceil(LEAF)
    }

    /// Adds up all squares, and makes the new states of the sums.
    ///
    /// SAFETY: as for `Factors::take`, and `R` is the precision.
    unsafe fn take<R: Tile + Into<f64>>(
        &self,
        new: &mut New<R>,
        threads: usize,
    ) -> Result<(), OutOfMemory> {
        let mut leaves = zeros::<f64>(new.rows.len() * self.leaves())?;
        let mut columns = zeros::<f64>(new.columns.len())?;
        let places = Places { leaves: leaves.as_mut_ptr(), columns: columns.as_mut_ptr() };
        let bytes = new.rows.len() * self.columns * size_of::<R>();
        work::run(self.count * self.leaves(), bytes, threads, |units| {
            let (_control, places) = (ControlGuard::new(), &places);
            // SAFETY: passed on from the caller; this thread alone has these units.
            units.for_each(|unit| unsafe { self.add_unit::<R>(unit, places) });
        });
        // SAFETY: passed on from the caller.
        unsafe { self.finish(new, &leaves, &columns) };
        Ok(())
    }

    /// Adds up one leaf of each row of a matrix, from the first row to the last.
    ///
    /// SAFETY: as for `take`; there is room for all sums, and no other thread has this unit.
    unsafe fn add_unit<R: Tile>(&self, unit: usize, places: &Places) {
        let (matrix, leaf) = (unit / self.leaves(), unit % self.leaves());
        let (begin, end) = (leaf * LEAF, self.columns.min((leaf + 1) * LEAF));
        let columns = places.columns.wrapping_add(matrix * self.columns);
        let mut tiles = [[const { MaybeUninit::<R>::uninit() }; TILE]; 2];
        let cursors = |row: usize| -> SmallVec<[Cursor<'_>; 2]> {
            let first = row * self.columns + begin;
            self.streams.iter().map(|stream| stream.from(first)).collect()
        };
        let first = matrix * self.rows;
        let mut along = cursors(first);
        for row in first..first + self.rows {
            if row > first && self.leaves() > 1 {
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
            unsafe { *places.leaves.add(row * self.leaves() + leaf) = leaf::fold(lanes) };
        }
    }

    /// SAFETY: as for `take`.
    unsafe fn finish<R: Tile + Into<f64>>(
        &self,
        new: &mut New<R>,
        leaves: &[f64],
        columns: &[f64],
    ) {
        let Averages { keep, part, added, least } = self.averages;
        let (keep, part) = (R::constant(keep), R::constant(part));
        let next =
            |old: R, sum: f64, of: usize| keep * old + part * R::constant(sum / of as f64 + added);
        // SAFETY: passed on from the caller.
        unsafe {
            read(&self.states[0].0, &mut new.rows);
            read(&self.states[1].0, &mut new.columns);
        }
        for (row, leaves) in new.rows.iter_mut().zip(leaves.chunks_exact(self.leaves())) {
            *row = next(*row, fold_leaves(leaves.iter().copied()), self.columns);
        }
        for (column, sum) in new.columns.iter_mut().zip(columns) {
            *column = next(*column, *sum, self.rows);
        }
        let ratios = new.ratios.chunks_exact_mut(self.rows);
        for (rows, ratios) in new.rows.chunks_exact(self.rows).zip(ratios) {
            let mean = fold_leaves(rows.chunks(LEAF).map(leaf::plain_sum)) / self.rows as f64;
            let mean = R::constant(if mean < least { least } else { mean });
            ratios.iter_mut().zip(rows).for_each(|(ratio, row)| *ratio = *row / mean);
        }
    }

    /// SAFETY: as for `Factors::store`, and `R` is the precision.
    unsafe fn store<R: Tile>(&self, new: &New<R>) {
        let _control = ControlGuard::new();
        let prelude = self.block.prelude.rounded::<R>();
        for ((view, scatter), new) in self.states.iter().zip([&new.rows, &new.columns]) {
            let axes = in_c_order(view);
            let (mut cursor, mut tile) =
                (Cursor::new(&axes, view.data, 0), [R::constant(0.0); TILE]);
            let mut rest = &new[..];
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
    let (axes, gather) = (in_c_order(view), R::gather(view.format.kind));
    let (mut cursor, mut rest) = (Cursor::new(&axes, view.data, 0), to);
    while !rest.is_empty() {
        let (place, stride, n) = cursor.take(rest.len());
        let (these, others) = rest.split_at_mut(n);
        let line = Plane::line(n, stride);
        // SAFETY: passed on from the caller; the cursor has as many before it.
        unsafe { gather(view.format.swapped, place, &line, these.as_mut_ptr().cast()) };
        rest = others;
    }
}
