//! What overlaps the memory that a step writes. It is found in the headers alone: no foreign code
//! runs.

use super::header::Header;
use super::holder::Holder;
use super::part::{Gradient, Part};
use super::refusal::{Named, Refusal, Which};
use super::slot::{Slot, StateArray};
use crate::engine::memory::{Grow, try_collect, with_room};
use crate::engine::{OutOfMemory, Written, first_shared};

/// An array that is written.
pub struct WrittenArray<'a> {
    pub header: &'a Header,
    /// Of the object, to tell one array that came twice from two that overlap.
    pub identity: usize,
    pub which: Named<'a>,
}

fn parameter<H: Holder>(i: usize, slot: &Slot<H>) -> WrittenArray<'_> {
    let identity = slot.array.as_ref().map_or(0, H::identity);
    WrittenArray { header: &slot.header, identity, which: Named::Parameter(i) }
}

fn state<H: Holder>(i: usize, state: &StateArray<H>) -> WrittenArray<'_> {
    let which = Named::State(i, &state.name);
    WrittenArray { header: &state.header, identity: H::identity(&state.array), which }
}

/// The parameters of these slots and their states, with room for more.
fn regions<H: Holder>(
    slots: &[Slot<H>],
    more: usize,
) -> Result<Vec<WrittenArray<'_>>, OutOfMemory> {
    let count: usize = slots.iter().map(|slot| 1 + slot.states.len()).sum();
    let mut regions = with_room(count + more)?;
    for (i, slot) in slots.iter().enumerate() {
        regions.push(parameter(i, slot));
        regions.extend(slot.states.iter().map(|of| state(i, of)));
    }
    Ok(regions)
}

/// Refuses regions that share memory. The first `known` are known to be disjoint.
pub fn check_disjoint(regions: &[WrittenArray<'_>], known: usize) -> Result<(), Refusal> {
    let mut extents = with_room(regions.len())?;
    let numbered = regions.iter().enumerate();
    extents.extend(numbered.filter_map(|(i, region)| Some((region.header.extent()?, i))));
    let share = |a: usize, b: usize| regions[a].header.shares_memory(regions[b].header);
    let Some((a, b)) = first_shared(extents, known, share)? else { return Ok(()) };
    let (a, b) = (&regions[a], &regions[b]);
    let same = a.identity == b.identity;
    Err(Refusal::Overlap { first: a.which.into(), second: b.which.into(), same })
}

/// Refuses new state, made for these slots by number, that shares memory with what they hold.
pub fn check_new<'a, H: Holder>(
    slots: &'a [Slot<H>],
    new: impl Iterator<Item = (usize, &'a StateArray<H>)>,
) -> Result<(), Refusal> {
    let mut regions = regions(slots, 0)?;
    let known = regions.len();
    for (i, of) in new {
        regions.try_push(state(i, of))?;
    }
    check_disjoint(&regions, known)
}

/// Refuses parameters that were added from number `known` on and share memory with any.
pub(super) fn check_added<H: Holder>(slots: &[Slot<H>], known: usize) -> Result<(), Refusal> {
    let before = slots[..known].iter().map(|slot| 1 + slot.states.len()).sum();
    check_disjoint(&regions(slots, 0)?, before)
}

/// Refuses parameters that come to others and share memory with one that is still `alive`, with state, or
/// with each other. Those that are there are looked at once, without sorting them: keys come one by one.
pub(super) fn check_joining<H: Holder>(
    slots: &[Slot<H>],
    new: &[Slot<H>],
    alive: impl Fn(usize) -> bool,
) -> Result<(), Refusal> {
    let mut joining = Vec::new();
    for (i, slot) in new.iter().enumerate() {
        let number = slots.len() + i;
        joining.try_push(parameter(number, slot))?;
        joining.try_extend(slot.states.iter().map(|of| state(number, of)))?;
    }
    check_disjoint(&joining, 0)?;
    let extents = joining.iter().filter_map(|new| Some((new.header.extent()?, new)));
    let extents: Vec<_> = try_collect(extents)?;
    let check = |known: WrittenArray<'_>, alive: &dyn Fn() -> bool| {
        let Some(extent) = known.header.extent() else { return Ok(()) };
        let near =
            extents.iter().filter(|(new, _)| new.start < extent.end && extent.start < new.end);
        for (_, new) in near {
            if alive() && known.header.shares_memory(new.header) {
                let same = known.identity == new.identity;
                let (first, second) = (known.which.into(), new.which.into());
                return Err(Refusal::Overlap { first, second, same });
            }
        }
        Ok(())
    };
    for (i, slot) in slots.iter().enumerate() {
        check(parameter(i, slot), &|| alive(i))?;
        slot.states.iter().try_for_each(|of| check(state(i, of), &|| true))?;
    }
    Ok(())
}

/// Refuses arrays to take the parameters' places, each by header and identity, that share memory with
/// each other or with state. State that lies elsewhere by now is for the next step to look at.
pub fn check_heirs<'a, H: Holder>(
    caller: H::Caller<'_>,
    slots: &'a [Slot<H>],
    heirs: impl Iterator<Item = (&'a Header, usize)>,
) -> Result<(), Refusal> {
    let mut regions = Vec::new();
    for (i, slot) in slots.iter().enumerate() {
        regions.try_extend(unmoved_states(caller, i, slot))?;
    }
    let known = regions.len();
    for (i, (header, identity)) in heirs.enumerate() {
        regions.try_push(WrittenArray { header, identity, which: Named::Parameter(i) })?;
    }
    check_disjoint(&regions, known)
}

