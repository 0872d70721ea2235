//! One step over all tensors: what to run on which memory, cut into shares for the threads.

use std::ops::Range;

use smallvec::SmallVec;

use super::block::{ARRAYS, Block, Dense, Loop};
use super::control::ControlGuard;
use super::gather::Tile;
use super::kernel::RuleLoops;
use super::memory::{Grow, OutOfMemory};
use super::tile::Tiled;
use super::view::View;
use super::{tier, work};
use crate::number::{Format, Kind, Kinds, Precision};
use crate::rules::MAX_STATES;

/// Pieces begin at multiples of this many elements, so that vectors and cache lines are rarely cut.
const GRAIN: usize = 64;

#[derive(Debug)]
enum Layout {
    Dense(Loop, Kinds, Dense),
    /// By the place among the plan's tiles.
    TiledF32(usize),
    TiledF64(usize),
}

#[derive(Debug)]
struct Task {
    block: usize,
    /// The place of its first element among the elements of all tasks.
    start: usize,
    len: usize,
    layout: Layout,
}

/// Why a parameter is not planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unplanned {
    /// Its own arrays cannot hold the results: the states of a float64 parameter are float64, and
    /// those of any other parameter are not.
    #[error("a {0:?} parameter has state of another type")]
    Unsupported(Kind),
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

/// A parameter and its states, dense, aligned, native, with equal strides in elements, and the
/// loops beside one type of gradient: found once, run at each step.
#[derive(Debug)]
pub struct DenseTask {
    run: Loop,
    /// The tier that the loop is of.
    tier: usize,
    kinds: Kinds,
    /// Without a gradient.
    dense: Dense,
    bytes: usize,
}

// SAFETY: the pointers are the only members that are not Send or Sync, and they are not read
// through before `push_dense`, whose caller vouches for the memory.
unsafe impl Send for DenseTask {}
// SAFETY: as above.
unsafe impl Sync for DenseTask {}

impl DenseTask {
    /// None if these kinds have no loop of their own.
    pub fn new(
        kernel: RuleLoops,
        coupled_decay: bool,
        kinds: Kinds,
        p: *mut u8,
        states: impl Iterator<Item = *mut u8>,
        len: usize,
    ) -> Option<Self> {
        let (run, tier) = (kernel.select(kinds, coupled_decay)?, tier::index());
        let mut pointers = [std::ptr::null_mut(); MAX_STATES];
        for (pointer, state) in pointers.iter_mut().zip(states) {
            *pointer = state;
        }
        let bytes = traffic(kinds.p.size(), kinds.g.size(), kernel.states() * kinds.state.size());
        let dense = Dense { p, g: std::ptr::null(), states: pointers, len };
        Some(DenseTask { run, tier, kinds, dense, bytes })
    }

    /// Whether it still is what runs beside a gradient of this type.
    pub fn fits(&self, gradient: Kind) -> bool {
        self.kinds.g == gradient && self.tier == tier::index()
    }
}

#[derive(Debug, Default)]
pub struct Plan {
    tasks: Vec<Task>,
    tiled_f32: Vec<Tiled<f32>>,
    tiled_f64: Vec<Tiled<f64>>,
    blocks: Vec<Block>,
    elements: usize,
    bytes: usize,
}

// SAFETY: the pointers are the only members that are not Send or Sync; `push` makes the caller
// vouch for the memory until `run` returns, and `run` gives each thread elements of its own.
unsafe impl Send for Plan {}
// SAFETY: as above.
unsafe impl Sync for Plan {}

/// Whether the arrays (parameter, gradient, states) can be run in place in memory order: aligned,
/// in the machine's byte order, without gaps, with equal strides in elements, and the states of one
/// kind.
pub fn is_dense(views: &[&View]) -> bool {
    let Some(p) = views.first() else { return false };
    let in_place = |view: &&View| {
        view.format == Format::native(view.format.kind) && view.is_aligned() && view.same_strides(p)
    };
    kinds(views).is_some() && p.fills_extent() && views.iter().all(in_place)
}

/// How the arrays are stored; None if the states' kinds differ.
fn kinds(views: &[&View]) -> Option<Kinds> {
    Kinds::of(views.iter().map(|view| view.format.kind))
}

impl Plan {
    pub fn new() -> Self {
        Plan::default()
    }

    pub fn clear(&mut self) {
        self.tasks.clear();
        self.tiled_f32.clear();
        self.tiled_f64.clear();
        self.blocks.clear();
        self.elements = 0;
        self.bytes = 0;
    }

    /// Adds the scalars that tasks refer to by the index returned.
    pub fn block(&mut self, block: Block) -> Result<usize, OutOfMemory> {
        self.blocks.try_push(block)?;
        Ok(self.blocks.len() - 1)
    }

    /// Gives tasks other scalars.
    pub fn replace_block(&mut self, index: usize, block: Block) {
        self.blocks[index] = block;
    }

