//! A step by the NumPy reference in place of the engine.

use numpy::npyffi::PY_ARRAY_API;
use numpy::{PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet};

use super::array::HostArray;
use super::calling;
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
    calling::method(reference, "global_norm", (gradients, dtypes))?.extract()
}

/// Arrays that are to be written, each with its new values, of its shape and type.
pub(super) struct Results<'py>(Vec<(HostArray<'py>, HostArray<'py>)>);

impl Results<'_> {
    /// Writes them. By NumPy's C function: no Python code runs in between, and a subclass has no say
    /// in it.
    pub(super) fn write(&self, py: Python<'_>) -> PyResult<()> {
        for (old, new) in &self.0 {
            let (to, from) = (old.as_array_ptr(), new.as_array_ptr());
            // SAFETY: both are arrays, alive.
            if unsafe { PY_ARRAY_API.PyArray_CopyInto(py, to, from) } != 0 {
                return Err(PyErr::fetch(py));
            }
        }
        Ok(())
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
    let mut results = Vec::new();
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
        results.push((array.clone(), p));
        for (name, value) in &new {
            if let Some(old) = state.get_item(&name)? {
                results.push((old, value));
            }
        }
    }
    let (old, new): (Vec<_>, Vec<_>) = results.into_iter().unzip();
    let new: Vec<HostArray<'_>> = calling::method(reference, "rounded", (&old, new))?.extract()?;
    let mut pairs = Vec::with_capacity(old.len());
    for (old, new) in old.into_iter().zip(new) {
        let old = old.cast_into::<PyUntypedArray>()?;
        if old.shape() != new.shape() || !old.dtype().is_equiv_to(&new.dtype()) {
            return Err(PyRuntimeError::new_err("the reference changed a shape or a type"));
        }
        pairs.push((old, new));
    }
    Ok(Results(pairs))
}
