//! What a step has moved, if that is asked for: old values are kept until it has run.

use super::asked::{Move, Moves};
use super::elsewhere::Elsewhere;
use super::header::Place;
use super::kept::Optimizer;
use super::part::{Part, still};
use super::refusal::Stop;
use super::slot::Slot;
use crate::engine::memory::{Grow, try_collect};
use crate::engine::{self, OutOfMemory, Plan, norm_of_leaves, threads};
use crate::rules::Scope;

/// Of one step.
pub(super) struct Moved<H: Elsewhere> {
    scope: Scope,
    pub(super) host: engine::Moved,
    /// The slots of what is measured in host memory.
    slots: Vec<usize>,
    elsewhere: Option<H::Old>,
}

impl<H: Elsewhere> Moved<H> {
    pub(super) fn new(scope: Scope) -> Self {
        Moved { scope, host: engine::Moved::default(), slots: Vec::new(), elsewhere: None }
    }

    /// Adds a parameter in host memory: the one that was planned last, or one that is run elsewhere,
    /// or not at all (`still`).
    pub(super) fn watch(
        &mut self,
        plan: Option<&mut Plan>,
        (number, slot): (usize, &Slot<H>),
        still: bool,
    ) -> Result<(), OutOfMemory> {
        let (view, source) = (slot.header.view(), slot.source().map(|source| source.view()));
        self.slots.try_push(number)?;
        match plan {
            Some(plan) => plan.watch(&view, source.as_ref(), still, &mut self.host),
            None => self.host.push(&view, source.as_ref(), None, still),
        }
    }
}

impl<H: Elsewhere> Optimizer<H> {
    /// Completes what is measured: parameters that are in no part, and those that lie elsewhere.
    pub(super) fn watch_rest(
        &mut self,
        caller: H::Caller<'_>,
        parts: &[Part<H>],
        moved: &mut Moved<H>,
    ) -> Result<(), Stop<H::Error>> {
        let on_host = |(_, slot): &(usize, &Slot<H>)| slot.header.place == Place::Host;
        for numbered in still(&self.slots, parts).filter(on_host) {
            moved.watch(None, numbered, true)?;
        }
        let mut moving = try_collect(self.slots.iter().map(|_| false))?;
        parts.iter().for_each(|part| moving[part.slot] = true);
        let kept = H::keep(&mut self.elsewhere, caller, &self.slots, &moving);
        moved.elsewhere = kept.map_err(Stop::Holder)?;
        Ok(())
    }

    /// The norms, when the step has run.
    pub(super) fn moves(
        &mut self,
        caller: H::Caller<'_>,
        moved: &mut Moved<H>,
    ) -> Result<Moves, Stop<H::Error>> {
        let (host, count) = (&mut moved.host, threads::count());
        // SAFETY: the slots hold the arrays, which lie where they lay when they were run; another thread
        // that resizes or writes them meanwhile is as unsafe as it is with NumPy itself.
        H::detached(caller, host.bytes(), || unsafe { host.compare(count) });
        let mut sums: Vec<Vec<[f64; 2]>> = try_collect(self.slots.iter().map(|_| Vec::new()))?;
        if let Some(old) = moved.elsewhere.take() {
            let moved = H::moved(&mut self.elsewhere, caller, &self.slots, old, &mut sums);
            moved.map_err(Stop::Holder)?;
        }
        let mut leaves: Vec<&[[f64; 2]]> = try_collect(sums.iter().map(|sums| &sums[..]))?;
        for (slot, sums) in moved.slots.iter().zip(moved.host.sums()) {
            leaves[*slot] = sums;
        }
        Ok(match moved.scope {
            Scope::All => Moves::All(norms(leaves.iter().copied().flatten())),
            Scope::Tensor => {
                Moves::Each(try_collect(leaves.iter().map(|sums| norms(sums.iter())))?)
            }
        })
    }
}

fn norms<'a>(leaves: impl Iterator<Item = &'a [f64; 2]> + Clone) -> Move {
    let norm = |which: usize| norm_of_leaves(leaves.clone().map(|sums| sums[which]), 1.0);
    Move { update_norm: norm(0), param_norm: norm(1) }
}
