//! Matrices on devices that are updated as wholes: what the rule makes of gradient and state, in a workspace;
//! what is made of that; and the update. All of it is launched when the step is sure, since the first
//! part writes state.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::backend;
use super::growing::{Growing, ROW};
use super::kept::{Cuda, Kernels, Taken};
use super::launch::{Call, Launch};
use super::norm;
use crate::cuda::{Room, TraceKernel};
use crate::engine::memory::Grow;
use crate::engine::{ControlGuard, OutOfMemory};
use crate::number::{Kinds, Precision};
use crate::optimizer::Compiled;
use crate::rules::{LEAF, NewtonSchulz, Whole, descent};

/// A workspace for each device, as large as the launch needs that needs most: launches follow each other.
pub(super) struct Workspaces(Vec<(i32, usize, Py<PyAny>)>);

impl Workspaces {
    pub(super) fn new(py: Python<'_>, growing: &[Growing]) -> PyResult<Self> {
        let mut needs: Vec<(i32, usize)> = Vec::new();
        for launch in growing {
            let Some(shape) = launch.key.matrix else { continue };
            let size = Precision::of(launch.key.kinds.p).kind().size();
            let bytes = Room::new(launch.count, shape).elements.saturating_mul(size);
            match needs.iter_mut().find(|(device, _)| *device == launch.key.device) {
                Some((_, most)) => *most = bytes.max(*most),
                None => needs.try_push((launch.key.device, bytes))?,
            }
        }
        let mut made = Vec::new();
        for (device, bytes) in needs {
            let array = backend(py, "workspace", (device, bytes))?;
            let address = backend(py, "address", (&array,))?.extract()?;
            made.try_push((device, address, array.unbind()))?;
        }
        Ok(Workspaces(made))
    }

    /// Where it begins, and what keeps it.
    fn of(&self, py: Python<'_>, device: i32) -> PyResult<(usize, Py<PyAny>)> {
        let known = self.0.iter().find(|(known, ..)| *known == device);
        let (_, address, array) = known.ok_or(OutOfMemory)?; // one was made for each device
        Ok((*address, array.clone_ref(py)))
    }
}

impl Cuda {
    /// The launches of matrices of one shape, whose rule's scalars are there.
    pub(super) fn whole(
        &mut self,
        py: Python<'_>,
        (compiled, whole, shape): (&Compiled, &dyn Whole, [usize; 2]),
        growing: Growing,
        taken: Taken<'_>,
        workspaces: &Workspaces,
    ) -> PyResult<Launch> {
        let (device, count, chunks) = (growing.key.device, growing.count, growing.chunks);
        let (kinds, elements) = (growing.key.kinds, shape[0] * shape[1]);
        let precision = Precision::of(kinds.p);
        let compute = precision.kind();
        let (workspace, held) = workspaces.of(py, device)?;

        let first_kinds = Kinds { p: compute, ..kinds };
        let Kernels { update, whole: kernels, .. } =
            self.kernels(py, device, growing.kernel, first_kinds, false)?;
        let (update, kernels) =
            (update.clone_ref(py), kernels.as_ref().map(|all| all.clone_ref(py)));
        let (kernel, scalars) = {
            // A foreign rounding mode or flush-to-zero touches no scalar.
            let _control = ControlGuard::new();
            let (kernel, block) = descent(whole.step(shape), TraceKernel);
            let prelude = compiled.prelude.scalars(precision.smallest_normal()).decay_alone();
            (kernel, kernel.scalars(&block, &prelude, precision))
        };
        let scalars = PyBytes::new(py, &scalars);
        let last_kinds = Kinds { p: kinds.p, ..Kinds::native(precision) };
        let descend = self.kernels(py, device, kernel, last_kinds, false)?.update.clone_ref(py);

        // The matrices lie in the parameters' place first, and then in the gradients'.
        let matrix = |i: usize| (workspace + i * elements * compute.size()) as i64;
        let (mut first, mut last) = (Vec::new(), Vec::new());
        first.try_extend(growing.rows.iter().copied())?;
        last.try_extend(growing.rows.iter().copied())?;
        for (i, (first, last)) in first.chunks_mut(ROW).zip(last.chunks_mut(ROW)).enumerate() {
            (first[0], last[1]) = (matrix(i), matrix(i));
        }
        let mut call =
            |kernel, rows, scalars, (clip, apart): (usize, usize)| -> PyResult<(Py<PyAny>, Call)> {
                let table = self.tables.get(py, device, rows)?;
                let own: Option<Py<PyAny>> = None;
                let arguments =
                    (device, chunks, table, count, scalars, clip, apart, own, PyTuple::empty(py));
                let (device, arguments) = backend(py, "arguments", arguments)?.extract()?;
                Ok((device, (kernel, arguments)))
            };
        let (_, first) = call(update, first, taken.scalars, taken.clip)?;
        let (on_device, last) = call(descend, last, scalars, (0, 0))?;
        let mut calls = vec![first];
        let between = self.orthogonal(
            py,
            (device, kernels),
            (precision, workspace),
            (count, shape),
            whole.iteration(),
        )?;
        calls.try_extend(between)?;
        calls.try_push(last)?;
        let held = taken.held.into_iter().chain([held]).collect();
        Ok(Launch { device: on_device, calls, copies: growing.copies, held, sums: None })
    }

    /// What makes the matrices at the beginning of a workspace orthogonal.
    fn orthogonal(
        &mut self,
        py: Python<'_>,
        (device, kernels): (i32, Option<Py<PyAny>>),
        (precision, workspace): (Precision, usize),
        (count, shape): (usize, [usize; 2]),
        iteration: NewtonSchulz,
    ) -> PyResult<Vec<Call>> {
        let (room, elements, size) =
            (Room::new(count, shape), shape[0] * shape[1], precision.kind().size());
        let (leaves, kind) = (elements.div_ceil(LEAF), norm::number(precision.kind(), precision));
        let mut summed = Vec::new();
        for i in 0..count {
            let matrix = workspace + i * elements * size;
            summed.try_extend([matrix as i64, elements as i64, (i * leaves) as i64, kind])?;
        }
        let summed = self.tables.get(py, device, summed)?;
        let NewtonSchulz { coefficients, eps, steps } = iteration;
        let at = |place: usize| workspace + place * size;
        let places =
            (at(0), room.x.map(at), room.turned.map(at), at(room.gram), at(room.polynomial));
        let (rows, columns) = (shape[0].min(shape[1]), shape[0].max(shape[1]));
        let blocks = (room.blocks(rows, rows), room.blocks(rows, columns));
        let settings = (coefficients.to_vec(), eps, steps);
        let sizes = (count, shape, room.lines(), leaves, blocks);
        let of = (kernels, precision.kind().name());
        backend(py, "orthogonal", (device, of, summed, sizes, places, settings))?.extract()
    }
}
