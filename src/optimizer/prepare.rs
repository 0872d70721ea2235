//! All of a step that can fail, before anything is written.

use super::asked::{Asked, NonFinite, Norm, Skipped};
use super::elsewhere::Elsewhere;
use super::group::Group;
use super::header::Place;
use super::holder::Holder;
use super::kept::Optimizer;
use super::missing::{initials, make_missing, reserve};
use super::overlap;
use super::part::{Part, Step, check_unchanged, find_again, parts};
use super::plan::{Blocks, Common, push};
use super::refusal::{Refusal, Stop};
use super::repeat::Repeatable;
use super::scales::Scales;
use super::slot::Slot;
use crate::engine::{ControlGuard, Plan, fill};

/// A step that is ready: nothing is left that can fail.
pub struct Prepared<H: Elsewhere> {
    pub(super) parts: Vec<Part<H>>,
    pub(super) plan: Plan,
    pub(super) repeatable: Option<Repeatable>,
    pub(super) work: H::Work,
    pub(super) norm: Norm<H::Norm>,
    /// Whether foreign code may have run since all headers were compared.
    pub(super) doubted: bool,
    /// The epoch that begins with it: another where it adds state.
    pub(super) epoch: u64,
    /// Its own.
    pub(super) number: u64,
}

impl<H: Elsewhere> Prepared<H> {
    /// What it holds: gradients and new state, for whoever has to know.
    pub fn arrays(&self) -> impl Iterator<Item = &H::Held> {
        self.parts.iter().flat_map(|part| {
            std::iter::once(&part.gradient).chain(part.made.iter().map(|state| &state.array))
        })
    }

    /// To be committed later: whatever happens until then, nothing is taken for granted.
    #[must_use]
    pub fn set_aside(self) -> Self {
        Prepared { doubted: true, ..self }
    }
}

/// What comes of preparing.
#[allow(clippy::large_enum_variant)] // moved once
pub enum Readiness<H: Elsewhere> {
    Ready(Prepared<H>),
    /// A gradient is not finite, and the step is to be left out then.
    Skipped(Norm<H::Norm>, Skipped),
}

impl<H: Elsewhere> Optimizer<H> {
    /// Prepares a step; `abandon` or nothing at all leaves all as it was.
    pub fn prepare(
        &mut self,
        caller: H::Caller<'_>,
        gradients: Vec<Option<H::Given<'_>>>,
        asked: &Asked,
    ) -> Result<Readiness<H>, Stop<H::Error>> {
        // A foreign rounding mode or flush-to-zero touches nothing.
        let _control = ControlGuard::new();
        self.check_call(gradients.len())?;
        self.look(caller)?;
        self.prepare_looked(caller, gradients, asked)
    }

