//! What an optimizer keeps from step to step, and the one number that says what of it still holds.

use std::sync::atomic::{AtomicU64, Ordering};

use super::elsewhere::Elsewhere;
use super::group::{Compiled, Group};
use super::last::Lasts;
use super::overlap;
use super::refusal::{Refusal, Stop};
use super::slot::{Slot, StateArray};
use super::slots::Slots;
use crate::engine::{OutOfMemory, process};
use crate::number::Kind;
use crate::rules::Memory;

pub struct Optimizer<H: Elsewhere> {
    pub(super) slots: Slots<H>,
    pub(super) groups: Vec<Group>,
    /// Steps that were left out: over the run, and since the last one that was not.
    pub(super) skips: (u64, u64),
    /// The process whose factory made the state: one that was forked may share its memory.
    home: Option<u32>,
    /// It changes when an array may have moved, came or went, and when options choose another
    /// layout. What was found out is marked with the epoch it was found in, and holds no longer.
    pub(super) epoch: u64,
    /// The step that was prepared last, while nothing has happened since; or 0.
    pub(super) ready: u64,
    pub(super) last: Lasts,
    pub(super) elsewhere: H::Kept,
}

/// The number of an epoch or of a prepared step: one that there has not been, in any optimizer.
pub(super) fn next_number() -> u64 {
    static LATEST: AtomicU64 = AtomicU64::new(0);
    LATEST.fetch_add(1, Ordering::Relaxed) + 1
}

impl<H: Elsewhere> Default for Optimizer<H> {
    fn default() -> Self {
        Optimizer {
            slots: Slots::new(),
            groups: Vec::new(),
            skips: (0, 0),
            home: None,
            epoch: 0,
            ready: 0,
            last: Lasts::default(),
            elsewhere: H::Kept::default(),
        }
    }
}

impl<H: Elsewhere> Optimizer<H> {
    pub fn slots(&self) -> &[Slot<H>] {
        &self.slots
    }

    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub fn skipped(&self) -> u64 {
        self.skips.0
    }

    /// Begins to count skipped steps anew.
    pub fn set_skipped(&mut self, skipped: u64) {
        self.skips = (skipped, 0);
    }

    /// Voids all that was found out of memory and layout.
    pub fn begin_epoch(&mut self) {
        self.epoch = next_number();
        self.ready = 0;
    }

