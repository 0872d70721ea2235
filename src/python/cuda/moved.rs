//! What a step has moved on devices: the parameters' old values are kept there until it has run.

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::backend;
use super::kept::Cuda;
use super::norm::number;
use crate::engine::memory::Grow;
use crate::number::Precision;
use crate::optimizer::{Place, Slot};
use crate::python::array::{Array, Seen};
use crate::python::python_arrays::PythonArrays;
use crate::rules::LEAF;

/// Copies, by slot, of what a step moves.
pub(in crate::python) struct Old(Vec<(usize, Option<Py<PyAny>>)>);

/// Copies the parameters on devices, behind all that is under way there.
pub(in crate::python) fn keep(
    py: Python<'_>,
    slots: &[Slot<PythonArrays>],
    moving: &[bool],
) -> PyResult<Option<Old>> {
    let mut kept = Vec::new();
    for (i, slot) in slots.iter().enumerate() {
        if let (Place::Device(_), Some(array)) = (slot.header.place, &slot.array) {
            let copy = || backend(py, "copy", (array.bind(py).object(),)).map(Bound::unbind);
            kept.try_push((i, moving[i].then(copy).transpose()?))?;
        }
    }
    Ok(Some(Old(kept)).filter(|old| !old.0.is_empty()))
}

/// The sums of the leaves, by slot: of what was added and of what was there. Waits for them.
pub(in crate::python) fn moved(
    py: Python<'_>,
    cuda: &mut Cuda,
    slots: &[Slot<PythonArrays>],
    old: &Old,
    sums: &mut [Vec<[f64; 2]>],
) -> PyResult<()> {
    for (i, old) in &old.0 {
        let slot = &slots[*i];
        let (Place::Device(device), Some(new)) = (slot.header.place, &slot.array) else { continue };
        let precision = slot.header.precision();
        let dtype = match precision {
            Precision::F32 => "float32",
            Precision::F64 => "float64",
        };
        let new = new.bind(py);
        let Some(old) = old else {
            let was = backend(py, "contiguous", (new.object(), dtype))?;
            for was in leaf_sums(cuda, device, &was, precision)? {
                sums[*i].try_push([0.0, was])?;
            }
            continue;
        };
        let pair = backend(py, "difference", (new.object(), old, dtype))?;
        let (added, was): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
        let added = leaf_sums(cuda, device, &added, precision)?;
        for (added, was) in added.into_iter().zip(leaf_sums(cuda, device, &was, precision)?) {
            sums[*i].try_push([added, was])?;
        }
    }
    Ok(())
}

/// The sums of one array in C order, of the compute type.
fn leaf_sums(
    cuda: &mut Cuda,
    device: i32,
    array: &Bound<'_, PyAny>,
    precision: Precision,
) -> PyResult<Vec<f64>> {
    let py = array.py();
    let seen = Seen::of_copy(&Array::Device(array.clone()))?;
    let leaves = seen.len().div_ceil(LEAF);
    let kind = number(seen.format.kind, precision);
    let table = vec![seen.lowest() as i64, seen.len() as i64, 0, kind];
    let table = cuda.tables.get(py, device, table)?;
    let list = backend(py, "leaf_sums", (device, table, 1, leaves))?;
    list.cast::<PyList>()?.extract()
}
