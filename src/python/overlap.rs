//! Who lies in the memory that a step writes.

use std::ops::Range;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::array::{Array, Header};
use super::slot::Slot;
use super::state::{self, StateArray};
use super::step::{Gradient, Part};
use crate::engine::Written;

/// Refuses arrays that share memory. `intervals` are their extents, each with its array's place.
pub(super) fn check_disjoint(
    places: &[(String, Array<'_>)],
    intervals: Vec<(Range<usize>, usize)>,
) -> PyResult<()> {
    let written = Written::new(intervals.clone())?;
    for (range, owner) in intervals {
        for other in written.hits(range).filter(|other| *other < owner) {
            let ((a, first), (b, second)) = (&places[other], &places[owner]);
            if first.is(second) {
                return Err(PyValueError::new_err(format!("{a} and {b} are the same array")));
            }
            if first.shares_memory(second)? {
                return Err(PyValueError::new_err(format!("{a} and {b} overlap in memory")));
            }
        }
    }
    Ok(())
}

/// Arrays to hold against each other, and their extents.
#[derive(Default)]
struct Places<'py> {
    arrays: Vec<(String, Array<'py>)>,
    intervals: Vec<(Range<usize>, usize)>,
}

impl<'py> Places<'py> {
    /// All that a step of these slots writes.
    fn of(py: Python<'py>, slots: &[Slot]) -> Self {
        let mut places = Places::default();
        for slot in slots {
            if let Some(array) = slot.array(py) {
                places.add(slot.label.clone(), array, &slot.header);
            }
            slot.states.iter().for_each(|state| places.add_state(py, slot, state));
        }
        places
    }

    fn add(&mut self, label: String, array: Array<'py>, header: &Header) {
        if let Some(range) = header.view().extent() {
            self.intervals.push((range, self.arrays.len()));
            self.arrays.push((label, array));
        }
    }

    fn add_state(&mut self, py: Python<'py>, slot: &Slot, state: &StateArray) {
        self.add(state::label(&state.name, &slot.label), state.array.bind(py), &state.header);
    }
}

/// Refuses new state, made for these slots by number, that shares memory with what they hold.
pub(super) fn check_new<'a>(
    py: Python<'_>,
    slots: &[Slot],
    new: impl Iterator<Item = (usize, &'a StateArray)>,
) -> PyResult<()> {
    let mut places = Places::of(py, slots);
    new.for_each(|(i, state)| places.add_state(py, &slots[i], state));
    check_disjoint(&places.arrays, places.intervals)
}

/// All that a step writes, checked to be disjoint.
pub(super) fn written(py: Python<'_>, slots: &[Slot]) -> PyResult<Written> {
    let places = Places::of(py, slots);
    check_disjoint(&places.arrays, places.intervals)?;
    // Owners of the intervals that gradients are held against: the parameter, whatever was hit.
    let mut intervals = Vec::new();
    for (i, slot) in slots.iter().enumerate() {
        let headers = slot.states.iter().map(|state| &state.header);
        for header in std::iter::once(&slot.header).chain(headers) {
            intervals.extend(header.view().extent().map(|range| (range, i)));
        }
    }
    Ok(Written::new(intervals)?)
}

/// Refuses a gradient that shares memory with what is written.
pub(super) fn check_gradient(
    py: Python<'_>,
    slots: &[Slot],
    written: &Written,
    part: &Part<'_>,
) -> PyResult<()> {
    let header = &slots[part.slot].header;
    let extent = match &part.place {
        Gradient::InPlace(data, kind) => Some(header.range_from(*data, *kind)),
        Gradient::Elsewhere(header) => header.view().extent(),
    };
    let Some(extent) = extent.filter(|extent| !extent.is_empty()) else { return Ok(()) };
    for other in written.hits(extent) {
        let slot = &slots[other];
        let states = slot.states.iter().map(|state| state.array.bind(py));
        for array in slot.array(py).into_iter().chain(states) {
            if part.gradient.shares_memory(&array)? {
                return Err(PyValueError::new_err(format!(
                    "the gradient of {} overlaps {} (or its state) in memory; pass a copy",
                    slots[part.slot].label, slot.label
                )));
            }
        }
    }
    Ok(())
}