/// Refuses a slot to take the place of number `i` that shares memory with any other. What lies elsewhere
/// by now is for the next step to look at; parameters that come with calls count if they are `alive`.
pub(super) fn check_heir<H: Holder>(
    caller: H::Caller<'_>,
    slots: &[Slot<H>],
    (i, heir): (usize, &Slot<H>),
    alive: impl Fn(usize) -> bool,
) -> Result<(), Refusal> {
    let mut regions = Vec::new();
    for (other, slot) in slots.iter().enumerate().filter(|(other, _)| *other != i) {
        let there = match &slot.array {
            Some(array) => H::is_unchanged(caller, array, &slot.header),
            None => alive(other),
        };
        regions.try_extend(there.then(|| parameter(other, slot)))?;
        regions.try_extend(unmoved_states(caller, other, slot))?;
    }
    let known = regions.len();
    regions.try_push(parameter(i, heir))?;
    regions.try_extend(heir.states.iter().map(|of| state(i, of)))?;
    check_disjoint(&regions, known)
}

/// The states of a slot, but for those that lie elsewhere than when they were looked at.
fn unmoved_states<'a, H: Holder>(
    caller: H::Caller<'_>,
    i: usize,
    slot: &'a Slot<H>,
) -> impl Iterator<Item = WrittenArray<'a>> {
    let unmoved = move |of: &&StateArray<H>| H::is_unchanged(caller, &of.array, &of.header);
    slot.states.iter().filter(unmoved).map(move |of| state(i, of))
}

/// All that a step writes, checked to be disjoint: what the slots hold, and what was made for it.
pub(super) fn written<H: Holder>(slots: &[Slot<H>], parts: &[Part<H>]) -> Result<Written, Refusal> {
    let made = || parts.iter().flat_map(|part| part.made.iter().map(|of| (part.slot, of)));
    let mut regions = regions(slots, made().count())?;
    regions.extend(made().map(|(i, of)| state(i, of)));
    check_disjoint(&regions, 0)?;
    // Owners of the intervals that gradients are held against: the parameter, whatever was hit.
    let mut intervals = with_room(regions.len())?;
    for region in &regions {
        let (Named::Parameter(i) | Named::Gradient(i) | Named::State(i, _)) = region.which;
        intervals.extend(region.header.extent().map(|range| (range, i)));
    }
    Ok(Written::new(intervals)?)
}

/// The states alone.
pub(super) fn written_states<H: Holder>(slots: &[Slot<H>]) -> Result<Written, OutOfMemory> {
    let count = slots.iter().map(|slot| slot.states.len()).sum();
    let mut intervals = with_room(count)?;
    for (i, slot) in slots.iter().enumerate() {
        let extents = slot.states.iter().filter_map(|state| state.header.extent());
        intervals.extend(extents.map(|range| (range, i)));
    }
    Written::new(intervals)
}

/// Refuses gradients that share memory with what is written. One that lay in place where it lies
/// now, in the same epoch, is known not to.
pub(super) fn check_gradients<H: Holder>(
    slots: &mut [Slot<H>],
    parts: &[Part<H>],
    written: &Written,
    epoch: u64,
) -> Result<(), Refusal> {
    for part in parts {
        let place = match &part.place {
            Gradient::InPlace(data, kind) => Some((epoch, (*data, *kind))),
            Gradient::AnyLayout(_) | Gradient::Rows(_) => None,
        };
        check_source(slots, written, part.slot)?;
        if place.is_none() || slots[part.slot].clear_of != place {
            check_gradient(slots, parts, written, part)?;
            if place.is_some() {
                slots[part.slot].clear_of = place;
            }
        }
    }
    Ok(())
}

/// Refuses what the values of parameter number `i` come from, if it shares memory with what is written.
fn check_source<H: Holder>(slots: &[Slot<H>], written: &Written, i: usize) -> Result<(), Refusal> {
    let Some(source) = slots[i].source() else { return Ok(()) };
    let extent = source.extent().filter(|extent| !extent.is_empty());
    match extent.and_then(|extent| written.hits(extent).next()) {
        None => Ok(()),
        Some(parameter) => Err(Refusal::ReadOverlaps { which: Which::Parameter(i), parameter }),
    }
}

fn check_gradient<H: Holder>(
    slots: &[Slot<H>],
    parts: &[Part<H>],
    written: &Written,
    part: &Part<H>,
) -> Result<(), Refusal> {
    let beside = &slots[part.slot].header;
    let extent = match &part.place {
        Gradient::InPlace(data, kind) => Some(beside.range_from(*data, *kind)),
        Gradient::AnyLayout(header) => header.extent(),
        Gradient::Rows(_) => None,
    };
    let Some(extent) = extent.filter(|extent| !extent.is_empty()) else { return Ok(()) };
    for other in written.hits(extent) {
        let gradient = part.place.view(beside);
        let slot = &slots[other];
        let made = parts.iter().filter(|part| part.slot == other).flat_map(|part| &part.made);
        let states = slot.states.iter().chain(made).map(|state| &*state.header);
        if std::iter::once(&*slot.header).chain(states).any(|header| header.shares(&gradient)) {
            let which = Which::Gradient(part.slot);
            return Err(Refusal::ReadOverlaps { which, parameter: other });
        }
    }
    Ok(())
}
