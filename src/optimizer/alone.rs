//! One parameter as if the optimizer had no other, for steps of one at a time.

use std::ops::{Deref, DerefMut};

use super::elsewhere::Elsewhere;
use super::kept::Optimizer;
use super::repeat::Last;
use crate::engine::OutOfMemory;
use crate::engine::memory::Grow;

/// An optimizer that has one of its parameters alone, as number 0, until this is dropped.
pub struct Alone<'a, H: Elsewhere> {
    optimizer: &'a mut Optimizer<H>,
    i: usize,
}

impl<H: Elsewhere> Optimizer<H> {
    /// What is repeated then is the parameter's own last step, and nothing of the steps of all.
    pub fn alone(&mut self, i: usize) -> Result<Alone<'_, H>, OutOfMemory> {
        while self.lasts.len() <= i {
            self.lasts.try_push(Last::default())?;
        }
        self.repeatable = None;
        self.slots.show(Some(i));
        if self.lasts[i].step != self.slots[0].step {
            self.lasts[i].repeatable = None;
        }
        self.exchange_last(i);
        Ok(Alone { optimizer: self, i })
    }

    fn exchange_last(&mut self, i: usize) {
        let (slot, last) = (&mut self.slots[0], &mut self.lasts[i]);
        std::mem::swap(&mut self.written, &mut last.written);
        std::mem::swap(&mut self.plan, &mut last.plan);
        std::mem::swap(&mut self.repeatable, &mut last.repeatable);
        std::mem::swap(&mut slot.clear_of, &mut last.clear_of);
        last.step = slot.step;
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
        self.optimizer.exchange_last(self.i);
        self.optimizer.slots.show(None);
    }
}
