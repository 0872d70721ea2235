//! The engine's plan of a step: which loop on which memory, with scalars that are computed once for
//! what has them in common.

use smallvec::SmallVec;

use super::group::{Compiled, Group};
use super::header::Header;
use super::holder::Holder;
use super::part::{Gradient, Part, Step};
use super::rows::Rows;
use super::scales::Scales;
use super::slot::{Slot, in_order};
use crate::engine::memory::Grow;
use crate::engine::{Block, Factors, OutOfMemory, Plan, Unplanned, View};
use crate::number::Precision;
use crate::rules::{Clock, MAX_STATES, MAX_SUMS};

/// What decides a block of scalars within an epoch, but for the scale of the gradients.
#[derive(Clone, Copy)]
pub(super) struct Common {
    pub(super) group: usize,
    pub(super) clock: Clock,
    precision: Precision,
    /// The first of the parameters that have it in common.
    pub(super) slot: usize,
}

impl Common {
    fn is(&self, other: &Self) -> bool {
        (self.group, self.clock, self.precision) == (other.group, other.clock, other.precision)
    }

    pub(super) fn of<H: Holder>(step: Step<'_, H>, part: &Part<H>) -> Self {
        let slot = step.slot(part);
        Common {
            group: slot.group,
            clock: step.clock(part),
            precision: slot.header.precision(),
            slot: part.slot,
        }
    }

    pub(super) fn block(&self, compiled: &Compiled, scale: f64) -> Block {
        let scalars = compiled.method.scalars(self.clock);
        Block::new(scalars, &compiled.prelude, self.precision).scaled(scale)
    }
}

/// The blocks of a plan, in its order.
pub(super) struct Blocks<'a> {
    scales: &'a Scales,
    /// What rules that measure have found.
    sums: &'a [[f64; MAX_SUMS]],
    known: Vec<Common>,
    last: usize,
    /// Of what is known, where parts have blocks of their own.
    unscaled: Vec<Block>,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(scales: &'a Scales, sums: &'a [[f64; MAX_SUMS]]) -> Self {
        Blocks { scales, sums, known: Vec::new(), last: 0, unscaled: Vec::new() }
    }

    /// Whether parts have blocks of their own.
    fn apart(&self) -> bool {
        !self.sums.is_empty() || matches!(self.scales, Scales::Each(_))
    }

    /// The number of a part's block in the plan.
    #[inline]
    fn of(
        &mut self,
        plan: &mut Plan,
        common: Common,
        compiled: &Compiled,
        (part, header): (usize, &Header),
    ) -> Result<usize, OutOfMemory> {
        let mut new = false;
        if !self.known.get(self.last).is_some_and(|known| known.is(&common)) {
            let place = self.known.iter().position(|known| known.is(&common));
            (self.last, new) = (place.unwrap_or(self.known.len()), place.is_none());
        }
        if new {
            self.known.try_push(common)?;
        }
        if !self.apart() {
            if new {
                plan.block(common.block(compiled, self.scales.of(part)))?;
            }
            return Ok(self.last);
        }
        if new {
            self.unscaled.try_push(common.block(compiled, 1.0))?;
        }
        let block = self.unscaled[self.last].scaled(self.scales.of(part));
        plan.block(match compiled.of(&header.shape).loops.measuring() {
            Some(loops) => loops.measured(block, &self.sums[part], header.len()),
            None => block,
        })
    }

    /// What the blocks are of, if no part has one of its own.
    pub(super) fn in_common(self) -> Option<Vec<Common>> {
        (!self.apart()).then_some(self.known)
    }
}

/// Adds a part, the one with this number, to the plan.
///
/// # Safety
/// Until the plan has run: the headers are those of live arrays, what is written (parameter and states)
/// is writable and shares no memory with anything else.
pub(super) unsafe fn push<H: Holder>(
    plan: &mut Plan,
    blocks: &mut Blocks<'_>,
    slot: &mut Slot<H>,
    group: &Group,
    (number, part): (usize, &Part<H>),
    factors: &Factors,
    epoch: u64,
) -> Result<(), Unplanned> {
    let compiled = &group.compiled;
    let (clock, precision) = (slot.clock(compiled, !part.made.is_empty()), slot.header.precision());
    let common = Common { group: slot.group, clock, precision, slot: part.slot };
    let block = blocks.of(plan, common, compiled, (number, &slot.header))?;
    if compiled.is_factored(&slot.header.shape) {
        let (p, g) = (slot.header.view(), part.place.view(&slot.header));
        if let Some(states) = factors.of(number, &p) {
            let (loops, decay) =
                (compiled.of(&slot.header.shape).loops, compiled.prelude.coupled_decay());
            // SAFETY: passed on from the caller; the factors live as long as the plan.
            unsafe { plan.push_beside(loops, decay, block, [&p, &g], &states) }?;
        }
    } else if let Gradient::InPlace(data, kind) = part.place
        && let Some(task) = slot.dense_task(compiled, epoch, (kind, plan.tier))
    {
        // SAFETY: passed on from the caller.
        unsafe { plan.push_dense(task, block, data as *const u8) }?;
    } else {
        // SAFETY: passed on from the caller.
        unsafe { part.push(plan, slot, compiled, block) }?;
    }
    // SAFETY: passed on from the caller, whose slot holds the source too.
    Ok(unsafe { copy_source(plan, slot) }?)
}

/// Lets the parameter begin with the values of its source, if it has one.
///
/// # Safety
/// As for `push`.
pub(super) unsafe fn copy_source<H: Holder>(
    plan: &mut Plan,
    slot: &Slot<H>,
) -> Result<(), OutOfMemory> {
    match slot.source() {
        None => Ok(()),
        // SAFETY: passed on from the caller.
        Some(source) => unsafe { plan.copy_first(&source.view(), &slot.header.view()) },
    }
}

impl<H: Holder> Part<H> {
    /// Plans it in any layout.
    ///
    /// # Safety
    /// As for `Plan::push`.
    pub unsafe fn push(
        &self,
        plan: &mut Plan,
        slot: &Slot<H>,
        compiled: &Compiled,
        block: usize,
    ) -> Result<(), Unplanned> {
        let (p, g) = (slot.header.view(), self.place.view(&slot.header));
        let all = slot.states.iter().chain(&self.made);
        let states: SmallVec<[View; MAX_STATES]> =
            in_order(&compiled.plain.states, all).map(|state| state.header.view()).collect();
        let (loops, decay) = (compiled.plain.loops, compiled.prelude.coupled_decay());
        // SAFETY: passed on from the caller; rows and their values are the part's, and the parameter's
        // state has its shape.
        unsafe {
            match &self.place {
                Gradient::Rows(Rows { occurrences, .. }) => {
                    let rows = occurrences.rows();
                    plan.push_rows(loops, decay, block, rows, &p, &g, &states)
                }
                _ => plan.push(loops, decay, block, &p, &g, &states),
            }
        }
    }
}