    /// The bytes that the step will read and write.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds one parameter in any layout.
    ///
    /// # Safety
    /// The views have one shape, describe live memory, and nothing that is written (parameter
    /// and states) overlaps anything else, until `run` has returned. `states` are as many as the
    /// kernel's.
    pub unsafe fn push(
        &mut self,
        kernel: RuleLoops,
        coupled_decay: bool,
        block: usize,
        p: &View,
        g: &View,
        states: &[View],
    ) -> Result<(), Unplanned> {
        let views: SmallVec<[&View; ARRAYS]> = [p, g].into_iter().chain(states).collect();
        let len = p.len();
        let dense = kinds(&views).filter(|_| is_dense(&views));
        let layout =
            match dense.and_then(|kinds| Some((kinds, kernel.select(kinds, coupled_decay)?))) {
                Some((kinds, run)) => {
                    let mut pointers = [std::ptr::null_mut(); MAX_STATES];
                    for (pointer, state) in pointers.iter_mut().zip(states) {
                        *pointer = state.lowest();
                    }
                    let dense = Dense { p: p.lowest(), g: g.lowest(), states: pointers, len };
                    Layout::Dense(run, kinds, dense)
                }
                None => self.tiled(kernel, coupled_decay, &views)?,
            };
        let sizes = states.iter().map(|state| state.format.kind.size());
        let bytes = traffic(p.format.kind.size(), g.format.kind.size(), sizes.sum());
        Ok(self.task(block, layout, len, bytes)?)
    }

    /// Adds a parameter that was prepared, with this step's gradient.
    ///
    /// # Safety
    /// As for `push`; the pointers are the lowest addresses of that many elements each.
    pub unsafe fn push_dense(
        &mut self,
        prepared: &DenseTask,
        block: usize,
        g: *const u8,
    ) -> Result<(), OutOfMemory> {
        let DenseTask { run, kinds, dense, bytes, .. } = prepared;
        self.task(block, Layout::Dense(*run, *kinds, Dense { g, ..*dense }), dense.len, *bytes)
    }

    /// Arrays that cannot be run in place.
    fn tiled(
        &mut self,
        kernel: RuleLoops,
        coupled_decay: bool,
        views: &[&View],
    ) -> Result<Layout, Unplanned> {
        Ok(match Precision::of(views[0].format.kind) {
            Precision::F32 => {
                Layout::TiledF32(place(&mut self.tiled_f32, kernel, coupled_decay, views)?)
            }
            Precision::F64 => {
                Layout::TiledF64(place(&mut self.tiled_f64, kernel, coupled_decay, views)?)
            }
        })
    }

    /// `bytes` are those of an element.
    fn task(
        &mut self,
        block: usize,
        layout: Layout,
        len: usize,
        bytes: usize,
    ) -> Result<(), OutOfMemory> {
        if len > 0 {
            self.tasks.try_push(Task { block, start: self.elements, len, layout })?;
            self.elements += len;
            self.bytes += len * bytes;
        }
        Ok(())
    }

    /// Runs all tasks on up to `threads` threads. The result does not depend on their number.
    ///
    /// # Safety
    /// What was promised at each `push` still holds.
    pub unsafe fn run(&self, threads: usize) {
        let units = self.elements.div_ceil(GRAIN);
        work::run(units, self.bytes, threads, |units| {
            let _control = ControlGuard::new();
            let elements = units.start * GRAIN..(units.end * GRAIN).min(self.elements);
            // SAFETY: the ranges are disjoint; the rest is the caller's promise.
            unsafe { self.run_range(elements) };
        });
    }

    /// One piece, which fits the cache. What a task does before and after its loop, while its elements
    /// are there (a copy to a new array, a difference added up, a rounded copy), attaches here.
    ///
    /// SAFETY: as for `run`, and no other thread has elements of this range.
    unsafe fn run_range(&self, range: Range<usize>) {
        let first = self.tasks.partition_point(|task| task.start + task.len <= range.start);
        for task in &self.tasks[first..] {
            if task.start >= range.end {
                break;
            }
            let begin = range.start.max(task.start) - task.start;
            let end = range.end.min(task.start + task.len) - task.start;
            let block = &self.blocks[task.block];
            // SAFETY: parts lie inside the arrays, whose length is `len`; loops and tiles read and
            // write elements of this range only.
            unsafe {
                match &task.layout {
                    Layout::Dense(run, kinds, dense) => run(block, &dense.part(*kinds, begin..end)),
                    Layout::TiledF32(place) => self.tiled_f32[*place].run(block, begin..end),
                    Layout::TiledF64(place) => self.tiled_f64[*place].run(block, begin..end),
                }
            }
        }
    }
}

/// Adds a tile over the views, and returns its place.
fn place<R: Tile>(
    tiles: &mut Vec<Tiled<R>>,
    kernel: RuleLoops,
    coupled_decay: bool,
    views: &[&View],
) -> Result<usize, Unplanned> {
    let tiled = Tiled::new(kernel, coupled_decay, views)?;
    tiles.try_push(tiled.ok_or(Unplanned::Unsupported(views[0].format.kind))?)?;
    Ok(tiles.len() - 1)
}

/// Bytes per element: all are read, and all but the gradient written.
fn traffic(p: usize, g: usize, states: usize) -> usize {
    2 * p + g + 2 * states
}

#[cfg(test)]
mod tests;
