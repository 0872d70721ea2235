//! State that is missing: made for a step, kept aside until the step is sure.

use std::borrow::Cow;

use super::group::{Compiled, Group};
use super::header::Place;
use super::holder::Holder;
use super::part::Part;
use super::refusal::{Looks, Named, Refusal, Stop, Which};
use super::slot::{Slot, StateArray};
use crate::engine::memory::with_room;
use crate::engine::{OutOfMemory, fill};
use crate::number::{Format, Kind};

/// One new array for a state of this parameter, which is number `i`, with whatever is in it. To make it may run
/// foreign code: what was known of any array before is to be checked again.
pub fn make<H: Holder>(
    caller: H::Caller<'_>,
    (slot, compiled): (&Slot<H>, &Compiled),
    i: usize,
    name: Cow<'static, str>,
    kind: Kind,
) -> Result<StateArray<H>, Stop<H::Error>> {
    let Some(parameter) = &slot.array else { return Err(Refusal::NotThere(i).into()) };
    let shape = compiled.state_shape(&name, &slot.header.shape);
    let array = H::make(caller, i, parameter, &shape, &name, kind).map_err(Stop::Holder)?;
    let header = H::written(caller, &array, Named::State(i, &name)).map_err(Stop::Holder)?;
    // NumPy's own may be in another byte order: its bfloat16 type can be changed by unpickling.
    let as_asked = header.format == Format::native(kind) || !H::makes_shared(caller);
    if slot.may_have(&header, &shape) && header.format.kind == kind && as_asked {
        return Ok(StateArray { name, array, header });
    }
    let which = Which::State(i, name);
    let format = Format::native(kind);
    let wanted = Looks { shape, format, place: slot.header.place };
    let (found, wanted) = (Box::new(Looks::of(&header)), Box::new(wanted));
    Err(Refusal::Made { which, found, wanted }.into())
}

/// Makes what state is missing. True if there was any.
pub(super) fn make_missing<H: Holder>(
    caller: H::Caller<'_>,
    slots: &mut [Slot<H>],
    groups: &[Group],
    parts: &mut [Part<H>],
    epoch: u64,
) -> Result<bool, Stop<H::Error>> {
    let mut any = false;
    for part in parts {
        let slot = &mut slots[part.slot];
        let compiled = &groups[slot.group].compiled;
        if slot.ready(compiled, epoch).is_some() {
            continue;
        }
        let slot = &slots[part.slot];
        part.made = with_room(slot.missing(compiled).count())?;
        for name in slot.missing(compiled) {
            part.made.push(make(
                caller,
                (slot, compiled),
                part.slot,
                name.into(),
                slot.state_kind(compiled),
            )?);
        }
        any = true;
    }
    Ok(any)
}

/// Room in the slots for what was made, so that it can be taken in without fail.
pub(super) fn reserve<H: Holder>(
    slots: &mut [Slot<H>],
    parts: &[Part<H>],
) -> Result<(), OutOfMemory> {
    for part in parts {
        slots[part.slot].states.try_reserve(part.made.len())?;
    }
    Ok(())
}

/// What was made, with the value that it begins with.
pub(super) fn initials<'a, H: Holder>(
    slots: &'a [Slot<H>],
    groups: &'a [Group],
    parts: &'a [Part<H>],
) -> impl Iterator<Item = (&'a StateArray<H>, f64)> {
    parts.iter().flat_map(move |part| {
        let compiled = &groups[slots[part.slot].group].compiled;
        part.made.iter().map(move |made| (made, initial(compiled, &made.name)))
    })
}

/// Writes the first values of new state in host memory: whatever class an array has, it has no say
/// in it.
///
/// # Safety
/// The arrays are what their headers say, writable, and share no memory with anything else.
pub(super) unsafe fn fill_on_host<H: Holder>(
    slots: &[Slot<H>],
    groups: &[Group],
    parts: &[Part<H>],
) {
    for (state, initial) in initials(slots, groups, parts) {
        if state.header.place == Place::Host {
            // SAFETY: passed on from the caller.
            unsafe { fill(&state.header.view(), initial) };
        }
    }
}

/// The value that a rule's state of this name begins with.
pub(super) fn initial(compiled: &Compiled, name: &str) -> f64 {
    let formulas = [Some(&compiled.plain), compiled.by_factors.as_ref()];
    let mut states = formulas.into_iter().flatten().flat_map(|formula| &formula.states);
    states.find(|wanted| wanted.name == name).map_or(0.0, |wanted| wanted.initial)
}
