//! Who lies in the memory that a step writes. It is found in the headers alone: no Python code runs.

use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;

use super::array::Header;
use super::slot::{Heir, Slot};
use super::state::{self, StateArray};
use super::step::{Gradient, Part};
use crate::engine::memory::{Grow, with_room};
use crate::engine::{self, Written, first_shared};

/// An array that is written.
pub(super) struct Region<'a> {
    pub(super) header: &'a Header,
    pub(super) object: *mut ffi::PyObject,
    pub(super) name: Name<'a>,
}

/// What errors call it, put together when one is made.
pub(super) enum Name<'a> {
    Array(&'a str),
    Gradient(&'a str),
    State(&'a str, &'a str),
}

impl Name<'_> {
    fn text(&self) -> String {
        match self {
            Name::Array(label) => (*label).to_owned(),
            Name::Gradient(of) => format!("the gradient of {of}"),
            Name::State(name, of) => state::label(name, of),
        }
    }
}

impl<'a> Region<'a> {
    fn of_slot(slot: &'a Slot) -> Self {
        let (header, object) = (&slot.header, slot.pointer());
        Region { header, object, name: Name::Array(&slot.label) }
    }

    fn of_state(slot: &'a Slot, state: &'a StateArray) -> Self {
        let name = Name::State(&state.name, &slot.label);
        Region { header: &state.header, object: state.array.as_ptr(), name }
    }

    fn of_heir(slot: &'a Slot, heir: &'a Heir) -> Self {
        Region { header: heir.header(), object: heir.pointer(), name: Name::Array(&slot.label) }
    }
}

/// The parameters of these slots and their states.
fn regions(slots: &[Slot]) -> PyResult<Vec<Region<'_>>> {
    let mut regions = with_room(slots.iter().map(|slot| 1 + slot.states.len()).sum())?;
    for slot in slots {
        regions.push(Region::of_slot(slot));
        regions.extend(slot.states.iter().map(|state| Region::of_state(slot, state)));
    }
    Ok(regions)
}

/// Refuses regions that share memory. The first `known` are known to be disjoint.
pub(super) fn check_disjoint(regions: &[Region<'_>], known: usize) -> PyResult<()> {
    let mut extents = with_room(regions.len())?;
    let numbered = regions.iter().enumerate();
    extents.extend(numbered.filter_map(|(i, region)| Some((region.header.extent()?, i))));
    let share = |a: usize, b: usize| regions[a].header.shares_memory(regions[b].header);
    let Some((a, b)) = first_shared(extents, known, share)? else { return Ok(()) };
    let (a, b) = (&regions[a], &regions[b]);
    let happened = if a.object == b.object { "are the same array" } else { "overlap in memory" };
    let (a, b) = (a.name.text(), b.name.text());
    Err(PyValueError::new_err(format!("{a} and {b} {happened}")))
}

/// An array as Python tells of it: its address, the size of an element, its shape and strides.
type Told = (usize, usize, Vec<usize>, Vec<isize>);

/// The numbers of the first two arrays that share memory.
#[pyfunction(name = "first_shared")]
pub(super) fn first_of_told(arrays: Vec<Told>) -> PyResult<Option<(usize, usize)>> {
    let region = |(data, size, shape, strides): &Told| engine::Region {
        data: *data,
        size: *size,
        axes: shape.clone().into_iter().zip(strides.clone()),
    };
    let extents = arrays.iter().enumerate();
    let extents = extents.filter_map(|(i, array)| Some((region(array).extent()?, i))).collect();
    let share = |a: usize, b: usize| engine::share_bytes(region(&arrays[a]), region(&arrays[b]));
    Ok(first_shared(extents, 0, share)?)
}

/// Refuses new state, made for these slots by number, that shares memory with what they hold.
pub(super) fn check_new<'a>(
    slots: &'a [Slot],
    new: impl Iterator<Item = (usize, &'a StateArray)>,
) -> PyResult<()> {
    let mut regions = regions(slots)?;
    let known = regions.len();
    for (i, state) in new {
        regions.try_push(Region::of_state(&slots[i], state))?;
    }
    check_disjoint(&regions, known)
}

/// Refuses parameters that were added from number `known` on and share memory with any.
pub(super) fn check_added(slots: &[Slot], known: usize) -> PyResult<()> {
    let before = slots[..known].iter().map(|slot| 1 + slot.states.len()).sum();
    check_disjoint(&regions(slots)?, before)
}

/// Refuses arrays to take the parameters' places that share memory with each other or with state.
pub(super) fn check_heirs(slots: &[Slot], heirs: &[Heir]) -> PyResult<()> {
    let states = slots.iter().map(|slot| slot.states.len()).sum::<usize>();
    let mut regions = with_room(states + heirs.len())?;
    for slot in slots {
        regions.extend(slot.states.iter().map(|state| Region::of_state(slot, state)));
    }
    regions.extend(slots.iter().zip(heirs).map(|(slot, heir)| Region::of_heir(slot, heir)));
    check_disjoint(&regions, states)
}

/// All that a step writes, checked to be disjoint.
pub(super) fn written(slots: &[Slot]) -> PyResult<Written> {
    let regions = regions(slots)?;
    check_disjoint(&regions, 0)?;
    // Owners of the intervals that gradients are held against: the parameter, whatever was hit.
    let mut intervals = with_room(regions.len())?;
    for (i, slot) in slots.iter().enumerate() {
        let headers = slot.states.iter().map(|state| &state.header);
        for header in std::iter::once(&slot.header).chain(headers) {
            intervals.extend(header.extent().map(|range| (range, i)));
        }
    }
    Ok(Written::new(intervals)?)
}

/// Refuses a gradient that shares memory with what is written.
pub(super) fn check_gradient(slots: &[Slot], written: &Written, part: &Part<'_>) -> PyResult<()> {
    let beside = &slots[part.slot];
    let extent = match &part.place {
        Gradient::InPlace(data, kind) => Some(beside.header.range_from(*data, *kind)),
        Gradient::Elsewhere(header) => header.extent(),
    };
    let Some(extent) = extent.filter(|extent| !extent.is_empty()) else { return Ok(()) };
    for other in written.hits(extent) {
        let slot = &slots[other];
        let gradient = part.place.view(&beside.header);
        let states = slot.states.iter().map(|state| &state.header);
        if std::iter::once(&slot.header).chain(states).any(|header| header.shares(&gradient)) {
            return Err(PyValueError::new_err(format!(
                "the gradient of {} overlaps {} (or its state) in memory; pass a copy",
                beside.label, slot.label
            )));
        }
    }
    Ok(())
}
