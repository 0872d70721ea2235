//! The sums that rules take over whole tensors before anything is written, on any number of threads, in
//! the order of `rules/measure.rs`.

use std::mem::MaybeUninit;

use smallvec::SmallVec;

use super::block::{ARRAYS, Block, Dense};
use super::control::ControlGuard;
use super::gather::Tile;
use super::leaf::{self, Accumulators, TILE};
use super::measure::{Leaves, Places, fold_leaves};
use super::memory::{Grow, OutOfMemory, with_room};
use super::stream::{Stream, next};
use super::terms::{MeasuringLoops, Terms};
use super::view::View;
use super::walk::Cursor;
use super::work;
use crate::number::Precision;
use crate::rules::{LANES, LEAF, MAX_SUMS};

/// A parameter with its gradient and states.
#[derive(Debug)]
struct Task {
    terms: Terms,
    block: Block,
    precision: Precision,
    /// Those that the terms hang on, the gradient among them.
    streams: SmallVec<[Stream; ARRAYS]>,
    /// By array, its stream; of an array that is not read, any.
    places: [usize; ARRAYS],
    len: usize,
}

/// Parameters whose rules measure.
#[derive(Debug, Default)]
pub struct Sums {
    tasks: Vec<Task>,
    /// By task, the number of leaves up to its end.
    ends: Vec<usize>,
    bytes: usize,
}

// SAFETY: the pointers are the only members that are not Send or Sync, and they are only read through,
// by `take`, whose caller vouches for the memory.
unsafe impl Send for Sums {}
// SAFETY: as above.
unsafe impl Sync for Sums {}

impl Sums {
    /// Adds a parameter: itself, its gradient and its states, of one shape.
    pub fn push(
        &mut self,
        loops: MeasuringLoops,
        coupled_decay: bool,
        block: Block,
        views: &[&View],
    ) -> Result<(), OutOfMemory> {
        let (precision, len) = (Precision::of(views[0].format.kind), views[0].len());
        let (reads, mut places) = (loops.reads(coupled_decay), [0; ARRAYS]);
        let mut streams: SmallVec<[Stream; ARRAYS]> = SmallVec::new();
        let mut size = 0;
        for (array, view) in views.iter().enumerate().filter(|(array, _)| reads[*array]) {
            places[array] = streams.len();
            size += view.format.kind.size();
            streams.push(Stream::new(view, precision));
        }
        let leaves = len.div_ceil(LEAF);
        let end = self.ends.last().map_or(Some(leaves), |end| end.checked_add(leaves));
        self.ends.try_push(end.ok_or(OutOfMemory)?)?;
        self.bytes = self.bytes.saturating_add(len.saturating_mul(size));
        let terms = loops.select(precision, coupled_decay);
        self.tasks.try_push(Task { terms, block, precision, streams, places, len })
    }

    /// The bytes that will be read.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The sums of the leaves of each parameter. They do not depend on the number of threads.
    ///
    /// # Safety
    /// The views describe live memory that nobody writes meanwhile.
    pub unsafe fn take(self, threads: usize) -> Result<Leaves<[f64; MAX_SUMS]>, OutOfMemory> {
        let this = &self; // whole, since it is this that threads may share
        let count = this.ends.last().copied().unwrap_or(0);
        let mut leaves = with_room(count)?;
        leaves.resize(count, [0.0; MAX_SUMS]);
        let places = Places(leaves.as_mut_ptr());
        work::run(count, self.bytes, threads, |numbers| {
            let _control = ControlGuard::new();
            for number in numbers {
                let task = this.ends.partition_point(|end| *end <= number);
                let first = if task == 0 { 0 } else { this.ends[task - 1] };
                // SAFETY: passed on from the caller; this thread alone has this leaf.
                unsafe { places.set(number, this.tasks[task].leaf(number - first)) };
            }
        });
        Ok(Leaves { sums: leaves, ends: self.ends })
    }
}

/// The sums of leaves, folded.
pub fn fold_sums<'a>(leaves: impl Iterator<Item = &'a [f64; MAX_SUMS]> + Clone) -> [f64; MAX_SUMS] {
    std::array::from_fn(|m| fold_leaves(leaves.clone().map(|leaf| leaf[m])))
}

impl Task {
    /// SAFETY: as for `Sums::take`; there is a leaf of this number.
    unsafe fn leaf(&self, number: usize) -> [f64; MAX_SUMS] {
        // SAFETY: passed on from the caller.
        let sums = unsafe {
            match self.precision {
                Precision::F32 => self.accumulate::<f32>(number),
                Precision::F64 => self.accumulate::<f64>(number),
            }
        };
        sums.map(leaf::fold)
    }

    /// SAFETY: as for `leaf`, and `R` is the precision.
    unsafe fn accumulate<R: Tile>(&self, number: usize) -> [Accumulators; MAX_SUMS] {
        let mut sums = [[0.0; LANES]; MAX_SUMS];
        let (begin, end) = (number * LEAF, self.len.min((number + 1) * LEAF));
        let mut cursors: SmallVec<[Cursor<'_>; ARRAYS]> =
            self.streams.iter().map(|stream| stream.from(begin)).collect();
        let mut tiles = [[const { MaybeUninit::<R>::uninit() }; TILE]; ARRAYS];
        let mut at = begin;
        while at < end {
            // SAFETY: passed on from the caller.
            let (ready, len) = unsafe { next(&self.streams, &mut cursors, &mut tiles, end - at) };
            let [p, g, states @ ..] = self.places.map(|stream| ready[stream]);
            let arrays =
                Dense { p: p.cast_mut(), g, states: states.map(<*const u8>::cast_mut), len };
            // SAFETY: all lie ready in the compute type, aligned; what is not read is another array of as
            // many elements. The tier is one that the CPU has.
            unsafe { (self.terms)(&self.block, &arrays, &mut sums) };
            at += len;
        }
        sums
    }
}
