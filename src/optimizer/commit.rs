//! A step that was prepared, done: parameters and state are written, steps counted.

use super::asked::{Asked, Gradients, Norm, Outcome, Skipped};
use super::elsewhere::Elsewhere;
use super::kept::Optimizer;
use super::missing::fill_on_host;
use super::part::check_unchanged;
use super::prepare::Prepared;
use super::refusal::{Cause, Refusal, Stop};
use super::repeat::Repeatable;
use super::slot::MOST_STEPS;
use super::sums::NO_SUMS;
use crate::engine::{ControlGuard, process, threads};

impl<H: Elsewhere> Optimizer<H> {
    /// One step, wholly or not at all.
    #[inline]
    pub fn step<'a>(
        &mut self,
        caller: H::Caller<'_>,
        gradients: impl Gradients<H::Given<'a>>,
        asked: &Asked,
    ) -> Result<Outcome<H::Norm>, Stop<H::Error>> {
        // A foreign rounding mode or flush-to-zero touches nothing.
        let _control = ControlGuard::new();
        self.check_call(gradients.as_ref().len())?;
        let moved = self.look(caller)?;
        if self.repeat(caller, gradients.as_ref(), asked) {
            return Ok(Outcome { grad_norm: Norm::NotAsked, skipped: None, moves: None });
        }
        self.step_planned(caller, gradients, asked, moved)
    }

    /// The same with a plan of its own; `moved` as `prepare_looked` takes it.
    #[inline(never)] // what it keeps on the stack is a cost of repeated steps otherwise
    fn step_planned<'a>(
        &mut self,
        caller: H::Caller<'_>,
        gradients: impl Gradients<H::Given<'a>>,
        asked: &Asked,
        moved: bool,
    ) -> Result<Outcome<H::Norm>, Stop<H::Error>> {
        let parts = self.parts(caller, gradients)?;
        let mut prepared = self.prepare_looked(caller, parts, asked, moved)?;
        self.commit(caller, &mut prepared)
    }

    /// Does the step, or leaves it out if that is what was prepared. What can fail is over: an error is
    /// an array that foreign code has changed since, before anything is written, or a device's fault.
    ///
    /// What it held is still in `prepared`: to drop it may run foreign code.
    pub fn commit(
        &mut self,
        caller: H::Caller<'_>,
        prepared: &mut Prepared<H>,
    ) -> Result<Outcome<H::Norm>, Stop<H::Error>> {
        if std::mem::replace(&mut self.ready, 0) != prepared.number {
            return Err(Refusal::Outdated.into());
        }
        if prepared.process != process::id() {
            return Err(Refusal::Forked.into());
        }
        let grad_norm = std::mem::replace(&mut prepared.norm, Norm::NotAsked);
        if let Some(cause) = prepared.left_out {
            if prepared.plan.bytes() > 0 {
                check_unchanged(caller, &self.slots, &prepared.parts)?;
                let plan = &prepared.plan;
                // SAFETY: as below; the plan is of sources alone.
                run::<H>(caller, plan.bytes(), |threads| unsafe { plan.run(threads) });
            }
            let skipped = Some(self.skip(cause));
            return Ok(Outcome { grad_norm, skipped, moves: None });
        }
        if prepared.doubted {
            check_unchanged(caller, &self.slots, &prepared.parts)?;
        }
        if prepared.grows {
            // SAFETY: what was made was checked to be writable and to share no memory, and is as it was
            // then.
            unsafe { fill_on_host(&self.slots, &self.groups, &prepared.parts) };
        }
        let mut moved = prepared.moved.take();
        if let Some(moved) = &mut moved {
            // SAFETY: nothing has happened to the arrays since they were compared.
            unsafe { moved.host.keep() };
        }
        // Elsewhere first: devices work while this processor does.
        if let Some(work) = prepared.work.as_ref().filter(|work| !H::is_empty(work)) {
            // SAFETY: nothing has happened to the arrays since they were compared.
            let foreign = unsafe { H::run(caller, work) }.map_err(Stop::Holder)?;
            if foreign && let Err(refusal) = check_unchanged(caller, &self.slots, &prepared.parts) {
                return Err(refusal.after_devices().into());
            }
        }
        let (plan, wholes) = (&prepared.plan, std::mem::take(&mut prepared.wholes));
        let factors = std::mem::take(&mut prepared.factors);
        let host = moved.as_mut().map(|moved| &mut moved.host);
        // SAFETY: slots and parts hold the arrays, and no foreign code has run since they were compared
        // with what the plans were made of. While they run another thread that resizes or writes the
        // arrays is as unsafe as it is with NumPy itself.
        run::<H>(caller, plan.bytes() + wholes.bytes(), |threads| unsafe {
            match host {
                None => plan.run(threads),
                Some(host) => plan.run_moved(threads, host),
            }
            wholes.run(threads);
            factors.store();
        });
        // What was written is a step: no foreign code runs between the two.
        if let Some(sums) = &prepared.over_all {
            self.remember_all(sums);
        }
        for part in &prepared.parts {
            let slot = &mut self.slots[part.slot];
            slot.count();
            slot.memory = part.memory.or(slot.memory);
        }
        if prepared.grows {
            self.settle(caller);
            for part in &mut prepared.parts {
                self.slots[part.slot].states.append(&mut part.made); // there is room for it
            }
        }
        self.epoch = prepared.epoch;
        self.last.plan = std::mem::take(&mut prepared.plan);
        self.last.repeatable = prepared.repeatable.take();
        self.skips.1 = 0;
        let moves = moved.as_mut().map(|moved| self.moves(caller, moved)).transpose()?;
        Ok(Outcome { grad_norm, skipped: None, moves })
    }

    /// Counts a step that is left out.
    fn skip(&mut self, cause: Cause) -> Skipped {
        let (total, in_a_row) = &mut self.skips;
        *total = MOST_STEPS.min(*total + 1);
        *in_a_row += 1;
        Skipped { cause, in_a_row: *in_a_row, total: *total }
    }

    /// The step as a repetition of the last one, after all was looked at: gradients may lie elsewhere.
    /// False, and nothing done, if it is not one.
    #[inline]
    fn repeat(
        &mut self,
        caller: H::Caller<'_>,
        gradients: &[Option<H::Given<'_>>],
        asked: &Asked,
    ) -> bool {
        let same = |known: &Repeatable| known.is_of_same(self.epoch, asked);
        let last = &mut *self.last;
        let Some((epoch, written)) = &last.written else { return false };
        if *epoch != self.epoch || !last.repeatable.as_ref().is_some_and(same) {
            return false;
        }
        let mut tasks = 0;
        for (slot, gradient) in self.slots.iter_mut().zip(gradients) {
            let Some(gradient) = gradient else { return false };
            let Some(place) = H::beside(caller, &slot.header, gradient) else { return false };
            let (clear_of, in_task) = (Some((*epoch, place)), slot.header.len() > 0);
            // Every slot's place is that of the plan: one that looks at gradients anew forgets the plan
            // first, as the step does that follows where this one ends halfway.
            if slot.clear_of != clear_of && in_task {
                let (data, kind) = place;
                let clear = written.hits(slot.header.range_from(data, kind)).next().is_none();
                if !clear || !last.plan.replace_gradient(tasks, (data as *const u8, kind)) {
                    return false;
                }
                slot.clear_of = clear_of;
            }
            tasks += usize::from(in_task);
        }
        // SAFETY: slots and `gradients` hold the arrays. The slots' headers were compared in this call
        // with what they were when the plan was made and all was checked for it; each gradient lies
        // where the plan has it, and overlaps nothing that is written.
        unsafe { self.run_again(caller, asked.grad_scale) };
        true
    }

    /// Runs the plan once more, with the scalars of the next step, and counts it.
    ///
    /// # Safety
    /// The arrays that it was made of are held, and nothing has happened to them since.
    #[inline]
    pub(super) unsafe fn run_again(&mut self, caller: H::Caller<'_>, scale: f64) {
        let last = &mut *self.last;
        if let Some(repeatable) = &mut last.repeatable {
            repeatable.advance(&mut last.plan, &self.groups, &self.slots, scale);
        }
        let plan = &last.plan;
        // SAFETY: passed on from the caller.
        run::<H>(caller, plan.bytes(), |threads| unsafe { plan.run(threads) });
        for slot in self.slots.iter_mut() {
            let compiled = &self.groups[slot.group].compiled;
            slot.memory = compiled.remember(&NO_SUMS, || slot.clock(compiled, false));
            slot.count();
        }
    }
}

/// Runs what moves this many bytes, with so many threads.
fn run<H: Elsewhere>(caller: H::Caller<'_>, bytes: usize, work: impl FnOnce(usize) + Send) {
    let _control = ControlGuard::new();
    let threads = threads::count();
    H::detached(caller, bytes, || work(threads));
}
