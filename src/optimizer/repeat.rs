//! What the last step planned. A step that finds everything where it lay, or gradients alone elsewhere,
//! then runs that plan again, with scalars of its own: a quarter of a small step's time is planning.

use super::asked::{Asked, NonFinite};
use super::group::Group;
use super::holder::Holder;
use super::overlap::written_states;
use super::part::{Gradient, Part};
use super::plan::Common;
use super::slot::Slot;
use crate::engine::{Plan, Written, tier};

/// A plan of all parameters, all in host memory, each with a gradient in place beside it, where its
/// slot remembers it.
pub(super) struct Repeatable {
    epoch: u64,
    /// The tier that its loops are of.
    tier: usize,
    /// Of the plan's blocks, in their order.
    blocks: Vec<Common>,
    /// Of a plan whose parameters come anew, and only then: the states' memory.
    states: Option<Written>,
}

impl Repeatable {
    /// None if there is more to these parts than running the plan again.
    pub(super) fn new<H: Holder>(
        epoch: u64,
        blocks: Vec<Common>,
        slots: &[Slot<H>],
        parts: &[Part<H>],
        plan: &Plan,
    ) -> Option<Self> {
        let in_place = |part: &Part<H>| matches!(part.place, Gradient::InPlace(..));
        if parts.len() != slots.len() || !parts.iter().all(in_place) {
            return None;
        }
        let anew = slots.iter().any(|slot| slot.source().is_some());
        let states = match anew {
            false => None,
            true => {
                let settled = parts.iter().all(|part| part.made.is_empty());
                let whole = settled && plan.is_dense_from_sources(slots.len());
                Some(whole.then(|| written_states(slots).ok()).flatten()?)
            }
        };
        Some(Repeatable { epoch, tier: plan.tier, blocks, states })
    }

    /// Whether nothing but the memory of parameters and gradients can have changed since.
    #[inline]
    fn holds(&self, epoch: u64, asked: &Asked) -> bool {
        self.epoch == epoch
            && asked.max_norm.is_none()
            && asked.measure.is_none()
            && asked.nonfinite == NonFinite::Propagate
            && self.tier == tier::index()
    }

    /// The states' memory, if the plan is one whose parameters come anew and still holds.
    pub(super) fn of_new(&self, epoch: u64, asked: &Asked) -> Option<&Written> {
        self.states.as_ref().filter(|_| self.holds(epoch, asked))
    }

    /// Whether the plan is one whose parameters stay and still holds, but for its gradients.
    #[inline]
    pub(super) fn is_of_same(&self, epoch: u64, asked: &Asked) -> bool {
        self.states.is_none() && self.holds(epoch, asked)
    }

    /// Gives the plan the scalars of the next step: of where the parameters stand by now, as options may
    /// have changed since the last.
    #[inline]
    pub(super) fn advance<H: Holder>(
        &mut self,
        plan: &mut Plan,
        groups: &[Group],
        slots: &[Slot<H>],
        scale: f64,
    ) {
        for (i, common) in self.blocks.iter_mut().enumerate() {
            let compiled = &groups[common.group].compiled;
            common.clock = slots[common.slot].clock(compiled, false);
            plan.replace_block(i, common.block(compiled, scale));
        }
    }
}
