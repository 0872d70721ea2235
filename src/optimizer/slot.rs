//! One parameter: its array, its state arrays and its step count.

use std::borrow::Cow;

use super::group::Compiled;
use super::header::{Axes, Header, Place};
use super::holder::Holder;
use super::refusal::{Looks, Named, Refusal, Stop, Which};
use crate::engine::{DenseTask, View};
use crate::number::{Format, Kind, Kinds, Precision};
use crate::rules::{Clock, MAX_STATES, Memory, State};

pub struct StateArray<H: Holder> {
    pub name: Cow<'static, str>,
    pub array: H::Held,
    pub header: H::Header,
}

/// Where a parameter's values are, if the step is to write new ones into another array.
pub(super) struct Source<H: Holder> {
    array: H::Held,
    /// None before it was looked at.
    pub(super) header: Option<H::Header>,
}

/// Of an epoch: the place of a gradient that overlaps nothing that is written.
pub(super) type ClearOf = Option<(u64, (usize, Kind))>;

pub struct Slot<H: Holder> {
    pub group: usize,
    /// None between the calls of an optimizer whose arrays come with each call.
    pub array: Option<H::Held>,
    pub header: H::Header,
    pub(super) source: Option<Source<H>>,
    pub step: u64,
    /// None before anything was remembered.
    pub memory: Option<Memory>,
    pub states: Vec<StateArray<H>>,
    pub(super) ready: Option<Ready>,
    pub(super) clear_of: ClearOf,
}

/// The places of a rule's states among those that a parameter has.
pub(super) type Order = [usize; MAX_STATES];

/// What follows from a slot's arrays and its group's options, as long as the epoch lasts.
pub(super) struct Ready {
    pub(super) epoch: u64,
    pub(super) order: Order,
    /// The type of the states, if they and the parameter can be run in place in C order.
    in_place: Option<Kind>,
    task: Option<DenseTask>,
}

impl Looks {
    pub fn of(header: &Header) -> Self {
        Looks { shape: header.shape.clone(), format: header.format, place: header.place }
    }
}

/// The places of the wanted states among these. None if one is missing.
fn order<'a, H: Holder>(
    wanted: &[State],
    states: impl Iterator<Item = &'a StateArray<H>> + Clone,
) -> Option<Order> {
    let mut order = [0; MAX_STATES];
    for (place, wanted) in order.iter_mut().zip(wanted) {
        *place = states.clone().position(|have| have.name == wanted.name)?;
    }
    Some(order)
}

/// The wanted states among these, in their order: what a step keeps and what was made for it, so that none
/// is missing. A rule that ran on another array than its own would be wrong and not say so.
pub(super) fn in_order<'a, H: Holder>(
    wanted: &[State],
    states: impl Iterator<Item = &'a StateArray<H>> + Clone,
) -> impl Iterator<Item = &'a StateArray<H>> {
    wanted.iter().map(move |wanted| match states.clone().find(|have| have.name == wanted.name) {
        Some(state) => state,
        None => unreachable!("the state {} was neither kept nor made", wanted.name),
    })
}

/// Refuses what is to be parameter number `i` and is not of the place, shape and type that it was of.
pub fn check_same(i: usize, now: &Header, was: &Header) -> Result<(), Refusal> {
    let (which, found, wanted) = (Which::Parameter(i), Looks::of(now), Looks::of(was));
    if found.place != wanted.place {
        let (found, wanted) = (found.place, wanted.place);
        return Err(Refusal::Place { which, found, wanted });
    }
    if found.shape != wanted.shape || found.format.kind != wanted.format.kind {
        return Err(Refusal::looks(which, found, wanted));
    }
    Ok(())
}

/// Steps, skipped ones too, are counted no further, so that every count can be loaded.
pub(super) const MOST_STEPS: u64 = 1 << 62;

impl<H: Holder> Slot<H> {
    pub fn new(group: usize, array: H::Held, header: H::Header) -> Self {
        Slot {
            group,
            array: Some(array),
            header,
            source: None,
            step: 0,
            memory: None,
            states: Vec::new(),
            ready: None,
            clear_of: None,
        }
    }

    /// Lets the next step take the parameter's values from another array, until this is lifted.
    /// Returns what was there.
    pub fn set_source(&mut self, array: Option<H::Held>) -> Option<H::Held> {
        let source = array.map(|array| Source { array, header: None });
        std::mem::replace(&mut self.source, source).map(|source| source.array)
    }

    /// The parameter's values before the step.
    pub(super) fn values(&self) -> View {
        self.source().map_or_else(|| self.header.view(), |source| source.view())
    }

    /// What the parameter's values are to be copied from.
    pub(super) fn source(&self) -> Option<&H::Header> {
        self.source.as_ref().and_then(|source| source.header.as_ref())
    }

    /// Counts a step.
    #[inline]
    pub(super) fn count(&mut self) {
        self.step = MOST_STEPS.min(self.step + 1);
    }

    /// Where the parameter stands in its next step.
    #[inline]
    pub fn clock(&self, compiled: &Compiled, fresh: bool) -> Clock {
        let memory = self.memory.unwrap_or_else(|| Memory::first(&compiled.memory));
        Clock { t: self.step + 1, fresh, kind: self.header.format.kind, memory }
    }

    /// Whether the parameter and its state are what they were when they were checked.
    #[inline]
    pub(super) fn is_unchanged(&self, caller: H::Caller<'_>) -> bool {
        let same = |array: &H::Held, header: &H::Header| H::is_unchanged(caller, array, header);
        let source_same = |source: &Source<H>| match &source.header {
            Some(header) => same(&source.array, header),
            None => false,
        };
        self.array.as_ref().is_some_and(|array| same(array, &self.header))
            && self.source.as_ref().is_none_or(source_same)
            && self.has_its_states(caller)
    }

