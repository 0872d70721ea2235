//! All of a step that can fail, before anything is written.

use super::asked::{Asked, Gradients, NonFinite, Norm};
use super::elsewhere::Elsewhere;
use super::header::Place;
use super::kept::{Optimizer, next_number};
use super::missing::{fill_on_host, initials, make_missing, reserve};
use super::moved::Moved;
use super::overlap;
use super::part::{Part, Step, check_unchanged, find_again, parts, still};
use super::plan::{Blocks, copy_source, push};
use super::refusal::{Cause, Refusal, Stop};
use super::repeat::Repeatable;
use super::scales::Scales;
use crate::engine::{ControlGuard, Factors, OutOfMemory, Plan, Wholes, process};
use crate::rules::MAX_SUMS;

/// A step of which all that can fail is over. As long as it lives it holds the arrays that it is of.
pub struct Prepared<H: Elsewhere> {
    pub(super) parts: Vec<Part<H>>,
    pub(super) plan: Plan,
    /// What is not in the plan, since it is updated as a whole.
    pub(super) wholes: Wholes,
    /// State that is written when the plan has run.
    pub(super) factors: Factors,
    pub(super) repeatable: Option<Repeatable>,
    /// None of a step that is to be left out.
    pub(super) work: Option<H::Work>,
    pub(super) norm: Norm<H::Norm>,
    pub(super) moved: Option<Moved<H>>,
    /// Of a rule that measures all parameters together: what it found.
    pub(super) over_all: Option<[f64; MAX_SUMS]>,
    /// The first parameter whose gradient is not finite, or none but the norm of all: of a step that is
    /// to be left out.
    pub(super) left_out: Option<Cause>,
    /// Whether foreign code may have run since all headers were compared.
    pub(super) doubted: bool,
    /// Whether it adds state.
    pub(super) grows: bool,
    /// The epoch that begins with it: another where it adds state.
    pub(super) epoch: u64,
    /// Its own, and the process that it was prepared in.
    pub(super) number: u64,
    pub(super) process: u32,
}

impl<H: Elsewhere> Prepared<H> {
    /// What it holds: gradients and new state, for whoever has to know.
    pub fn arrays(&self) -> impl Iterator<Item = &H::Held> {
        self.parts.iter().flat_map(|part| {
            std::iter::once(&part.gradient).chain(part.made.iter().map(|state| &state.array))
        })
    }

    /// What it holds for what runs elsewhere.
    pub fn elsewhere(&self) -> (Option<&H::Work>, &Norm<H::Norm>) {
        (self.work.as_ref(), &self.norm)
    }

    /// Whether to commit it is to leave the step out, since a gradient is not finite.
    pub fn is_left_out(&self) -> bool {
        self.left_out.is_some()
    }
}

