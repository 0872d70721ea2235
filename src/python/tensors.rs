//! A step of torch's tensors: what of it can be done without Python code.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::array::Exchange;
use super::core::Core;
use super::guard::guarded;
use super::scaling::{Arguments, Clip};

/// The gradients of the tensors, and those tensors that have one.
type Read<'py> = (Bound<'py, PyList>, Bound<'py, PyList>);

/// Steps with the gradients that the tensors have, and returns those tensors that have one. None, and
/// nothing done, if Python code has to look: if `groups` have others than `tensors`, if one is not where
/// its array is, or if a gradient is sparse or not in host memory.
#[pyfunction]
#[pyo3(signature = (core, groups, tensors, arrays, grad_scale=None))]
pub(super) fn step_tensors<'py>(
    core: &Bound<'py, Core>,
    groups: &Bound<'py, PyList>,
    tensors: &Bound<'py, PyList>,
    arrays: &Bound<'py, PyList>,
    grad_scale: Option<&Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyList>>> {
    guarded(|| {
        let Some((gradients, stepped)) = read(groups, tensors, arrays)? else { return Ok(None) };
        let scaling = Arguments { grad_scale, max_norm: None, clip: Clip::LeftOut, measure: None };
        Core::stepped(core, gradients.as_any(), &scaling)?;
        Ok(Some(stepped))
    })
}

fn read<'py>(
    groups: &Bound<'py, PyList>,
    tensors: &Bound<'py, PyList>,
    arrays: &Bound<'py, PyList>,
) -> PyResult<Option<Read<'py>>> {
    let py = groups.py();
    let (gradients, stepped) = (PyList::empty(py), PyList::empty(py));
    let Ok(first) = tensors.get_item(0) else { return Ok(None) };
    let Some(exchange) = Exchange::of(&first)? else { return Ok(None) };
    let mut known = tensors.iter().zip(arrays.iter());
    for group in groups {
        let Ok(group) = group.cast_into::<PyDict>() else { return Ok(None) };
        let Some(params) = group.get_item(intern!(py, "params"))? else { return Ok(None) };
        let Ok(params) = params.cast_into_exact::<PyList>() else { return Ok(None) };
        for tensor in params {
            let Some((other, array)) = known.next() else { return Ok(None) };
            let shown = |array| exchange.read(&tensor).is_some_and(|now| now.is_shown_by(array));
            if !tensor.is(&other) || !array.cast_exact().is_ok_and(shown) {
                return Ok(None);
            }
            let gradient = tensor.getattr(intern!(py, "grad"))?;
            if gradient.is_none() {
                gradients.append(gradient)?;
                continue;
            }
            let Some(now) = exchange.read(&gradient) else { return Ok(None) };
            if !now.is_plain() && gradient.call_method0(intern!(py, "is_neg"))?.is_truthy()? {
                return Ok(None);
            }
            let Some(array) = now.array(&gradient)? else { return Ok(None) };
            gradients.append(array)?;
            stepped.append(tensor)?;
        }
    }
    Ok(known.next().is_none().then_some((gradients, stepped)))
}
