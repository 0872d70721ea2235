//! The norm of gradients on a device, and the search for what is not finite.

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::backend;
use super::clip::DeviceNorm;
use super::kept::Cuda;
use super::scales::OnDevice;
use crate::engine::OutOfMemory;
use crate::engine::memory::Grow;
use crate::number::{Kind, Precision};
use crate::optimizer::{Asked, NonFinite, Norm, Place, Scales, Step};
use crate::python::array::{Array, Seen};
use crate::python::python_arrays::PythonArrays;
use crate::rules::{LEAF, Scope};

/// The gradients on one device, as the kernels take them.
struct Gradients<'py> {
    device: i32,
    table: Py<PyAny>,
    leaves: usize,
    /// By row: the part that it is of, and its number of leaves.
    rows: Vec<(usize, usize)>,
    /// Contiguous copies that rows point into; memory is reused in the stream's order only.
    _copies: Vec<Bound<'py, PyAny>>,
}

impl<'py> Gradients<'py> {
    fn new(
        py: Python<'py>,
        cuda: &mut Cuda,
        device: i32,
        step: Step<'_, PythonArrays>,
    ) -> PyResult<Self> {
        let (mut table, mut rows, mut copies) = (Vec::new(), Vec::new(), Vec::new());
        let mut leaves = 0;
        for (i, part) in step.parts.iter().enumerate() {
            let Some(header) = part.apart() else { continue };
            if header.place != Place::Device(device) || header.len() == 0 {
                continue;
            }
            let address = if header.runs_in_place() {
                header.lowest()
            } else {
                let copy = backend(py, "contiguous", (part.gradient.bind(py).object(),))?;
                copies.try_push(copy.clone())?;
                Seen::of_copy(&Array::Device(copy))?.lowest()
            };
            let kind = number(header.format.kind, step.slot(part).header.precision());
            table.try_extend([address as i64, header.len() as i64, leaves as i64, kind])?;
            let of_this = header.len().div_ceil(LEAF);
            rows.try_push((i, of_this))?;
            leaves += of_this;
        }
        let table = cuda.tables.get(py, device, table)?;
        Ok(Gradients { device, table, leaves, rows, _copies: copies })
    }

    /// What the backend's reductions take.
    fn arguments(&self) -> (i32, &Py<PyAny>, usize, usize) {
        (self.device, &self.table, self.rows.len(), self.leaves)
    }
}

/// A gradient's kind as the kernels number it: a float64 one beside a narrower parameter is rounded
/// first.
pub(super) fn number(gradient: Kind, precision: Precision) -> i64 {
    match (gradient, precision) {
        (Kind::F16, _) => 0,
        (Kind::BF16, _) => 1,
        (Kind::F32, _) => 2,
        (Kind::F64, Precision::F32) => 3,
        (Kind::F64, Precision::F64) => 4,
    }
}

/// The devices that gradients lie on.
fn devices(step: Step<'_, PythonArrays>) -> Result<Vec<i32>, OutOfMemory> {
    let mut devices = Vec::new();
    for part in step.parts {
        let Place::Device(device) = step.slot(part).header.place else { continue };
        if let Err(place) = devices.binary_search(&device) {
            devices.try_reserve(1)?;
            devices.insert(place, device);
        }
    }
    Ok(devices)
}

/// The norm of the gradients, if all of them lie on one device and nobody has to know it now: it stays
/// there.
pub(in crate::python) fn norm(
    py: Python<'_>,
    cuda: &mut Cuda,
    step: Step<'_, PythonArrays>,
    asked: &Asked,
) -> PyResult<Option<(Norm<DeviceNorm>, Scales)>> {
    let (Some(max_norm), NonFinite::Propagate, None) =
        (asked.max_norm, asked.nonfinite, asked.norm)
    else {
        return Ok(None);
    };
    let on_host = |part| step.slot(part).header.place == Place::Host;
    let &[device] = &devices(step)?[..] else { return Ok(None) };
    if step.parts.iter().any(on_host) {
        return Ok(None);
    }
    let gradients = Gradients::new(py, cuda, device, step)?;
    let (device, table, count, leaves) = gradients.arguments();
    let longest = gradients.rows.iter().map(|(_, leaves)| *leaves).max().unwrap_or(0);
    let each = asked.clip == Scope::Tensor;
    let arguments = (device, table, count, leaves, longest, asked.grad_scale, max_norm, each);
    let (result, address) = backend(py, "clip", arguments)?.extract()?;
    let clip = DeviceNorm::new(result, OnDevice { address, each });
    Ok(Some((Norm::Elsewhere(clip), Scales::Same(asked.grad_scale))))
}

/// Each part's sums of squares, leaf by leaf, of the gradients on devices. Waits for them.
pub(in crate::python) fn leaf_sums(
    py: Python<'_>,
    cuda: &mut Cuda,
    step: Step<'_, PythonArrays>,
    by_part: &mut [Vec<f64>],
) -> PyResult<()> {
    for device in devices(step)? {
        let gradients = Gradients::new(py, cuda, device, step)?;
        let list = backend(py, "leaf_sums", gradients.arguments())?;
        let mut sums = list.cast::<PyList>()?.iter();
        for (part, leaves) in &gradients.rows {
            for sum in sums.by_ref().take(*leaves) {
                by_part[*part].try_push(sum.extract()?)?;
            }
        }
    }
    Ok(())
}

/// The first part on a device whose gradient is not finite once it is converted. Waits for it.
pub(in crate::python) fn first_nonfinite(
    py: Python<'_>,
    cuda: &mut Cuda,
    step: Step<'_, PythonArrays>,
) -> PyResult<Option<usize>> {
    let mut first = None;
    for device in devices(step)? {
        let gradients = Gradients::new(py, cuda, device, step)?;
        let row: usize = backend(py, "first_nonfinite", gradients.arguments())?.extract()?;
        let found = gradients.rows.get(row).map(|(part, _)| *part);
        first = [first, found].into_iter().flatten().min();
    }
    Ok(first)
}
