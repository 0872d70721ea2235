//! One parameter's part of a plan.

use std::ops::Range;

use super::block::{ARRAYS, Block, Dense, Loop};
use super::kernel::RuleLoops;
use super::layout::traffic;
use super::tile::Tiled;
use super::touched::Touched;
use crate::number::{Kind, Kinds};
use crate::rules::MAX_STATES;

/// Elements that are copied before their loop runs: few enough to be in the nearest cache still, with
/// what else the loop reads.
const COPIED: usize = 1024;

#[derive(Debug)]
pub(super) enum Layout {
    Dense(Loop, Kinds, Dense),
    /// By the place among the plan's.
    Apart(usize),
}

/// What does not run from one end of the memory to the other.
#[derive(Debug)]
pub(super) enum Apart {
    Tiled(Tiled),
    Rows(Touched),
}

impl Apart {
    /// SAFETY: the arrays are live and nothing written is aliased; no other thread has elements of this
    /// range.
    pub(super) unsafe fn run(&self, block: &Block, range: Range<usize>) {
        // SAFETY: passed on from the caller.
        unsafe {
            match self {
                Apart::Tiled(tiled) => tiled.run(block, &[0; ARRAYS], range),
                Apart::Rows(rows) => rows.run(block, range),
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Task {
    pub(super) block: usize,
    /// The place of its first element among the elements of all tasks.
    pub(super) start: usize,
    pub(super) len: usize,
    pub(super) layout: Layout,
    /// Where a dense parameter's values are to be taken from first.
    pub(super) source: Option<*const u8>,
    /// Whether it can be run leaf by leaf in C order.
    pub(super) in_leaves: bool,
}

/// A dense task's elements of `range`: each part of them is copied from `source`, if there is one, and
/// run while it is in the cache.
///
/// SAFETY: the range lies inside the arrays, which are of `kinds`; otherwise as for the loop.
#[inline]
pub(super) unsafe fn run_dense(
    (run, kinds, dense): (Loop, Kinds, &Dense),
    block: &Block,
    source: Option<*const u8>,
    range: Range<usize>,
) {
    let Some(source) = source else {
        // SAFETY: passed on from the caller.
        return unsafe { run(block, &dense.part(kinds, range)) };
    };
    let size = kinds.p.size();
    for begin in range.clone().step_by(COPIED) {
        let part = begin..range.end.min(begin + COPIED);
        // SAFETY: passed on from the caller; source and parameter have as many elements of one kind
        // and share no memory.
        unsafe {
            let (from, to) = (source.add(begin * size), dense.p.add(begin * size));
            std::ptr::copy_nonoverlapping(from, to, part.len() * size);
            run(block, &dense.part(kinds, part));
        }
    }
}

/// A parameter and its states, dense, aligned, native, with equal strides in elements, and the
/// loops beside one type of gradient: found once, run at each step.
#[derive(Debug)]
pub struct DenseTask {
    pub(super) run: Loop,
    /// The tier that the loop is of.
    tier: usize,
    pub(super) kinds: Kinds,
    /// Without a gradient.
    pub(super) dense: Dense,
    pub(super) bytes: usize,
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
        tier: usize,
        kinds: Kinds,
        p: *mut u8,
        states: impl Iterator<Item = *mut u8>,
        len: usize,
    ) -> Option<Self> {
        let run = kernel.select(kinds, coupled_decay, tier)?;
        let mut pointers = [std::ptr::null_mut(); MAX_STATES];
        for (pointer, state) in pointers.iter_mut().zip(states) {
            *pointer = state;
        }
        let bytes = traffic(kinds.p.size(), kinds.g.size(), kernel.states() * kinds.state.size());
        let dense = Dense { p, g: std::ptr::null(), states: pointers, len };
        Some(DenseTask { run, tier, kinds, dense, bytes })
    }

    /// Whether it still is what runs beside a gradient of this type, on this tier.
    pub fn fits(&self, gradient: Kind, tier: usize) -> bool {
        self.kinds.g == gradient && self.tier == tier
    }
}
