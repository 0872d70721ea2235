//! The parts of a step: what is checked before anything is written, and the run itself.

use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use super::array::{Array, Header, shape_text, shares_memory};
use super::group::Compiled;
use super::slot::{Slot, StateArray};
use crate::engine::{Block, ControlGuard, Kinds, Plan, Precision, Written, all_finite, threads};
use crate::rules::{Clock, MAX_STATES};

/// Below this the step is shorter than giving the interpreter away and taking it back.
const DETACH_BYTES: usize = 128 * 1024;

/// One parameter's part in a step.
pub(super) struct Part<'py> {
    pub(super) slot: usize,
    pub(super) array: Array<'py>,
    pub(super) gradient: Array<'py>,
    pub(super) compiled: Arc<Compiled>,
    pub(super) fresh: bool,
    /// The gradient's address where it can run in place; else its header.
    pub(super) in_place: Result<usize, Header>,
}

/// The parts of all parameters that have a gradient, each gradient of the right type and shape.
pub(super) fn parts<'py>(
    slots: &[Slot],
    arrays: Vec<Array<'py>>,
    grads: Vec<Option<Array<'py>>>,
    compiled: &[Arc<Compiled>],
) -> PyResult<Vec<Part<'py>>> {
    let mut parts = Vec::with_capacity(arrays.len());
    for (i, (array, gradient)) in arrays.into_iter().zip(grads).enumerate() {
        let Some(gradient) = gradient else { continue };
        let slot = &slots[i];
        let in_place = match slot.header.beside(&gradient) {
            Some(data) => Ok(data),
            None => {
                let header = Header::of_gradient(&gradient, &slot.label)?;
                if header.shape != slot.header.shape {
                    return Err(PyValueError::new_err(format!(
                        "the gradient of {} has shape {}, wanted {}",
                        slot.label,
                        shape_text(&header.shape),
                        shape_text(&slot.header.shape)
                    )));
                }
                Err(header)
            }
        };
        let compiled = compiled[slot.group].clone();
        parts.push(Part { slot: i, array, gradient, compiled, fresh: false, in_place });
    }
    Ok(parts)
}

