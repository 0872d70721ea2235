//! One parameter as if the optimizer had no other, for steps of one at a time.

use std::ops::{Deref, DerefMut};

use super::elsewhere::Elsewhere;
use super::kept::Optimizer;
use super::refusal::Refusal;
use crate::rules::Scope;

/// An optimizer that has one of its parameters alone, as number 0, until this is dropped.
pub struct Alone<'a, H: Elsewhere> {
    optimizer: &'a mut Optimizer<H>,
}

impl<H: Elsewhere> Optimizer<H> {
    /// What is repeated then is the parameter's own last step, and nothing of the steps of all.
    pub fn alone(&mut self, i: usize) -> Result<Alone<'_, H>, Refusal> {
        if self.sums_over() == Scope::All {
            return Err(Refusal::Alone);
        }
        self.last.repeatable = None;
        self.last.show(i)?;
        self.slots.show(Some(i));
        let (slot, last) = (&mut self.slots[0], &mut *self.last);
        if last.step != slot.step {
            last.repeatable = None;
        }
        std::mem::swap(&mut slot.clear_of, &mut last.clear_of);
        Ok(Alone { optimizer: self })
    }
}

impl<H: Elsewhere> Deref for Alone<'_, H> {
    type Target = Optimizer<H>;

    fn deref(&self) -> &Optimizer<H> {
        self.optimizer
    }
}

impl<H: Elsewhere> DerefMut for Alone<'_, H> {
    fn deref_mut(&mut self) -> &mut Optimizer<H> {
        self.optimizer
    }
}

impl<H: Elsewhere> Drop for Alone<'_, H> {
    fn drop(&mut self) {
        let Optimizer { slots, last, .. } = &mut *self.optimizer;
        let (slot, of) = (&mut slots[0], &mut **last);
        std::mem::swap(&mut slot.clear_of, &mut of.clear_of);
        of.step = slot.step;
        last.show_all();
        slots.show(None);
    }
}
