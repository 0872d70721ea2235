//! A step by the NumPy reference in place of the engine.

use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet};

use super::array::{Array, Held, Seen};
use super::caller::Caller;
use super::calling;
use super::python_arrays::PythonArrays;
use super::rows::indices;
use super::words::differs;
use crate::engine::memory::{Grow, with_room};
use crate::engine::{self, View};
use crate::number::Precision;
use crate::optimizer::{Asked, Gradient, Looks, Part, Scales, Step};
use crate::rules::Scope;

/// A gradient as the reference takes it: an array, or a pair of indices and values.
fn gradient<'py>(py: Python<'py>, part: &Part<PythonArrays>) -> PyResult<Bound<'py, PyAny>> {
    let array = part.gradient.bind(py).object().clone();
    match &part.place {
        Gradient::Rows(rows) => {
            let pair = (indices(py, &rows.occurrences)?, array);
            Ok(pair.into_pyobject(py)?.into_any())
        }
        Gradient::InPlace(..) | Gradient::AnyLayout(_) => Ok(array),
    }
}

/// The norm of all gradients together, and what follows from it or from the norm of each.
pub(super) fn measure(
    reference: &Bound<'_, PyAny>,
    step: Step<'_, PythonArrays>,
    asked: &Asked,
) -> PyResult<(f64, Scales)> {
    let py = reference.py();
    let norm = |parts: &[Part<PythonArrays>]| -> PyResult<f64> {
        let (gradients, dtypes) = (PyList::empty(py), PyList::empty(py));
        for part in parts {
            gradients.append(gradient(py, part)?)?;
            dtypes.append(match step.slot(part).header.precision() {
                Precision::F32 => "f4",
                Precision::F64 => "f8",
            })?;
        }
        let norm = calling::method(reference, "global_norm", (gradients, dtypes))?;
        Ok(norm.extract::<f64>()? * asked.grad_scale.abs())
    };
    let scale = |norm: f64| -> PyResult<f64> {
        let factor = calling::method(reference, "clip_factor", (norm, asked.max_norm))?;
        Ok(asked.grad_scale * factor.extract::<f64>()?)
    };
    let all = asked.norm.map_or_else(|| norm(step.parts), Ok)?;
    let scales = match asked.clip {
        Scope::All => Scales::Same(scale(all)?),
        Scope::Tensor => {
            let mut scales = with_room(step.parts.len())?;
            for part in step.parts {
                scales.push(scale(norm(std::slice::from_ref(part))?)?);
            }
            Scales::Each(scales)
        }
    };
    Ok((all, scales))
}

/// Arrays that are to be written, and arrays of their new values.
pub(super) struct Results {
    views: Vec<(View, View)>,
    /// What the views are of.
    old_arrays: Py<PyList>,
    new_arrays: Vec<Held>,
}

// SAFETY: the pointers are the only members that are not Send; they are not read through before
// `write`, whose caller vouches for the memory.
unsafe impl Send for Results {}

impl Results {
    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.old_arrays)?;
        self.new_arrays.iter().try_for_each(|array| array.traverse(visit))
    }

    /// Writes them: it cannot fail, and no Python code runs in between.
    ///
    /// # Safety
    /// The arrays to be written are what they were when the step was checked.
    pub(super) unsafe fn write(&self) {
        for (to, from) in &self.views {
            // SAFETY: passed on from the caller; the new arrays are ours alone, and of one shape and
            // format with the old ones.
            unsafe { engine::copy(from, to) };
        }
    }
}

/// The reference's number and the rule's, which remember each for itself, must be the same.
fn check_memory(new: &Bound<'_, PyDict>, name: &str, wanted: f64) -> PyResult<()> {
    let found = new.get_item(name)?.map(|value| value.extract::<f64>()).transpose()?;
    let same =
        |found: f64| found.to_bits() == wanted.to_bits() || (found.is_nan() && wanted.is_nan());
    if found.is_some_and(same) {
        return Ok(());
    }
    let message = format!("the reference's {name} must be {wanted}, found {found:?}");
    Err(PyRuntimeError::new_err(message))
}

/// Computes all new values; none is written.
pub(super) fn run(
    caller: Caller<'_>,
    step: Step<'_, PythonArrays>,
    scales: &Scales,
) -> PyResult<Results> {
    let (py, settings) = (caller.py, caller.settings);
    let Some(reference) = &settings.reference else {
        return Err(PyRuntimeError::new_err("there is no reference to run"));
    };
    let reference = reference.bind(py);
    let (mut parts, steps) = (with_room(step.parts.len())?, PyList::empty(py));
    for (i, part) in step.parts.iter().enumerate() {
        let slot = step.slot(part);
        let Some(array) = &slot.array else { continue };
        let state = PyDict::new(py);
        for known in step.all_states(part) {
            state.set_item(known.name.as_ref(), known.array.bind(py).object())?;
        }
        let clock = step.clock(part);
        let numbers = &step.group(part).compiled.memory;
        for (number, value) in numbers.iter().zip(clock.memory.0) {
            state.set_item(number.name, value)?;
        }
        let fresh = PySet::empty(py)?;
        if !part.made.is_empty() {
            for state in &step.group(part).compiled.of(&slot.header.shape).states {
                fresh.add(state.name)?;
            }
        }
        let options = caller.groups[slot.group].options();
        let (array, gradient) = (array.bind(py).object().clone(), gradient(py, part)?);
        steps.append((&array, gradient, state, options, clock.t, fresh, scales.of(i)))?;
        parts.push((part, array));
    }
    let steps: Vec<(Bound<'_, PyAny>, Bound<'_, PyDict>)> =
        calling::method(reference, "update_all", (&settings.rule, steps))?.extract()?;
    let mut headers = Vec::new();
    let (old, computed) = (PyList::empty(py), PyList::empty(py));
    for ((part, array), (p, new)) in parts.into_iter().zip(steps) {
        let numbers = &step.group(part).compiled.memory;
        for (number, wanted) in numbers.iter().zip(part.memory.unwrap_or_default().0) {
            check_memory(&new, number.name, wanted)?;
        }
        headers.try_push(&step.slot(part).header)?;
        old.append(array)?;
        computed.append(p)?;
        for known in step.all_states(part) {
            if let Some(value) = new.get_item(known.name.as_ref())? {
                headers.try_push(&known.header)?;
                old.append(known.array.bind(py).object())?;
                computed.append(value)?;
            }
        }
    }
    let rounded = calling::method(reference, "rounded", (&old, computed))?;
    let (mut views, mut arrays) = (with_room(headers.len())?, with_room(headers.len())?);
    for (old, new) in headers.into_iter().zip(rounded.cast::<PyList>()?) {
        let new = Array::Host(new.cast_into()?);
        let header = Seen::of_copy(&new)?;
        if header.shape != old.shape || header.format != old.format {
            let (found, wanted) = (Looks::of(&header), Looks::of(old));
            return Err(PyRuntimeError::new_err(differs("the reference's array", &found, &wanted)));
        }
        views.push((old.view(), header.view()));
        arrays.push(new.hold());
    }
    Ok(Results { views, old_arrays: old.unbind(), new_arrays: arrays })
}