/// All that a step writes, checked to be disjoint.
pub(super) fn written(py: Python<'_>, slots: &[Slot]) -> PyResult<Written> {
    let mut places = Vec::new();
    let mut intervals = Vec::new();
    for slot in slots {
        let states = slot.states.iter().map(|state| {
            let label = format!("state {:?} of {}", state.name, slot.label);
            (label, Some(state.array.bind(py).clone()), &state.header)
        });
        let all = std::iter::once((slot.label.clone(), slot.array(py), &slot.header)).chain(states);
        for (label, array, header) in all {
            if let (Some(range), Some(array)) = (header.view().extent(), array) {
                intervals.push((range, places.len()));
                places.push((label, array));
            }
        }
    }
    let written = Written::new(intervals.clone());
    for (range, owner) in intervals {
        for other in written.hits(range).filter(|other| *other < owner) {
            let ((a, first), (b, second)) = (&places[other], &places[owner]);
            if first.is(second) {
                return Err(PyValueError::new_err(format!("{a} and {b} are the same array")));
            }
            if shares_memory(first, second)? {
                return Err(PyValueError::new_err(format!("{a} and {b} overlap in memory")));
            }
        }
    }
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

/// Makes what state is missing, for all parameters before any is kept.
/// Returns each slot that got some, with the number of arrays that it had.
pub(super) fn make_states(
    slots: &mut [Slot],
    parts: &mut [Part<'_>],
) -> PyResult<Vec<(usize, usize)>> {
    let mut made = Vec::new();
    for part in parts {
        let slot = &slots[part.slot];
        let has = |name| slot.states.iter().any(|have| have.name == name);
        if !part.compiled.states.iter().all(|state| has(state.name)) {
            made.push((part.slot, slot.missing(&part.array, &part.compiled.states)?));
            part.fresh = true;
        }
    }
    let keep = |(slot, states): (usize, Vec<StateArray>)| {
        let have = &mut slots[slot].states;
        let known = have.len();
        have.extend(states);
        (slot, known)
    };
    Ok(made.into_iter().map(keep).collect())
}

pub(super) fn check_overlap(
    py: Python<'_>,
    slots: &[Slot],
    written: &Written,
    part: &Part<'_>,
) -> PyResult<()> {
    let extent = match &part.in_place {
        Ok(data) => Some(slots[part.slot].header.range_from(*data)),
        Err(header) => header.view().extent(),
    };
    let Some(extent) = extent.filter(|extent| !extent.is_empty()) else { return Ok(()) };
    for other in written.hits(extent) {
        let slot = &slots[other];
        let states = slot.states.iter().map(|state| state.array.bind(py).clone());
        for array in slot.array(py).into_iter().chain(states) {
            if shares_memory(&part.gradient, &array)? {
                return Err(PyValueError::new_err(format!(
                    "the gradient of {} overlaps {} (or its state) in memory; pass a copy",
                    slots[part.slot].label, slot.label
                )));
            }
        }
    }
    Ok(())
}

/// The first parameter whose gradient is not finite once it is converted.
pub(super) fn find_nonfinite(slots: &[Slot], parts: &[Part<'_>]) -> Option<usize> {
    let _control = ControlGuard::new();
    let finite = |part: &&Part<'_>| {
        let slot = &slots[part.slot];
        let view = match &part.in_place {
            Ok(data) => {
                let mut view = slot.header.view();
                view.data = *data as *mut u8;
                view.strides = c_strides(&view.shape, view.format.kind.size());
                view
            }
            Err(header) => header.view(),
        };
        // SAFETY: the header was read in this call and the gradient is held.
        unsafe { all_finite(&view, slot.header.precision()) }
    };
    parts.iter().find(|part| !finite(part)).map(|part| part.slot)
}

fn c_strides(shape: &[usize], size: usize) -> Vec<isize> {
    let mut strides = vec![size as isize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

/// Runs the parts, without the interpreter if they are large.
pub(super) fn run(
    py: Python<'_>,
    slots: &[Slot],
    plan: &mut Plan,
    parts: &[Part<'_>],
) -> PyResult<()> {
    let _control = ControlGuard::new();
    plan.clear();
    let mut blocks: Vec<((usize, Clock, Precision), usize)> = Vec::new();
    for part in parts {
        let slot = &slots[part.slot];
        let Compiled { method, kernel, prelude, .. } = &*part.compiled;
        let precision = slot.header.precision();
        let clock = Clock { t: slot.step + 1, fresh: part.fresh };
        let key = (slot.group, clock, precision);
        let block = match blocks.iter().rev().find(|(known, _)| *known == key) {
            Some((_, block)) => *block,
            None => {
                let block = plan.block(Block::new(method.scalars(clock), prelude, precision));
                blocks.push((key, block));
                block
            }
        };
        let mut states = [&slot.header; MAX_STATES];
        for (place, wanted) in states.iter_mut().zip(&part.compiled.states) {
            if let Some(found) = slot.states.iter().find(|have| have.name == wanted.name) {
                *place = &found.header;
            }
        }
        let states = &states[..kernel.states()];
        let decay = prelude.coupled_decay();
        let in_place = slot.header.runs_in_place() && states.iter().all(|s| s.runs_in_place());
        let mut pointers = [std::ptr::null_mut(); MAX_STATES];
        for (pointer, state) in pointers.iter_mut().zip(states) {
            *pointer = state.pointer();
        }
        // SAFETY: all headers were read or compared in this call, under the lock; parameters and
        // states are writable and disjoint (`written`), gradients overlap none of them
        // (`check_overlap`), and `parts` holds every array until the run is over.
        let pushed = unsafe {
            match &part.in_place {
                Ok(data) if in_place => plan.push_dense(
                    *kernel,
                    decay,
                    block,
                    Kinds::native(precision),
                    slot.header.pointer(),
                    *data as *const u8,
                    &pointers[..states.len()],
                    slot.header.len(),
                ),
                other => {
                    let p = slot.header.view();
                    let g = match other {
                        Ok(data) => {
                            let mut g = slot.header.view();
                            g.data = *data as *mut u8;
                            g
                        }
                        Err(header) => header.view(),
                    };
                    let states: Vec<_> = states.iter().map(|state| state.view()).collect();
                    plan.push(*kernel, decay, block, &p, &g, &states)
                }
            }
        };
        pushed.map_err(|error| PyTypeError::new_err(error.to_string()))?;
    }
    let plan = &*plan;
    let threads = threads::count();
    // SAFETY: as above; without the interpreter too, since the arrays are held and another
    // thread that resizes or writes them meanwhile is as unsafe as it is with NumPy itself.
    let run = || unsafe { plan.run(threads) };
    if plan.bytes() > DETACH_BYTES {
        py.detach(run)
    } else {
        run()
    }
    Ok(())
}
