//! A step by the NumPy reference in place of the engine.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet};

use super::group::Group;
use super::slot::Slot;
use super::step::Part;
use crate::engine::Precision;

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
    let gradients: Vec<_> = parts.iter().map(|part| part.gradient.object()).collect();
    let dtypes: Vec<_> = parts.iter().map(dtype).collect();
    reference.call_method1("global_norm", (gradients, dtypes))?.extract()
}

/// Computes all new values before the first is written.
pub(super) fn run(
    reference: &Bound<'_, PyAny>,
    rule: &str,
    slots: &[Slot],
    groups: &[Group],
    parts: &[Part<'_>],
    scale: f64,
) -> PyResult<()> {
    let py = reference.py();
    let mut results = Vec::new();
    for part in parts {
        let slot = &slots[part.slot];
        let compiled = groups[slot.group].compiled()?;
        let Some(array) = slot.array(py) else { continue };
        let state = PyDict::new(py);
        for array in &slot.states {
            state.set_item(&array.name, array.array.bind(py).object())?;
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
            reference.call_method1("update", arguments)?.extract()?;
        results.push((array.clone(), p));
        for (name, value) in &new {
            if let Some(old) = state.get_item(&name)? {
                results.push((old, value));
            }
        }
    }
    let (old, new): (Vec<_>, Vec<_>) = results.into_iter().unzip();
    let new: Vec<Bound<'_, PyAny>> = reference.call_method1("rounded", (&old, new))?.extract()?;
    // Copies between equal types: no Python code, so no signal's handler, in between.
    old.iter().zip(new).try_for_each(|(old, new)| old.set_item(py.Ellipsis(), new))
}
