//! What the last step planned. A step that finds everything where it lay then runs that plan again,
//! with scalars of its own: a quarter of a small step's time is planning.

use pyo3::prelude::*;

use super::array::Array;
use super::compiled::Compiled;
use super::gradients::Arrays;
use super::group::Group;
use super::inner::{Inner, Outcome};
use super::norm::Norm;
use super::scaling::Scaling;
use super::settings::NonFinite;
use super::slot::Slot;
use super::step::{self, Gradient, Part};
use crate::engine::memory::Grow;
use crate::engine::{Block, OutOfMemory, Plan, tier};
use crate::number::Precision;
use crate::rules::Clock;

/// What decides a block of scalars, but for the scale of the gradients.
#[derive(Clone, Copy, PartialEq)]
struct Key {
    group: usize,
    /// The group's options, by their number.
    options: u64,
    clock: Clock,
    precision: Precision,
}

impl Key {
    fn block(&self, compiled: &Compiled, scale: f64) -> Block {
        let scalars = compiled.method.scalars(self.clock);
        Block::new(scalars, &compiled.prelude, self.precision).scaled(scale)
    }
}

/// The scalars of a step, computed once for what has them in common.
pub(super) struct Blocks {
    scale: f64,
    /// Of the plan's blocks, in their order.
    keys: Vec<Key>,
    last: usize,
}

impl Blocks {
    pub(super) fn new(scale: f64) -> Self {
        Blocks { scale, keys: Vec::new(), last: 0 }
    }

    /// The number of a slot's block in the plan.
    pub(super) fn of(
        &mut self,
        plan: &mut Plan,
        slot: &Slot,
        compiled: &Compiled,
        fresh: bool,
    ) -> Result<usize, OutOfMemory> {
        let key = Key {
            group: slot.group,
            options: compiled.id,
            clock: Clock { t: slot.step + 1, fresh },
            precision: slot.header.precision(),
        };
        if self.keys.get(self.last) != Some(&key) {
            self.last = match self.keys.iter().position(|known| *known == key) {
                Some(known) => known,
                None => {
                    self.keys.try_push(key)?;
                    plan.block(key.block(compiled, self.scale))?
                }
            };
        }
        Ok(self.last)
    }
}

/// A plan of all parameters in host memory, each with a gradient in place beside it, where its slot
/// remembers it.
pub(super) struct Planned {
    keys: Vec<Key>,
    /// The tier that its loops are of.
    tier: usize,
}

impl Planned {
    /// None if there is more to these parts than running the plan again.
    pub(super) fn new(blocks: Blocks, slots: &[Slot], parts: &[Part<'_>]) -> Option<Self> {
        let in_place = |part: &Part<'_>| matches!(part.place, Gradient::InPlace(..));
        let repeatable = parts.len() == slots.len() && parts.iter().all(in_place);
        repeatable.then(|| Planned { keys: blocks.keys, tier: tier::index() })
    }

    /// Gives the plan the scalars of the next step. False if options have changed.
    fn advance(&mut self, plan: &mut Plan, groups: &[Group], scale: f64) -> PyResult<bool> {
        for (i, key) in self.keys.iter_mut().enumerate() {
            let compiled = groups[key.group].compiled()?;
            if compiled.id != key.options {
                return Ok(false);
            }
            key.clock = Clock { t: key.clock.t + 1, fresh: false };
            plan.replace_block(i, key.block(compiled, scale));
        }
        Ok(true)
    }
}

impl Inner {
    /// The step as a repetition of the last one, after groups and slots were checked. None, and
    /// nothing done, if it is not one.
    pub(super) fn repeat(
        &mut self,
        py: Python<'_>,
        grads: &Arrays<'_>,
        scaling: Scaling,
    ) -> PyResult<Option<Outcome>> {
        let Some(mut planned) = self.planned.take() else { return Ok(None) };
        // A gradient that lies where it lay overlaps nothing that is written, now as then.
        let lies_there = |slot: &Slot, gradient: &Array<'_>| {
            slot.clear_of.is_some() && slot.header.beside(gradient) == slot.clear_of
        };
        let mut both = self.slots.iter().zip(grads);
        if scaling.max_norm.is_some()
            || self.settings.nonfinite != NonFinite::Propagate
            || planned.tier != tier::index()
            || !both.all(|(slot, grad)| grad.as_ref().is_some_and(|grad| lies_there(slot, grad)))
            || !planned.advance(&mut self.plan, &self.groups, scaling.grad_scale)?
        {
            return Ok(None);
        }
        // SAFETY: slots and `grads` hold the arrays, whose headers were compared in this call with
        // what they were when the plan was made and all was checked for it.
        unsafe { step::run(py, &self.plan) };
        for slot in &mut self.slots {
            slot.step += 1;
        }
        self.planned = Some(planned);
        Ok(Some(Outcome::applied(Norm::NotAsked)))
    }
}
