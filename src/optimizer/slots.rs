//! All parameters of an optimizer; for a while, one of them as if there were no other.

use std::ops::{Deref, DerefMut};

use super::holder::Holder;
use super::slot::Slot;

pub(super) struct Slots<H: Holder> {
    all: Vec<Slot<H>>,
    alone: Option<usize>,
}

impl<H: Holder> Slots<H> {
    pub(super) fn new() -> Self {
        Slots { all: Vec::new(), alone: None }
    }

    /// Shows the one of this number alone, or all of them again.
    pub(super) fn show(&mut self, alone: Option<usize>) {
        self.alone = alone;
    }

    /// All of them, for more or fewer.
    pub(super) fn all(&mut self) -> &mut Vec<Slot<H>> {
        self.alone = None;
        &mut self.all
    }
}

impl<H: Holder> Deref for Slots<H> {
    type Target = [Slot<H>];

    #[inline]
    fn deref(&self) -> &[Slot<H>] {
        match self.alone {
            None => &self.all,
            Some(i) => &self.all[i..=i],
        }
    }
}

impl<H: Holder> DerefMut for Slots<H> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [Slot<H>] {
        match self.alone {
            None => &mut self.all,
            Some(i) => &mut self.all[i..=i],
        }
    }
}
