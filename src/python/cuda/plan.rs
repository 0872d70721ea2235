//! The update kernels of a step.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::backend;
use super::clip::DeviceNorm;
use super::factors;
use super::growing::{Growing, grow};
use super::kept::{Cuda, Kernels, taken};
use super::launch::Launch;
use super::measuring::{self, Tensors};
use super::scales::{Numbers, Scale};
use super::whole::Workspaces;
use crate::engine::ControlGuard;
use crate::engine::memory::{Grow, try_collect, with_room};
use crate::number::Precision;
use crate::optimizer::{Compiled, Norm, Scales, Scaling, Step};
use crate::python::caller::Caller;
use crate::python::python_arrays::PythonArrays;
use crate::rules::MAX_SUMS;

impl Cuda {
    /// The launches of the parts that lie on devices, their kernels compiled and their tables written.
    pub(in crate::python) fn plan(
        &mut self,
        caller: Caller<'_>,
        step: Step<'_, PythonArrays>,
        scaling: Scaling<'_, DeviceNorm>,
        sums: &[[f64; MAX_SUMS]],
    ) -> PyResult<Vec<Launch>> {
        let (growing, numbers) = grow(caller, step, scaling.1)?;
        let mut launches = with_room(growing.len())?;
        let workspaces = Workspaces::new(caller.py, &growing)?;
        for launch in growing {
            let scale = scale(caller.py, scaling, &numbers, launch.key.device)?;
            let compiled = &step.groups[launch.key.group].compiled;
            launches.push(match (compiled.method.whole(), launch.key.matrix) {
                (Some(whole), Some(shape)) => {
                    let taken = taken(caller.py, compiled, &launch, scale, None)?;
                    self.whole(caller.py, (compiled, whole, shape), launch, taken, &workspaces)?
                }
                _ => self.finish(caller.py, compiled, launch, scale, sums)?,
            });
        }
        Ok(launches)
    }

    /// What the leaves of the parts on devices add to sums over all parameters, by part. Waits for it.
    pub(in crate::python) fn terms(
        &mut self,
        caller: Caller<'_>,
        step: Step<'_, PythonArrays>,
        scaling: Scaling<'_, DeviceNorm>,
        by_part: &mut [Vec<[f64; MAX_SUMS]>],
    ) -> PyResult<()> {
        let py = caller.py;
        let (growing, numbers) = grow(caller, step, scaling.1)?;
        let mut launched = Vec::new();
        for launch in growing {
            let (key, compiled) = (launch.key, &step.groups[launch.key.group].compiled);
            let Some((terms, _)) = &self.kernels_of(py, &launch, compiled)?.measuring else {
                continue;
            };
            let terms = terms.clone_ref(py);
            let scale = scale(py, scaling, &numbers, key.device)?;
            let taken = taken(py, compiled, &launch, scale, None)?;
            let lengths = try_collect(launch.lengths())?;
            let count = launch.kernel.measuring().map_or(0, |rule| rule.sums());
            let table = self.tables.get(py, key.device, launch.rows)?;
            let tensors =
                Tensors { device: key.device, table: &table, lengths, parts: launch.parts };
            let update = (taken.scalars, taken.clip.0, taken.clip.1);
            let of_leaves =
                measuring::of_leaves(py, &mut self.tables, &terms, count, &tensors, update)?;
            // Copies and tables stay until the kernels have been waited for.
            launched.try_push((
                of_leaves,
                tensors.lengths,
                tensors.parts,
                launch.copies,
                taken.held,
            ))?;
        }
        for (of_leaves, lengths, parts, ..) in &launched {
            measuring::read_leaves(py, of_leaves, lengths, parts, by_part)?;
        }
        Ok(())
    }

    fn finish(
        &mut self,
        py: Python<'_>,
        compiled: &Compiled,
        growing: Growing,
        scale: Scale,
        over_all: &[[f64; MAX_SUMS]],
    ) -> PyResult<Launch> {
        let precision = Precision::of(growing.key.kinds.p);
        let kernels = self.kernels_of(py, &growing, compiled)?;
        let Kernels { update, factors, measuring, .. } = kernels;
        let of_factors = factors.as_ref().map(|kernels| kernels.clone_ref(py));
        let update = update.clone_ref(py);
        let own_kernels = match measuring {
            Some((terms, Some(measured))) => Some((terms.clone_ref(py), measured.clone_ref(py))),
            _ => None,
        };
        let taken = taken(py, compiled, &growing, scale, Some(over_all))?;
        let lengths = try_collect(growing.lengths())?;
        let Growing { key, kernel, rows, count, chunks, copies, parts, .. } = growing;
        let Growing { unrounded, matrices, .. } = growing;
        let (device, (clip, apart)) = (key.device, taken.clip);
        let table = self.tables.get(py, device, rows)?;
        let passed = (taken.scalars.clone(), clip, apart);
        let beside = match (of_factors, compiled.method.factored()) {
            (Some(kernels), Some(rule)) => {
                let averages = {
                    let _control = ControlGuard::new();
                    rule.averages(key.clock)
                };
                let (tables, tensors) = (&mut self.tables, (device, &table, &matrices[..]));
                factors::make(py, tables, &kernels, tensors, &passed, (averages, precision))?
            }
            _ => PyTuple::empty(py),
        };
        let (mut own, mut sums) = (None, None);
        if let (Some(rule), Some(kernels)) = (kernel.measuring(), &own_kernels) {
            let tensors = Tensors { device, table: &table, lengths, parts };
            let each = (!unrounded.is_empty())
                .then(|| backend(py, "upload", (device, PyBytes::new(py, &unrounded))))
                .transpose()?;
            let unrounded = PyBytes::new(py, &rule.unrounded(&taken.block));
            let given = (passed, (unrounded, each, rule.own(precision)));
            let (tables, count) = (&mut self.tables, rule.sums());
            let found = measuring::take(py, tables, kernels, count, tensors, given, &beside)?;
            own = Some(found.0);
            sums = Some(found.1).filter(|_| compiled.method.remembers_sums());
        }
        let arguments = (device, chunks, table, count, taken.scalars, clip, apart, own, beside);
        let (device, arguments) = backend(py, "arguments", arguments)?.extract()?;
        Ok(Launch {
            device,
            calls: vec![(update, arguments)],
            copies,
            held: taken.held.into_iter().collect(),
            sums,
        })
    }
}

/// What multiplies the gradients on a device.
fn scale(
    py: Python<'_>,
    (norm, scales): Scaling<'_, DeviceNorm>,
    numbers: &Numbers,
    device: i32,
) -> PyResult<Scale> {
    match (norm, scales) {
        (Norm::Elsewhere(clip), _) => Ok(Scale::OnDevice(clip.scales(), None)),
        (_, Scales::Same(scale)) => Ok(Scale::Known(*scale)),
        (_, Scales::Each(_)) => numbers.upload(py, device),
    }
}