    /// The same, where the parameters were just looked at.
    pub(super) fn prepare_looked(
        &mut self,
        caller: H::Caller<'_>,
        gradients: Vec<Option<H::Given<'_>>>,
        asked: &Asked,
    ) -> Result<Readiness<H>, Stop<H::Error>> {
        let mut parts = parts(caller, &self.slots, gradients)?;
        let made = make_missing(caller, &mut self.slots, &self.groups, &mut parts, self.epoch)?;
        if made {
            reserve(&mut self.slots, &parts)?;
            // Foreign code may have made it: what was known of any array is no longer sure.
            self.look(caller)?;
            find_again(caller, &self.slots, &mut parts)?;
        }
        let epoch = if made { self.next_number() } else { self.epoch };
        self.check_overlap(&parts, epoch)?;
        for (state, initial) in initials(&self.slots, &self.groups, &parts) {
            if state.header.place != Place::Host {
                H::fill(caller, &state.array, initial).map_err(Stop::Holder)?;
            }
        }
        H::begin(&mut self.elsewhere);
        let (norm, scales) = self.norm(caller, &parts, asked)?;
        // A norm that is finite tells that every gradient is.
        if asked.nonfinite != NonFinite::Propagate && !norm.is_finite() {
            let cause = self.first_nonfinite(caller, &parts)?;
            if cause.is_some() || matches!(norm, Norm::Known(_)) {
                if asked.nonfinite == NonFinite::Raise {
                    return Err(Refusal::NotFinite(cause).into());
                }
                return Ok(Readiness::Skipped(norm, self.skip(cause)));
            }
        }
        if H::runs(caller, Place::Host) {
            // What runs instead of the engine reads new state.
            check_unchanged(caller, &self.slots, &parts)?;
            // SAFETY: what was made was checked to be writable and to share no memory, and is as it
            // was then.
            unsafe { fill_on_host(&self.slots, &self.groups, &parts) };
        }
        let (plan, blocks) = self.plan(caller, &parts, &scales)?;
        let step = Step { slots: &self.slots, groups: &self.groups, parts: &parts };
        let work = H::prepare(&mut self.elsewhere, caller, step, &scales, &norm)?;
        let repeatable = match blocks {
            Some(blocks) if H::is_empty(&work) => {
                Repeatable::new(epoch, blocks, &self.slots, &parts)
            }
            _ => None,
        };
        // Otherwise no foreign code has run since all was looked at.
        let alone = asked.max_norm.is_none() && asked.nonfinite == NonFinite::Propagate;
        let doubted = !(alone && !made && H::is_empty(&work));
        let number = self.next_number();
        self.ready = number;
        let prepared = Prepared { parts, plan, repeatable, work, norm, doubted, epoch, number };
        Ok(Readiness::Ready(prepared))
    }

    /// Forgets a step that was prepared. What it held is returned: to drop it may run foreign code.
    pub fn abandon(&mut self, prepared: Prepared<H>) -> impl Sized + use<H> {
        let Prepared { parts, plan, work, norm, .. } = prepared;
        self.plan = plan;
        (parts, work, norm)
    }

    /// Refuses arrays to be written, new state among them, that share memory with each other or with
    /// gradients.
    fn check_overlap(&mut self, parts: &[Part<H>], epoch: u64) -> Result<(), Refusal> {
        let written = match self.written.take() {
            Some((of, written)) if of == epoch => written,
            _ => overlap::written(&self.slots, parts)?,
        };
        let (_, written) = self.written.insert((epoch, written));
        overlap::check_gradients(&mut self.slots, parts, written, epoch)
    }

    fn skip(&mut self, cause: Option<usize>) -> Skipped {
        let (total, in_a_row) = &mut self.skips;
        *total += 1;
        *in_a_row += 1;
        Skipped { cause, in_a_row: *in_a_row, total: *total }
    }

    /// Plans the parts that the engine runs. Also, what the plan's blocks are of, if each is of all
    /// parts that have it in common.
    fn plan(
        &mut self,
        caller: H::Caller<'_>,
        parts: &[Part<H>],
        scales: &Scales,
    ) -> Result<(Plan, Option<Vec<Common>>), Stop<H::Error>> {
        self.repeatable = None;
        let (mut plan, mut blocks) = (std::mem::take(&mut self.plan), Blocks::new(scales));
        plan.clear();
        for (i, part) in parts.iter().enumerate() {
            let slot = &mut self.slots[part.slot];
            if !H::runs(caller, slot.header.place) {
                let group = &self.groups[slot.group];
                // SAFETY: all headers were read or compared in this call; parameters and states are
                // writable and disjoint, gradients overlap none of them (`check_overlap`), and slots
                // and parts hold every array until the step is over.
                unsafe { push(&mut plan, &mut blocks, slot, group, (i, part), self.epoch) }?;
            }
        }
        Ok((plan, blocks.in_common()))
    }
}

/// Writes the first values of new state in host memory: whatever class an array has, it has no say
/// in it.
///
/// # Safety
/// The arrays are what their headers say, writable, and share no memory with anything else.
pub(super) unsafe fn fill_on_host<H: Holder>(
    slots: &[Slot<H>],
    groups: &[Group],
    parts: &[Part<H>],
) {
    for (state, initial) in initials(slots, groups, parts) {
        if state.header.place == Place::Host {
            // SAFETY: passed on from the caller.
            unsafe { fill(&state.header.view(), initial) };
        }
    }
}
