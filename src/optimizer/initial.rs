//! State that is made before a parameter's first step.

use super::elsewhere::Elsewhere;
use super::header::Place;
use super::kept::Optimizer;
use super::missing::{initial, make};
use super::overlap::check_new;
use super::refusal::{Refusal, Stop, Which};
use super::slot::StateArray;
use crate::engine::fill;
use crate::engine::memory::with_room;

impl<H: Elsewhere> Optimizer<H> {
    /// Gives every parameter that has had no step and has no state the state that it begins with, and
    /// this step count. Returns how many there were.
    pub fn init_state(
        &mut self,
        caller: H::Caller<'_>,
        step: u64,
    ) -> Result<usize, Stop<H::Error>> {
        self.check_call(self.slots.len())?;
        self.look(caller)?;
        let mut made: Vec<(usize, Vec<StateArray<H>>)> = with_room(self.slots.len())?;
        for (i, slot) in self.slots.iter().enumerate() {
            if slot.step == 0 && slot.states.is_empty() {
                let compiled = &self.groups[slot.group].compiled;
                let wanted = &compiled.of(&slot.header.shape).states;
                let (kind, mut states) = (slot.state_kind(compiled), with_room(wanted.len())?);
                for wanted in wanted {
                    states.push(make(caller, (slot, compiled), i, wanted.name.into(), kind)?);
                }
                made.push((i, states));
            }
        }
        let all = || made.iter().flat_map(|(i, states)| states.iter().map(move |of| (*i, of)));
        // Foreign code may have made it.
        self.look(caller)?;
        check_new(&self.slots, all())?;
        let first = |i: usize, state: &StateArray<H>| {
            initial(&self.groups[self.slots[i].group].compiled, &state.name)
        };
        for (i, state) in all().filter(|(_, state)| state.header.place != Place::Host) {
            H::fill(caller, &state.array, first(i, state)).map_err(Stop::Holder)?;
        }
        for (i, state) in all() {
            if !H::is_unchanged(caller, &state.array, &state.header) {
                return Err(Refusal::ChangedMeanwhile(Which::Parameter(i)).into());
            }
        }
        for (i, state) in all().filter(|(_, state)| state.header.place == Place::Host) {
            // SAFETY: the array is held, was found to be writable and to share no memory, and is what it
            // was then; no foreign code has run since.
            unsafe { fill(&state.header.view(), first(i, state)) };
        }
        let count = made.len();
        for (i, states) in made {
            self.slots[i].states = states;
            self.slots[i].step = step;
        }
        self.settle(caller);
        self.begin_epoch();
        Ok(count)
    }
}
