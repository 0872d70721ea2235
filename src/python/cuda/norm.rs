//! The norm of gradients on a device, and the search for what is not finite.

use pyo3::prelude::*;
use pyo3::types::PyList;

use super::backend;
use super::launch::Cuda;
use crate::engine::memory::{Grow, with_room};
use crate::number::{Kind, Precision};
use crate::python::array::{Array, Header, Place};
use crate::python::slot::Slot;
use crate::python::step::{Gradient, Part};
use crate::rules::LEAF;

/// A norm and the factor that follows from it, on a device: nobody has waited for them.
pub(in crate::python) struct Clip {
    /// What the backend reads the norm from: three float64 (the norm, the scale, and the scale in
    /// float32), and the stream that they are made on.
    result: Py<PyAny>,
    address: usize,
}

impl Clip {
    /// Waits for the norm.
    pub(in crate::python) fn norm(&self, py: Python<'_>) -> PyResult<f64> {
        backend(py, "read_norm", (&self.result,))?.extract()
    }

    /// The address of the scale in the compute type.
    pub(super) fn scale(&self, precision: Precision) -> usize {
        match precision {
            Precision::F64 => self.address + 8,
            Precision::F32 => self.address + 16,
        }
    }
}

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
        slots: &[Slot],
        parts: &[Part<'py>],
    ) -> PyResult<Self> {
        let (mut table, mut rows, mut copies) = (Vec::new(), Vec::new(), Vec::new());
        let mut leaves = 0;
        for (i, part) in parts.iter().enumerate() {
            let Gradient::Elsewhere(header) = &part.place else { continue };
            if header.place != Place::Device(device) || header.len() == 0 {
                continue;
            }
            let address = if header.runs_in_place() {
                header.lowest()
            } else {
                let copy = backend(py, "contiguous", (part.gradient.object(),))?;
                copies.try_push(copy.clone())?;
                Header::of_copy(&Array::Device(copy))?.lowest()
            };
            let kind = number(header.format.kind, slots[part.slot].header.precision());
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
fn number(gradient: Kind, precision: Precision) -> i64 {
    match (gradient, precision) {
        (Kind::F16, _) => 0,
        (Kind::BF16, _) => 1,
        (Kind::F32, _) => 2,
        (Kind::F64, Precision::F32) => 3,
        (Kind::F64, Precision::F64) => 4,
    }
}

/// The norm of the gradients, all of which lie on one device. Waits for nothing.
pub(in crate::python) fn measure(
    py: Python<'_>,
    cuda: &mut Cuda,
    device: i32,
    slots: &[Slot],
    parts: &[Part<'_>],
    grad_scale: f64,
    max_norm: f64,
) -> PyResult<Clip> {
    let gradients = Gradients::new(py, cuda, device, slots, parts)?;
    let (device, table, count, leaves) = gradients.arguments();
    let arguments = (device, table, count, leaves, grad_scale, max_norm);
    let (result, address) = backend(py, "clip", arguments)?.extract()?;
    Ok(Clip { result, address })
}

/// Sums of squares, leaf by leaf, of the parts on one device.
pub(in crate::python) struct PartSums {
    /// A part, and its number of leaves.
    rows: Vec<(usize, usize)>,
    sums: Vec<f64>,
}

/// Each part's sums of squares, leaf by leaf, of the gradients on one device. Waits for it.
pub(in crate::python) fn leaf_sums(
    py: Python<'_>,
    cuda: &mut Cuda,
    device: i32,
    slots: &[Slot],
    parts: &[Part<'_>],
) -> PyResult<PartSums> {
    let gradients = Gradients::new(py, cuda, device, slots, parts)?;
    let list = backend(py, "leaf_sums", gradients.arguments())?;
    let mut sums = with_room(gradients.leaves)?;
    for sum in list.cast::<PyList>()? {
        sums.try_push(sum.extract()?)?;
    }
    Ok(PartSums { rows: gradients.rows, sums })
}

impl PartSums {
    /// Each part with its sums.
    pub(in crate::python) fn iter(&self) -> impl Iterator<Item = (usize, &[f64])> {
        let mut rest = &self.sums[..];
        self.rows.iter().map(move |(part, leaves)| {
            let (sums, others) = rest.split_at(*leaves);
            rest = others;
            (*part, sums)
        })
    }
}

/// The first part on the device whose gradient is not finite once it is converted. Waits for it.
pub(in crate::python) fn find_nonfinite(
    py: Python<'_>,
    cuda: &mut Cuda,
    device: i32,
    slots: &[Slot],
    parts: &[Part<'_>],
) -> PyResult<Option<usize>> {
    let gradients = Gradients::new(py, cuda, device, slots, parts)?;
    let row: usize = backend(py, "first_nonfinite", gradients.arguments())?.extract()?;
    Ok(gradients.rows.get(row).map(|(part, _)| *part))
}