impl<H: Elsewhere> Optimizer<H> {
    /// Prepares a step to be committed later: `abandon` or nothing at all leaves all as it was.
    /// Whatever happens until then is found out, but for what is written into the arrays.
    pub fn prepare<'a>(
        &mut self,
        caller: H::Caller<'_>,
        gradients: impl Gradients<H::Given<'a>>,
        asked: &Asked,
    ) -> Result<Prepared<H>, Stop<H::Error>> {
        // A foreign rounding mode or flush-to-zero touches nothing.
        let _control = ControlGuard::new();
        self.check_call(gradients.as_ref().len())?;
        let moved = self.look(caller)?;
        let parts = self.parts(caller, gradients)?;
        let mut prepared = self.prepare_looked(caller, parts, asked, moved)?;
        prepared.doubted = true;
        Ok(prepared)
    }

    /// The same for a step that is committed at once, where the parameters were just looked at:
    /// whether one of them had `moved`, so that the end of an old header may have run foreign code.
    pub(super) fn prepare_looked(
        &mut self,
        caller: H::Caller<'_>,
        mut parts: Vec<Part<H>>,
        asked: &Asked,
        moved: bool,
    ) -> Result<Prepared<H>, Stop<H::Error>> {
        let grows = make_missing(caller, &mut self.slots, &self.groups, &mut parts, self.epoch)?;
        if grows {
            reserve(&mut self.slots, &parts)?;
            // Foreign code may have made it: what was known of any array is no longer sure.
            self.look(caller)?;
            find_again(caller, &self.slots, &mut parts)?;
        }
        let epoch = if grows { next_number() } else { self.epoch };
        self.check_overlap(&parts, epoch)?;
        if grows {
            for (state, initial) in initials(&self.slots, &self.groups, &parts) {
                if state.header.place != Place::Host {
                    H::fill(caller, &state.array, initial).map_err(Stop::Holder)?;
                }
            }
        }
        H::begin(&mut self.elsewhere);
        let (norm, scales) = self.norm(caller, &parts, asked)?;
        // A norm that is finite tells that every gradient is.
        if asked.nonfinite != NonFinite::Propagate && !norm.is_finite() {
            let cause = match (self.first_nonfinite(caller, &parts)?, &norm, asked.norm) {
                (Some(i), ..) => Some(Cause::Gradient(i)),
                (None, Norm::Known(_), Some(given)) => Some(Cause::GivenNorm(given)),
                (None, Norm::Known(_), None) => Some(Cause::Sum),
                _ => None,
            };
            if let Some(cause) = cause {
                if asked.nonfinite == NonFinite::Raise {
                    return Err(Refusal::NotFinite(cause).into());
                }
                let mut left_out = self.prepared(parts, norm);
                left_out.left_out = Some(cause);
                self.plan_sources(&mut left_out.plan, &[])?;
                return Ok(left_out);
            }
        }
        let measures = self.measures(&parts);
        if grows && (measures || H::runs(caller, Place::Host)) {
            // What measures, and what runs instead of the engine, reads new state.
            check_unchanged(caller, &self.slots, &parts)?;
            // SAFETY: what was made was checked to be writable and to share no memory, and is as it
            // was then.
            unsafe { fill_on_host(&self.slots, &self.groups, &parts) };
        }
        let (mut factors, mut sums) = (Factors::default(), Vec::new());
        if measures {
            factors = self.factors(caller, &parts, &scales)?;
            sums = self.sums(caller, &parts, (&norm, &scales), &factors)?;
        }
        let over_all = self.remember(&mut parts, &mut sums);
        let mut measured = asked.measure.map(Moved::new);
        let wholes = self.wholes(caller, &parts, &scales)?;
        let (plan, blocks) =
            self.plan(caller, &parts, (&scales, &sums, &factors), measured.as_mut())?;
        if let Some(measured) = &mut measured {
            self.watch_rest(caller, &parts, measured)?;
        }
        let step = Step { slots: &self.slots, groups: &self.groups, parts: &parts };
        let work = H::prepare(&mut self.elsewhere, caller, step, (&norm, &scales), &sums)?;
        for (i, sums) in H::sums(caller, &work).map_err(Stop::Holder)? {
            let part = &mut parts[i];
            let slot = &self.slots[part.slot];
            let compiled = &self.groups[slot.group].compiled;
            part.memory = compiled.remember(&sums, || slot.clock(compiled, !part.made.is_empty()));
        }
        let engine_alone = H::is_empty(&work);
        // Otherwise no foreign code has run since all was looked at.
        let alone = asked.max_norm.is_none()
            && !measures
            && asked.measure.is_none()
            && asked.nonfinite == NonFinite::Propagate;
        let mut prepared = self.prepared(parts, norm);
        if let Some(blocks) = blocks.in_common().filter(|_| engine_alone && wholes.is_empty()) {
            prepared.repeatable =
                Repeatable::new(epoch, blocks, &self.slots, &prepared.parts, &plan);
        }
        prepared.plan = plan;
        prepared.wholes = wholes;
        prepared.factors = factors;
        prepared.moved = measured;
        prepared.over_all = over_all;
        prepared.work = Some(work);
        prepared.doubted = !alone || grows || moved || !engine_alone;
        prepared.grows = grows;
        prepared.epoch = epoch;
        Ok(prepared)
    }

    /// What there is to do for each gradient.
    pub(super) fn parts<'a>(
        &mut self,
        caller: H::Caller<'_>,
        gradients: impl Gradients<H::Given<'a>>,
    ) -> Result<Vec<Part<H>>, Stop<H::Error>> {
        // From here on `clear_of` is no longer of the last plan, whether there is a step or not.
        self.last.repeatable = None;
        let parts = parts(caller, &self.slots, gradients)?;
        self.check_rules(&parts)?;
        Ok(parts)
    }

    /// The step that is ready now, and no other, with nothing to do yet.
    #[inline]
    fn prepared(&mut self, parts: Vec<Part<H>>, norm: Norm<H::Norm>) -> Prepared<H> {
        self.ready = next_number();
        Prepared {
            parts,
            plan: Plan::new(),
            wholes: Wholes::default(),
            factors: Factors::default(),
            repeatable: None,
            work: None,
            norm,
            moved: None,
            over_all: None,
            left_out: None,
            doubted: true,
            grows: false,
            epoch: self.epoch,
            number: self.ready,
            process: process::id(),
        }
    }

    /// Forgets a step that was prepared.
    pub fn abandon(&mut self, prepared: &mut Prepared<H>) {
        if self.ready == prepared.number {
            self.ready = 0;
            self.last.plan = std::mem::take(&mut prepared.plan); // for its memory
        }
    }

    /// Refuses arrays to be written, new state among them, that share memory with each other or with
    /// gradients.
    fn check_overlap(&mut self, parts: &[Part<H>], epoch: u64) -> Result<(), Refusal> {
        let written = match self.last.written.take() {
            Some((of, written)) if of == epoch => written,
            _ => overlap::written(&self.slots, parts)?,
        };
        let (_, written) = self.last.written.insert((epoch, written));
        overlap::check_gradients(&mut self.slots, parts, written, epoch)
    }

    /// Plans the parts that the engine runs element by element.
    fn plan<'a>(
        &mut self,
        caller: H::Caller<'_>,
        parts: &[Part<H>],
        (scales, sums, factors): (&'a Scales, &'a [[f64; MAX_SUMS]], &Factors),
        mut moved: Option<&mut Moved<H>>,
    ) -> Result<(Plan, Blocks<'a>), Stop<H::Error>> {
        let (mut plan, mut blocks) =
            (std::mem::take(&mut self.last.plan), Blocks::new(scales, sums));
        plan.clear();
        for (i, part) in parts.iter().enumerate() {
            let slot = &mut self.slots[part.slot];
            let group = &self.groups[slot.group];
            let whole = group.compiled.method.whole().is_some();
            let here = !H::runs(caller, slot.header.place);
            let engine = here && !whole;
            if here && whole {
                // SAFETY: as below; the slot holds the source too.
                unsafe { copy_source(&mut plan, slot) }?;
            }
            if engine {
                // SAFETY: all headers were read or compared in this call; parameters and states are
                // writable and disjoint, gradients overlap none of them (`check_overlap`), and slots
                // and parts hold every array until the step is over.
                unsafe {
                    push(&mut plan, &mut blocks, slot, group, (i, part), factors, self.epoch)
                }?;
            }
            if let Some(moved) = &mut moved
                && slot.header.place == Place::Host
            {
                moved.watch(engine.then_some(&mut plan), (part.slot, slot), false)?;
            }
        }
        self.plan_sources(&mut plan, parts)?;
        Ok((plan, blocks))
    }

    /// Plans the new arrays of parameters that are in no part: they take over the values as they are.
    fn plan_sources(&self, plan: &mut Plan, parts: &[Part<H>]) -> Result<(), OutOfMemory> {
        for (_, slot) in still(&self.slots, parts) {
            // SAFETY: as in `plan`; the slot holds the source too.
            unsafe { copy_source(plan, slot) }?;
        }
        Ok(())
    }
}
