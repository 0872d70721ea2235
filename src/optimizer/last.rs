//! What is known of the last step: of all parameters, and of each that was stepped alone.

use std::ops::{Deref, DerefMut};

use super::repeat::Repeatable;
use super::slot::ClearOf;
use crate::engine::memory::Grow;
use crate::engine::{OutOfMemory, Plan, Written};

#[derive(Default)]
pub(super) struct Last {
    /// Of an epoch: the memory that a step writes.
    pub(super) written: Option<(u64, Written)>,
    pub(super) plan: Plan,
    /// What the plan is of, if the step can be run again.
    pub(super) repeatable: Option<Repeatable>,
    /// Of one parameter alone: its slot's, and its step count then.
    pub(super) clear_of: ClearOf,
    pub(super) step: u64,
}

/// The last step of all parameters; for a while, that of one of them.
#[derive(Default)]
pub(super) struct Lasts {
    all: Last,
    each: Vec<Last>,
    alone: Option<usize>,
}

impl Lasts {
    /// Shows that of the one of this number.
    pub(super) fn show(&mut self, alone: usize) -> Result<(), OutOfMemory> {
        while self.each.len() <= alone {
            self.each.try_push(Last::default())?;
        }
        self.alone = Some(alone);
        Ok(())
    }

    /// Shows that of all again.
    pub(super) fn show_all(&mut self) {
        self.alone = None;
    }
}

impl Deref for Lasts {
    type Target = Last;

    #[inline]
    fn deref(&self) -> &Last {
        match self.alone {
            None => &self.all,
            Some(i) => &self.each[i],
        }
    }
}

impl DerefMut for Lasts {
    #[inline]
    fn deref_mut(&mut self) -> &mut Last {
        match self.alone {
            None => &mut self.all,
            Some(i) => &mut self.each[i],
        }
    }
}
