//! A step by the NumPy reference in place of the engine.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet};

use super::array::{Array, Header};
use super::calling;
use super::group::Group;
use super::slot::Slot;
use super::step::Part;
use crate::engine::memory::{Grow, with_room};
use crate::engine::{self, View};
use crate::number::Precision;

/// The norm of all gradients together, before scaling.
pub(super) fn global_norm(
    reference: &Bound<'_, PyAny>,
    slots: &[Slot],
    parts: &[Part<'_>],
) -> PyResult<f64> {
    let dtype = |part: &Part<'_>| match slots[part.slot].header.precision() {
        Precision::F32 => "f4",
        Precision::F64 => "f8",
    };
    let gradients = PyList::empty(reference.py());
    let dtypes = PyList::empty(reference.py());
    for part in parts {
        gradients.append(part.gradient.object())?;
        dtypes.append(dtype(part))?;
    }
    calling::method(reference, "global_norm", (gradients, dtypes))?.extract()
}

/// Arrays that are to be written, and arrays of their new values.
pub(super) struct Results<'py> {
    views: Vec<(View, View)>,
    /// What the views are of.
    _old: Bound<'py, PyList>,
    _new: Vec<Array<'py>>,
}

impl Results<'_> {
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

/// Computes all new values; none is written.
pub(super) fn run<'py>(
    reference: &Bound<'py, PyAny>,
    rule: &str,
    slots: &[Slot],
    groups: &[Group],
    parts: &[Part<'py>],
    scale: f64,
) -> PyResult<Results<'py>> {
    let py = reference.py();
    let mut headers = Vec::new();
    let (old, computed) = (PyList::empty(py), PyList::empty(py));
    for part in parts {
        let slot = &slots[part.slot];
        let compiled = groups[slot.group].compiled()?;
        let Some(array) = slot.array(py) else { continue };
        let state = PyDict::new(py);
        for array in &slot.states {
            state.set_item(array.name.as_ref(), array.array.bind(py).object())?;
        }
        let fresh = PySet::empty(py)?;
        if part.fresh {
            for state in &compiled.states {
                fresh.add(state.name)?;
            }
        }
        let t = slot.step + 1;
        let options = &compiled.options;
        let (array, gradient) = (array.object(), part.gradient.object());
        let arguments = (rule, array, gradient, &state, options, t, fresh, scale);
        let (p, new): (Bound<'_, PyAny>, Bound<'_, PyDict>) =
            calling::method(reference, "update", arguments)?.extract()?;
        headers.try_push(&slot.header)?;
        old.append(array)?;
        computed.append(p)?;
        for known in &slot.states {
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
        let header = Header::of_copy(&new)?;
        if header.shape != old.shape || header.format != old.format {
            return Err(PyRuntimeError::new_err("the reference changed a shape or a type"));
        }
        views.push((old.view(), header.view()));
        arrays.push(new);
    }
    Ok(Results { views, _old: old, _new: arrays })
}
