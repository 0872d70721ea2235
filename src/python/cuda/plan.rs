//! The update kernels of a step.

use std::any::TypeId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::backend;
use super::clip::DeviceNorm;
use super::growing::{Growing, grow};
use super::launch::Launch;
use super::measuring::{self, Tensors};
use super::scales::{Numbers, Scale};
use super::tables::Tables;
use crate::engine::ControlGuard;
use crate::engine::memory::{Grow, try_collect, with_room};
use crate::number::{Kinds, Precision};
use crate::optimizer::{Compiled, Group, Norm, Scales, Scaling, Step};
use crate::python::caller::Caller;
use crate::python::python_arrays::PythonArrays;
use crate::rules::{MAX_SUMS, ScalarBlock, Scope};

/// What an optimizer keeps for its devices.
#[derive(Default)]
pub(in crate::python) struct Cuda {
    pub(super) tables: Tables,
    kernels: HashMap<(i32, TypeId, Kinds, bool), Kernels>,
}

/// The kernels of a rule.
struct Kernels {
    update: Py<PyAny>,
    /// Those that come before it, if the rule measures: of the terms, and of what follows from their sums if
    /// those are of each tensor.
    measuring: Option<(Py<PyAny>, Option<Py<PyAny>>)>,
}

/// What the kernels of a launch take of scalars.
struct Taken<'py> {
    scalars: Bound<'py, PyBytes>,
    /// The same as they are before they are rounded.
    block: ScalarBlock,
    /// Where the clipping factor is, and how far it is from that of one gradient to the next.
    clip: (usize, usize),
    /// What keeps it.
    held: Option<Py<PyAny>>,
}

impl Cuda {
    /// Begins a step.
    pub(in crate::python) fn begin(&mut self) {
        self.tables.begin();
    }

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
        for launch in growing {
            let scale = scale(caller.py, scaling, &numbers, launch.key.device)?;
            launches.push(self.finish(caller.py, step.groups, launch, scale, sums)?);
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
            let Some((terms, _)) = &self.kernels(py, &launch, compiled)?.measuring else {
                continue;
            };
            let terms = terms.clone_ref(py);
            let scale = scale(py, scaling, &numbers, key.device)?;
            let taken = taken(py, compiled, &launch, scale, None)?;
            let lengths = try_collect(launch.lengths())?;
            let count = compiled.traced.measuring().map_or(0, |rule| rule.sums());
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

    /// The kernels for the tensors of a launch.
    fn kernels(
        &mut self,
        py: Python<'_>,
        launch: &Growing,
        compiled: &Compiled,
    ) -> PyResult<&Kernels> {
        let (kernel, coupled) = (compiled.traced, compiled.prelude.coupled_decay());
        let (device, kinds) = (launch.key.device, launch.key.kinds);
        Ok(match self.kernels.entry((device, kernel.formula(), kinds, coupled)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let source = kernel.source(kinds, coupled);
                let made =
                    |name: &str| backend(py, "kernel", (device, &source, name)).map(Bound::unbind);
                let measuring = match kernel.measuring().map(|rule| rule.scope()) {
                    None => None,
                    Some(Scope::All) => Some((made("terms")?, None)),
                    Some(Scope::Tensor) => Some((made("terms")?, Some(made("measured")?))),
                };
                place.insert(Kernels { update: made("update")?, measuring })
            }
        })
    }

    fn finish(
        &mut self,
        py: Python<'_>,
        groups: &[Group],
        growing: Growing,
        scale: Scale,
        over_all: &[[f64; MAX_SUMS]],
    ) -> PyResult<Launch> {
        let compiled = &groups[growing.key.group].compiled;
        let precision = Precision::of(growing.key.kinds.p);
        let Kernels { update, measuring } = self.kernels(py, &growing, compiled)?;
        let kernel = update.clone_ref(py);
        let own_kernels = match measuring {
            Some((terms, Some(measured))) => Some((terms.clone_ref(py), measured.clone_ref(py))),
            _ => None,
        };
        let taken = taken(py, compiled, &growing, scale, Some(over_all))?;
        let lengths = try_collect(growing.lengths())?;
        let Growing { key, rows, count, chunks, copies, parts, unrounded } = growing;
        let (device, (clip, apart)) = (key.device, taken.clip);
        let table = self.tables.get(py, device, rows)?;
        let (mut own, mut sums) = (None, None);
        if let (Some(rule), Some(kernels)) = (compiled.traced.measuring(), &own_kernels) {
            let tensors = Tensors { device, table: &table, lengths, parts };
            let each = (!unrounded.is_empty())
                .then(|| backend(py, "upload", (device, PyBytes::new(py, &unrounded))))
                .transpose()?;
            let unrounded = PyBytes::new(py, &rule.unrounded(&taken.block));
            let update = (taken.scalars.clone(), clip, apart);
            let given = (update, (unrounded, each, rule.own(precision)));
            let found =
                measuring::take(py, &mut self.tables, kernels, rule.sums(), tensors, given)?;
            own = Some(found.0);
            sums = Some(found.1).filter(|_| compiled.method.remembers_sums());
        }
        let arguments = (device, chunks, table, count, taken.scalars, clip, apart, own);
        let (device, arguments) = backend(py, "arguments", arguments)?.extract()?;
        Ok(Launch { device, kernel, arguments, copies, scales: taken.held, sums })
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

/// The scalars of a launch; with `over_all` those of its update, of a rule that measures all parameters.
fn taken<'py>(
    py: Python<'py>,
    compiled: &Compiled,
    launch: &Growing,
    scale: Scale,
    over_all: Option<&[[f64; MAX_SUMS]]>,
) -> PyResult<Taken<'py>> {
    let precision = Precision::of(launch.key.kinds.p);
    // A foreign rounding mode or flush-to-zero touches no scalar.
    let _control = ControlGuard::new();
    let mut prelude = compiled.prelude.scalars(precision.smallest_normal());
    if let Scale::Known(scale) = &scale {
        prelude.grad_scale *= scale;
    }
    let mut block = compiled.method.scalars(launch.key.clock);
    if let (Some(made), [part, ..]) = (over_all, &launch.parts[..])
        && let Some(made) = made.get(*part)
    {
        block = compiled.over_all(block, made);
    }
    let scalars = PyBytes::new(py, &compiled.traced.scalars(&block, &prelude, precision));
    let (clip, held) = match scale {
        Scale::Known(_) => ((0, 0), None),
        Scale::OnDevice(scales, held) => (scales.arguments(precision), held),
    };
    Ok(Taken { scalars, block, clip, held })
}
