//! One step over all tensors: what to run on which memory, cut into shares for the threads.

use std::ops::Range;

use super::kernel::{Block, Dense, Kernel, Loop, Precision};
use super::tile::Tiled;
use super::{ControlGuard, View, threads};
use crate::number::{Format, Kind};
use crate::rules::MAX_STATES;

/// Below this traffic a step is over before a second thread has woken.
pub(super) const PARALLEL_BYTES: usize = 512 * 1024;
/// Shares begin at multiples of this many elements: no two threads write one cache line.
const GRAIN: usize = 64;

#[derive(Debug)]
enum Arrays {
    Dense(Dense),
    Tiled(Box<Tiled>),
}

#[derive(Debug)]
struct Task {
    kernel: Loop,
    block: usize,
    precision: Precision,
    /// The place of its first element among the elements of all tasks.
    start: usize,
    len: usize,
    arrays: Arrays,
}

#[derive(Debug, Default)]
pub struct Plan {
    tasks: Vec<Task>,
    blocks: Vec<Block>,
    elements: usize,
    bytes: usize,
}

// SAFETY: the pointers are the only members that are not Send or Sync; `push` makes the caller
// vouch for the memory until `run` returns, and `run` gives each thread elements of its own.
unsafe impl Send for Plan {}
// SAFETY: as above.
unsafe impl Sync for Plan {}

/// Whether the arrays, the parameter first, can be run in place in memory order.
pub fn is_dense(precision: Precision, views: &[&View]) -> bool {
    let kind = match precision {
        Precision::F32 => Kind::F32,
        Precision::F64 => Kind::F64,
    };
    let in_place = |view: &&View| {
        view.format == Format::native(kind) && view.is_aligned() && view.same_strides(views[0])
    };
    views[0].fills_extent() && views.iter().all(in_place)
}

impl Plan {
    pub fn new() -> Self {
        Plan::default()
    }

    pub fn clear(&mut self) {
        self.tasks.clear();
        self.blocks.clear();
        self.elements = 0;
        self.bytes = 0;
    }

    /// Adds the scalars that tasks refer to by the index returned.
    pub fn block(&mut self, block: Block) -> usize {
        self.blocks.push(block);
        self.blocks.len() - 1
    }

    /// The bytes that the step will read and write.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds one parameter in any layout.
    ///
    /// # Safety
    /// The views have one shape, describe live memory, and nothing that is written (parameter
    /// and states) overlaps anything else, until `run` has returned.
    #[allow(clippy::too_many_arguments)]
    pub unsafe fn push(
        &mut self,
        kernel: Kernel,
        coupled_decay: bool,
        block: usize,
        precision: Precision,
        p: &View,
        g: &View,
        states: &[View],
    ) {
        let views: Vec<&View> = [p, g].into_iter().chain(states).collect();
        let len = p.len();
        if is_dense(precision, &views) {
            let mut pointers = [std::ptr::null_mut(); MAX_STATES];
            for (pointer, state) in pointers.iter_mut().zip(states) {
                *pointer = state.lowest();
            }
            let dense = Dense { p: p.lowest(), g: g.lowest(), states: pointers, len };
            self.task(kernel, coupled_decay, block, precision, Arrays::Dense(dense), len);
        } else {
            let tiled = Arrays::Tiled(Box::new(Tiled::new(&views)));
            self.task(kernel, coupled_decay, block, precision, tiled, len);
        }
    }

    /// Adds one parameter whose arrays are known to be dense, aligned and native, with equal
    /// strides.
    ///
    /// # Safety
    /// As for `push`; the pointers are the lowest addresses of `len` elements each.
    #[allow(clippy::too_many_arguments)]
    pub unsafe fn push_dense(
        &mut self,
        kernel: Kernel,
        coupled_decay: bool,
        block: usize,
        precision: Precision,
        p: *mut u8,
        g: *const u8,
        states: &[*mut u8],
        len: usize,
    ) {
        let mut pointers = [std::ptr::null_mut(); MAX_STATES];
        pointers[..states.len()].copy_from_slice(states);
        let arrays = Arrays::Dense(Dense { p, g, states: pointers, len });
        self.task(kernel, coupled_decay, block, precision, arrays, len);
    }

    fn task(
        &mut self,
        kernel: Kernel,
        coupled_decay: bool,
        block: usize,
        precision: Precision,
        arrays: Arrays,
        len: usize,
    ) {
        if len == 0 {
            return;
        }
        let run = kernel.select(precision, coupled_decay);
        let start = self.elements;
        self.tasks.push(Task { kernel: run, block, precision, start, len, arrays });
        self.elements += len;
        self.bytes += len * precision.size() * (3 + 2 * kernel.states());
    }

    /// Runs all tasks on up to `threads` threads. The result does not depend on their number.
    ///
    /// # Safety
    /// What was promised at each `push` still holds.
    pub unsafe fn run(&self, threads: usize) {
        let shares = if self.bytes < PARALLEL_BYTES {
            1
        } else {
            threads.min(self.elements.div_ceil(GRAIN)).max(1)
        };
        let cut = |i: usize| match i == shares {
            true => self.elements,
            false => (self.elements as u128 * i as u128 / shares as u128) as usize / GRAIN * GRAIN,
        };
        threads::run(shares, |i| {
            let _control = ControlGuard::new();
            // SAFETY: the shares are disjoint; the rest is the caller's promise.
            unsafe { self.run_range(cut(i)..cut(i + 1)) };
        });
    }

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
            match &task.arrays {
                Arrays::Dense(dense) => {
                    let offset = begin * task.precision.size();
                    // SAFETY: the offset stays inside each array, whose length is `len`.
                    unsafe {
                        let part = Dense {
                            p: dense.p.add(offset),
                            g: dense.g.add(offset),
                            states: dense.states.map(|state| state.wrapping_add(offset)),
                            len: end - begin,
                        };
                        (task.kernel)(block, &part);
                    }
                }
                Arrays::Tiled(tiled) => {
                    // SAFETY: the tile reads and writes elements of this range only.
                    unsafe { tiled.run(task.kernel, block, task.precision, begin..end) };
                }
            }
        }
    }
}