    /// Adds parameters, which share no memory with each other or with what is there; they go again
    /// unless they are kept.
    pub fn add(&mut self, slots: Vec<Slot<H>>) -> Result<AddedSlots<'_, H>, Refusal> {
        let known = self.slots.len();
        self.slots.all().try_reserve(slots.len()).map_err(OutOfMemory::from)?;
        self.groups.try_reserve(1).map_err(OutOfMemory::from)?;
        self.slots.all().extend(slots);
        let added = AddedSlots { optimizer: self, known };
        overlap::check_added(&added.optimizer.slots, known)?;
        Ok(added)
    }

    /// Takes over all parameters of another optimizer, as the last ones of its only group: they share no
    /// memory with each other, nor with what is there, as far as that is still `alive`.
    pub fn append(
        &mut self,
        other: &mut Self,
        alive: impl Fn(usize) -> bool,
    ) -> Result<(), Refusal> {
        overlap::check_joining(&self.slots, &other.slots, alive)?;
        self.slots.all().try_reserve(other.slots.len()).map_err(OutOfMemory::from)?;
        self.slots.all().append(other.slots.all());
        self.home = other.home.or(self.home);
        self.resize_group();
        Ok(())
    }

    /// Gives them back: those from number `known` on.
    pub fn detach(&mut self, known: usize, other: &mut Self) {
        other.slots.all().extend(self.slots.all().drain(known..)); // into the room that they came from
        self.resize_group();
    }

    fn resize_group(&mut self) {
        if let [group] = &mut self.groups[..] {
            group.slots.end = self.slots.len();
        }
        self.share_memory();
        self.begin_epoch();
    }

    /// Takes other options for a group.
    pub fn set_options(&mut self, group: usize, compiled: Compiled) {
        if self.groups[group].replace(compiled) {
            self.begin_epoch();
        }
    }

    /// Takes another number for one option, without a new layout. False if there is more to it.
    pub fn set_number(&mut self, group: usize, name: &str, value: f64) -> bool {
        self.groups[group].compiled.set(name, value)
    }

    /// Refuses a type of state that does not go with one of these parameters.
    pub fn check_state_kind(
        &self,
        mut slots: std::ops::Range<usize>,
        kind: Option<Kind>,
    ) -> Result<(), Refusal> {
        let Some(kind) = kind else { return Ok(()) };
        match slots.find(|i| !self.slots[*i].may_keep(kind)) {
            None => Ok(()),
            Some(parameter) => {
                let beside = self.slots[parameter].header.format.kind;
                Err(Refusal::StateKind { parameter, kind, beside })
            }
        }
    }

    /// Exchanges the parameters and their state with another's.
    pub fn exchange(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.groups, &mut other.groups);
        std::mem::swap(&mut self.slots, &mut other.slots);
        std::mem::swap(&mut self.home, &mut other.home);
        self.begin_epoch();
        other.begin_epoch();
    }

    /// Puts an array in the place of a parameter's, and returns that. The next step holds it against the
    /// header.
    pub fn set_array(&mut self, i: usize, array: Option<H::Held>) -> Option<H::Held> {
        std::mem::replace(&mut self.slots[i].array, array)
    }

    /// Lets steps take a parameter's values from another array, or no longer; returns what was there.
    pub fn set_source(&mut self, i: usize, array: Option<H::Held>) -> Option<H::Held> {
        self.slots[i].set_source(array)
    }

    /// Takes another header for a parameter: of the array that is in its place now.
    pub fn set_header(&mut self, i: usize, header: H::Header) -> H::Header {
        self.begin_epoch();
        std::mem::replace(&mut self.slots[i].header, header)
    }

    /// Replaces every parameter's state, step count and memory, and the count of skipped steps. `before` has
    /// room for the states that were there, one for each parameter.
    pub fn load(
        &mut self,
        caller: H::Caller<'_>,
        states: Vec<(u64, Option<Memory>, Vec<StateArray<H>>)>,
        skipped: u64,
        before: &mut Vec<Vec<StateArray<H>>>,
    ) {
        for (slot, (step, memory, states)) in self.slots.iter_mut().zip(states) {
            before.push(std::mem::replace(&mut slot.states, states));
            slot.step = step;
            slot.memory = memory;
        }
        self.share_memory();
        self.set_skipped(skipped);
        self.home = Self::here(caller);
        self.begin_epoch();
    }

    /// The process that what is made now belongs to, if it may be shared with a forked one.
    fn here(caller: H::Caller<'_>) -> Option<u32> {
        H::makes_shared(caller).then(process::id)
    }

    /// State has been made.
    pub(super) fn settle(&mut self, caller: H::Caller<'_>) {
        self.home = Self::here(caller).or(self.home);
    }

    /// What a step of so many gradients needs before anything is looked at.
    pub(super) fn check_call(&self, found: usize) -> Result<(), Refusal> {
        let wanted = self.slots.len();
        if found != wanted {
            return Err(Refusal::Count { found, wanted });
        }
        self.check_home()
    }

    /// Refuses state that a process before a fork may share.
    pub(super) fn check_home(&self) -> Result<(), Refusal> {
        match self.home {
            Some(home) if home != process::id() => Err(Refusal::Forked),
            _ => Ok(()),
        }
    }

    /// Looks at every parameter and its state: what changed is checked again. True if anything has.
    #[inline]
    pub fn look(&mut self, caller: H::Caller<'_>) -> Result<bool, Stop<H::Error>> {
        let mut moved = false;
        let mut looked = Ok(());
        for (i, slot) in self.slots.iter_mut().enumerate() {
            if !slot.is_unchanged(caller) {
                moved = true;
                looked = slot.look_again(caller, i);
                if looked.is_err() {
                    break;
                }
            }
        }
        if moved {
            self.begin_epoch();
        }
        looked.map(|()| moved)
    }
}

/// Parameters that were added to an optimizer and go again, unless they are kept.
pub struct AddedSlots<'a, H: Elsewhere> {
    optimizer: &'a mut Optimizer<H>,
    known: usize,
}

impl<H: Elsewhere> AddedSlots<'_, H> {
    pub fn optimizer(&self) -> &Optimizer<H> {
        self.optimizer
    }

    pub fn slots(&self) -> std::ops::Range<usize> {
        self.known..self.optimizer.slots.len()
    }

    /// Keeps them, as a group with these options.
    pub fn keep(mut self, compiled: Compiled) {
        let group = Group { compiled, slots: self.slots() };
        self.optimizer.groups.push(group);
        self.optimizer.share_memory();
        self.known = self.optimizer.slots.len();
    }
}

impl<H: Elsewhere> Drop for AddedSlots<'_, H> {
    fn drop(&mut self) {
        self.optimizer.slots.all().truncate(self.known);
        self.optimizer.begin_epoch();
    }
}
