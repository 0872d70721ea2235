//! What a rule refuses of a step, and parameters that are away: not what steps are made from.

use super::elsewhere::Elsewhere;
use super::kept::Optimizer;
use super::part::{Gradient, Part, Step};
use super::refusal::Refusal;
use crate::rules::Memory;

impl<H: Elsewhere> Optimizer<H> {
    /// Refuses a step while a parameter is away, whether it has a gradient or not, and gradients of some
    /// rows where all of them are needed.
    pub(super) fn check_rules(&self, parts: &[Part<H>]) -> Result<(), Refusal> {
        if let Some(i) = (0..self.slots.len()).find(|i| self.is_away(*i)) {
            return Err(Refusal::Away(i));
        }
        let step = Step { slots: &self.slots, groups: &self.groups, parts };
        for part in parts {
            let method = &step.group(part).compiled.method;
            let needs_all =
                method.whole().is_some() || method.factored().is_some() || !method.steps_rows();
            if needs_all && matches!(part.place, Gradient::Rows(_)) {
                return Err(Refusal::MeasuredRows(part.slot));
            }
        }
        Ok(())
    }

    /// Whether this parameter is away.
    pub fn is_away(&self, i: usize) -> bool {
        let slot = &self.slots[i];
        let method = &self.groups[slot.group].compiled.method;
        slot.memory.is_some_and(|memory| method.is_away(memory))
    }

    /// Remembers this of the number called `name` of all parameters whose rule has it.
    pub fn set_number_of_all(&mut self, name: &str, value: f64) {
        for slot in self.slots.iter_mut() {
            let numbers = &self.groups[slot.group].compiled.memory;
            if let Some(place) = numbers.iter().position(|number| number.name == name) {
                slot.memory.get_or_insert(Memory::first(numbers)).0[place] = value;
            }
        }
        self.begin_epoch();
    }
}
