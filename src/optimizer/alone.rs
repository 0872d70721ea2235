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
    pub fn alone(&mut self, i: usize) -> Result<Alone<'_, H>, OutOfMemory> {
        self.others.try_reserve(1)?;
        while self.lasts.len() <= i {
            self.lasts.try_push(Last::default())?;
        }
        let slot = self.slots.swap_remove(i);
        self.others.push(slot);
        std::mem::swap(&mut self.slots, &mut self.others);
        self.exchange_last(i);
        Ok(Alone { optimizer: self, i })
    }

    fn exchange_last(&mut self, i: usize) {
        let last = &mut self.lasts[i];
        std::mem::swap(&mut self.written, &mut last.written);
        std::mem::swap(&mut self.plan, &mut last.plan);
        std::mem::swap(&mut self.repeatable, &mut last.repeatable);
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
        let Optimizer { slots, others, .. } = &mut *self.optimizer;
        std::mem::swap(slots, others);
        slots.append(others); // into the room that it came from
        let last = slots.len() - 1;
        slots.swap(self.i, last);
        self.optimizer.exchange_last(self.i);
    }
}
