//! Who lies in the memory that a step writes.

use std::ops::Range;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::array::Array;
use super::slot::Slot;
use super::step::{Gradient, Part};
use crate::engine::Written;

/// Refuses arrays that share memory. `intervals` are their extents, each with its array's place.
pub(super) fn check_disjoint(
    places: &[(String, Array<'_>)],
    intervals: Vec<(Range<usize>, usize)>,
) -> PyResult<()> {
    let written = Written::new(intervals.clone());
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

/// All that a step writes, checked to be disjoint.
pub(super) fn written(py: Python<'_>, slots: &[Slot]) -> PyResult<Written> {
    let mut places = Vec::new();
    let mut intervals = Vec::new();
    for slot in slots {
        let states = slot.states.iter().map(|state| {
            let label = format!("state {:?} of {}", state.name, slot.label);
            (label, Some(state.array.bind(py)), &state.header)
        });
        let all = std::iter::once((slot.label.clone(), slot.array(py), &slot.header)).chain(states);
        for (label, array, header) in all {
            if let (Some(range), Some(array)) = (header.view().extent(), array) {
                intervals.push((range, places.len()));
                places.push((label, array));
            }
        }
    }
    check_disjoint(&places, intervals)?;
    // Owners of the intervals that gradients are held against: the parameter, whatever was hit.
    let mut intervals = Vec::new();
    for (i, slot) in slots.iter().enumerate() {
        let headers = slot.states.iter().map(|state| &state.header);
        for header in std::iter::once(&slot.header).chain(headers) {
            intervals.extend(header.view().extent().map(|range| (range, i)));
        }
    }
    Ok(Written::new(intervals))
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
