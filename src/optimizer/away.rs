//! What a rule refuses of a step, and parameters that are away: not what steps are made from.

use super::elsewhere::Elsewhere;
use super::kept::Optimizer;
use super::part::{Gradient, Part, Step};
use super::refusal::Refusal;
use crate::rules::Memory;

impl<H: Elsewhere> Optimizer<H> {
    /// Refuses what a rule cannot step: parameters that are away, and gradients of some rows where all of
    /// them are needed.
    pub(super) fn check_rules(&self, parts: &[Part<H>]) -> Result<(), Refusal> {
        self.check_trained()?;
        let step = Step { slots: &self.slots, groups: &self.groups, parts };
        for part in parts {
            let method = &step.group(part).compiled.method;
            let needs_all = method.whole().is_some()
                || method.factored().is_some()
                || method.averaged().is_some();
            if needs_all && matches!(part.place, Gradient::Rows(_)) {
                return Err(Refusal::MeasuredRows(part.slot));
            }
        }
        Ok(())
    }

    /// Refuses a step while a parameter is away, whether it has a gradient or not.
    pub fn check_trained(&self) -> Result<(), Refusal> {
        let away = (0..self.slots.len()).find(|i| self.is_away(*i));
        away.map_or(Ok(()), |i| Err(Refusal::Away(i)))
    }

    /// Whether this parameter is away.
    pub fn is_away(&self, i: usize) -> bool {
        let slot = &self.slots[i];
        let place = || self.groups[slot.group].compiled.method.averaged();
        slot.memory.is_some_and(|memory| place().is_some_and(|place| memory.0[place] != 0.0))
    }

    /// Remembers of all parameters that they are away, or back.
    pub fn set_away(&mut self, away: bool) {
        for slot in self.slots.iter_mut() {
            let compiled = &self.groups[slot.group].compiled;
            if let Some(place) = compiled.method.averaged() {
                let memory = slot.memory.get_or_insert(Memory::first(&compiled.memory));
                memory.0[place] = f64::from(u8::from(away));
            }
        }
        self.begin_epoch();
    }
}
