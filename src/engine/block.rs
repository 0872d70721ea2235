//! What a compiled loop takes: the scalars of a step, and arrays that lie ready for it.

use std::ops::Range;

use super::tier;
use crate::number::{Kinds, Precision};
use crate::rules::{MAX_STATES, Prelude, PreludeOptions, ScalarBlock};

/// The most arrays of a parameter: itself, its gradient and its states.
pub const ARRAYS: usize = 2 + MAX_STATES;

/// The scalars of one step of one group, in float64; each loop rounds them once.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    pub(super) scalars: ScalarBlock,
    pub(super) prelude: Prelude<f64>,
}

impl Block {
    pub fn new(scalars: ScalarBlock, options: &PreludeOptions, precision: Precision) -> Self {
        Block { scalars, prelude: options.scalars(precision.smallest_normal()) }
    }

    /// With gradients multiplied by `scale` first; `maximize` is a factor of -1, so that their
    /// product is exact.
    #[must_use]
    pub fn scaled(mut self, scale: f64) -> Self {
        self.prelude.grad_scale *= scale;
        self
    }

    /// Without what is done to the parameter.
    pub(super) fn without_decay(self) -> Self {
        Block { prelude: self.prelude.without_decay(), ..self }
    }

    /// With the decay of the parameter, but otherwise only these scalars.
    pub(super) fn with_decay(self, scalars: ScalarBlock) -> Self {
        Block { scalars, prelude: self.prelude.decay_alone() }
    }
}

/// Dense native arrays of one length. Places beyond the rule's states are unused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dense {
    pub(super) p: *mut u8,
    pub(super) g: *const u8,
    pub(super) states: [*mut u8; MAX_STATES],
    pub(super) len: usize,
}

impl Dense {
    /// The elements of `range`.
    ///
    /// SAFETY: it lies inside the arrays, which are of `kinds`.
    pub(super) unsafe fn part(&self, kinds: Kinds, range: Range<usize>) -> Self {
        let Range { start, end } = range;
        // SAFETY: passed on from the caller. Places beyond the rule's states may be null.
        unsafe {
            Dense {
                p: self.p.add(start * kinds.p.size()),
                g: self.g.add(start * kinds.g.size()),
                states: self.states.map(|state| state.wrapping_add(start * kinds.state.size())),
                len: end - start,
            }
        }
    }

    /// The same so many bytes further on, by array.
    pub(super) fn moved(&self, [p, g, states @ ..]: &[isize; ARRAYS]) -> Self {
        let mut moved = *self;
        moved.p = self.p.wrapping_offset(*p);
        moved.g = self.g.wrapping_offset(*g);
        for (state, offset) in moved.states.iter_mut().zip(states) {
            *state = state.wrapping_offset(*offset);
        }
        moved
    }
}

/// SAFETY of a call: the pointers are aligned and valid for `len` elements of the kinds that the
/// loop was selected for, what is written is not aliased, and the CPU has the tier.
pub(super) type Loop = unsafe fn(&Block, &Dense);

/// A loop for each tier; None where a tier has none for these kinds.
pub(super) type Loops = [Option<Loop>; tier::NAMES.len()];