    /// The same of its state alone.
    #[inline]
    pub(super) fn has_its_states(&self, caller: H::Caller<'_>) -> bool {
        self.states.iter().all(|state| H::is_unchanged(caller, &state.array, &state.header))
    }

    /// Looks at the parameter, which is number `i`, and its state again.
    #[cold]
    pub(super) fn look_again(
        &mut self,
        caller: H::Caller<'_>,
        i: usize,
    ) -> Result<(), Stop<H::Error>> {
        if let Some(array) = &self.array {
            let now = H::written(caller, array, Named::Parameter(i)).map_err(Stop::Holder)?;
            check_same(i, &now, &self.header)?;
            self.header = now;
        }
        if let Some(source) = &mut self.source {
            let which = Which::Parameter(i);
            let now = H::read(caller, &source.array, Named::Parameter(i)).map_err(Stop::Holder)?;
            let (found, wanted) = (Looks::of(&now), Looks::of(&self.header));
            if found != wanted {
                return Err(Refusal::looks(which, found, wanted).into());
            }
            source.header = Some(now);
        }
        self.look_at_states(caller, i)
    }

    /// The same of its state alone.
    #[cold]
    pub(super) fn look_at_states(
        &mut self,
        caller: H::Caller<'_>,
        i: usize,
    ) -> Result<(), Stop<H::Error>> {
        for state in &mut self.states {
            let named = Named::State(i, &state.name);
            let now = H::written(caller, &state.array, named).map_err(Stop::Holder)?;
            let kind = state.header.format.kind;
            if now.shape != state.header.shape || now.format.kind != kind {
                let (which, found) = (named.into(), Looks::of(&now));
                let wanted = Looks::of(&state.header);
                return Err(Refusal::looks(which, found, wanted).into());
            }
            state.header = now;
        }
        Ok(())
    }

    /// Finds the rule's states among the slot's. None if one is missing.
    #[inline]
    pub(super) fn ready(&mut self, compiled: &Compiled, epoch: u64) -> Option<&mut Ready> {
        if self.ready.as_ref().is_none_or(|ready| ready.epoch != epoch) {
            let formula = compiled.of(&self.header.shape);
            let order = order(&formula.states, self.states.iter())?;
            let headers = || order[..formula.states.len()].iter().map(|&i| &self.states[i].header);
            let first = headers().next().map_or(self.header.precision().kind(), |s| s.format.kind);
            let in_place = self.header.place == Place::Host
                && !compiled.is_factored(&self.header.shape)
                && self.header.runs_in_place()
                && headers().all(|state| state.runs_in_place() && state.format.kind == first);
            let in_place = in_place.then_some(first);
            self.ready = Some(Ready { epoch, order, in_place, task: None });
        }
        self.ready.as_mut()
    }

    /// What runs in place beside a gradient of this type on this tier, if all state is there.
    #[inline]
    pub(super) fn dense_task(
        &mut self,
        compiled: &Compiled,
        epoch: u64,
        (gradient, tier): (Kind, usize),
    ) -> Option<&DenseTask> {
        let ready = self.ready(compiled, epoch)?;
        if ready.task.as_ref().is_none_or(|known| !known.fits(gradient, tier)) {
            let (state, order) = (ready.in_place?, ready.order);
            let (loops, prelude) = (compiled.plain.loops, &compiled.prelude);
            let kinds = Kinds { p: self.header.format.kind, g: gradient, state };
            let states = (0..loops.states()).map(|i| self.states[order[i]].header.pointer());
            let (p, len) = (self.header.pointer(), self.header.len());
            let made = DenseTask::new(loops, prelude.coupled_decay(), tier, kinds, p, states, len);
            self.ready.as_mut()?.task = made;
        }
        self.ready.as_ref()?.task.as_ref()
    }

    /// The state arrays that the rule needs and the slot lacks.
    pub(super) fn missing<'a>(
        &'a self,
        compiled: &'a Compiled,
    ) -> impl Iterator<Item = &'static str> + 'a {
        let lacks = |name: &str| self.states.iter().all(|have| have.name != name);
        compiled
            .of(&self.header.shape)
            .states
            .iter()
            .map(|state| state.name)
            .filter(move |name| lacks(name))
    }

    /// What state that is made for the slot is stored in.
    pub(super) fn state_kind(&self, compiled: &Compiled) -> Kind {
        compiled.state_kind.unwrap_or(self.header.precision().kind())
    }

    /// Refuses an array that the parameter, which is number `i`, may not have as this state.
    pub fn check_loaded(
        &self,
        compiled: &Compiled,
        i: usize,
        name: &str,
        state: &Header,
    ) -> Result<(), Refusal> {
        let shape = compiled.state_shape(name, &self.header.shape);
        if self.may_have(state, &shape) {
            return Ok(());
        }
        let kept = self.may_keep(state.format.kind);
        let format =
            if kept { state.format } else { Format::native(self.header.precision().kind()) };
        let wanted = Box::new(Looks { shape, format, place: self.header.place });
        let (which, found) = (Named::State(i, name).into(), Box::new(Looks::of(state)));
        Err(Refusal::Loaded { which, found, wanted })
    }

    /// Whether the array is one that the parameter may have as state of this shape.
    pub fn may_have(&self, state: &Header, shape: &Axes) -> bool {
        state.shape == *shape
            && state.place == self.header.place
            && self.may_keep(state.format.kind)
    }

    /// Whether the parameter's state may be of this type: float64 beside float64, else narrower.
    pub fn may_keep(&self, kind: Kind) -> bool {
        Precision::of(kind) == self.header.precision()
    }
}
