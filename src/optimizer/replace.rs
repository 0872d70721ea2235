//! A parameter in the place of another, with rows of its state; and a group that goes.

use super::elsewhere::Elsewhere;
use super::group::{Compiled, Group};
use super::header::Place;
use super::kept::Optimizer;
use super::missing::{initial, make};
use super::overlap::check_heir;
use super::refusal::{Refusal, Stop, Which};
use super::slot::{Slot, StateArray};
use crate::engine::memory::with_room;
use crate::engine::{copy_rows, fill};

/// Where the rows of a state come from: as those of its parameter, or what all of them have in common stays
/// as it is.
fn rows_of<'a, H: Elsewhere>(
    compiled: &Compiled,
    rows: &'a [i64],
    (old, from): (&Slot<H>, &StateArray<H>),
    to: &StateArray<H>,
) -> &'a [i64] {
    match compiled.is_of_all_rows(&from.name, &old.header.shape) {
        false => rows,
        true if to.header.len() == 0 => &[],
        true if from.header.len() == 0 => &[-1],
        true => &[0],
    }
}

impl<H: Elsewhere> Optimizer<H> {
    /// What is to take the place of parameter number `i`: `new`, a slot of the same group, of whose rows
    /// each comes from the row that `rows` says, or from none if that is negative. It gets the state of
    /// those rows, state that begins for the others, and the step count. The old array is not looked at:
    /// it may be the new one, resized. Of those that come with calls the others count if they are `alive`.
    pub fn heir(
        &mut self,
        caller: H::Caller<'_>,
        i: usize,
        mut new: Slot<H>,
        rows: &[i64],
        alive: impl Fn(usize) -> bool,
    ) -> Result<Slot<H>, Stop<H::Error>> {
        self.check_home()?;
        if !self.slots[i].has_its_states(caller) {
            self.begin_epoch();
            self.slots[i].look_at_states(caller, i)?;
        }
        let old = &self.slots[i];
        new.step = old.step;
        let compiled = &self.groups[old.group].compiled;
        // Where no row stays, nothing does of what was remembered of the gradients.
        let anew = compiled.method.remembers_sums() && rows.iter().all(|row| *row < 0);
        new.memory = old.memory.filter(|_| !anew);
        let mut made = with_room(old.states.len())?;
        for state in &old.states {
            let (name, kind) = (state.name.clone(), state.header.format.kind);
            made.push(make(caller, (&new, compiled), i, name, kind)?);
        }
        new.states = made;
        let on_host = new.header.place == Place::Host;
        for (from, to) in old.states.iter().zip(&new.states).filter(|_| !on_host) {
            H::fill(caller, &to.array, initial(compiled, &to.name)).map_err(Stop::Holder)?;
            H::copy_rows(caller, &from.array, &to.array, rows_of(compiled, rows, (old, from), to))
                .map_err(Stop::Holder)?;
        }
        check_heir(caller, &self.slots, (i, &new), alive)?;
        // Foreign code may have run since they were looked at.
        if !old.has_its_states(caller) || !new.is_unchanged(caller) {
            return Err(Refusal::ChangedMeanwhile(Which::Parameter(i)).into());
        }
        for (from, to) in old.states.iter().zip(&new.states).filter(|_| on_host) {
            // SAFETY: both are as they were looked at, of the same type and but for the first axis of
            // the same shape, as parameters and their states are; what was made shares no memory.
            unsafe {
                fill(&to.header.view(), initial(compiled, &to.name));
                copy_rows(
                    &from.header.view(),
                    &to.header.view(),
                    rows_of(compiled, rows, (old, from), to),
                );
            }
        }
        Ok(new)
    }

    /// Puts it there, and returns what was there.
    pub fn set_slot(&mut self, caller: H::Caller<'_>, i: usize, new: Slot<H>) -> Slot<H> {
        if !new.states.is_empty() {
            self.settle(caller);
        }
        self.begin_epoch();
        std::mem::replace(&mut self.slots[i], new)
    }

    /// Takes out a group and its parameters, for which there is room in `gone`.
    pub fn remove_group(&mut self, number: usize, gone: &mut Vec<Slot<H>>) -> Group {
        let group = self.groups.remove(number);
        let (start, count) = (group.slots.start, group.slots.len());
        gone.extend(self.slots.all().drain(group.slots.clone()));
        self.slots[start..].iter_mut().for_each(|slot| slot.group -= 1);
        for later in &mut self.groups[number..] {
            later.slots = later.slots.start - count..later.slots.end - count;
        }
        self.begin_epoch();
        group
    }
}
