//! What an optimizer keeps for its devices, and what is compiled for them.

use std::any::TypeId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::backend;
use super::growing::{Growing, Key};
use super::scales::Scale;
use super::tables::Tables;
use crate::cuda;
use crate::engine::ControlGuard;
use crate::number::{Kinds, Precision};
use crate::optimizer::Compiled;
use crate::rules::{MAX_SUMS, ScalarBlock, Scope};

/// What an optimizer keeps for its devices.
#[derive(Default)]
pub(in crate::python) struct Cuda {
    pub(super) tables: Tables,
    kernels: HashMap<(i32, TypeId, Kinds, bool), Kernels>,
}

/// The kernels of a rule.
pub(super) struct Kernels {
    pub(super) update: Py<PyAny>,
    /// Those that make the factors, if these are the rule's states.
    pub(super) factors: Option<Py<PyAny>>,
    /// Those that come before it, if the rule measures: of the terms, and of what follows from their sums if
    /// those are of each tensor.
    pub(super) measuring: Option<(Py<PyAny>, Option<Py<PyAny>>)>,
    /// Those that make matrices orthogonal, between its update and another.
    pub(super) whole: Option<Py<PyAny>>,
}

/// What the kernels of a launch take of scalars.
pub(super) struct Taken<'py> {
    pub(super) scalars: Bound<'py, PyBytes>,
    /// The same as they are before they are rounded.
    pub(super) block: ScalarBlock,
    /// Where the clipping factor is, and how far it is from that of one gradient to the next.
    pub(super) clip: (usize, usize),
    /// What keeps it.
    pub(super) held: Option<Py<PyAny>>,
}

impl Cuda {
    /// Begins a step.
    pub(in crate::python) fn begin(&mut self) {
        self.tables.begin();
    }

    /// The kernels for the tensors of a launch.
    pub(super) fn kernels_of(
        &mut self,
        py: Python<'_>,
        launch: &Growing,
        compiled: &Compiled,
    ) -> PyResult<&Kernels> {
        let Key { device, kinds, .. } = launch.key;
        self.kernels(py, device, launch.kernel, kinds, compiled.prelude.coupled_decay())
    }

    pub(super) fn kernels(
        &mut self,
        py: Python<'_>,
        device: i32,
        kernel: cuda::Kernel,
        kinds: Kinds,
        coupled: bool,
    ) -> PyResult<&Kernels> {
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
                let all = |name: &str| backend(py, name, (device, &source)).map(Bound::unbind);
                let factors = kernel.is_by_factors().then(|| all("factor_kernels")).transpose()?;
                let whole = kernel.is_of_whole().then(|| all("matrix_kernels")).transpose()?;
                place.insert(Kernels { update: made("update")?, factors, measuring, whole })
            }
        })
    }
}

/// The scalars of a launch; with `over_all` those of its update, of a rule that measures all parameters.
pub(super) fn taken<'py>(
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
    if launch.key.matrix.is_some() {
        prelude = prelude.without_decay(); // which comes when the matrix is used
    }
    let mut block = compiled.method.scalars(launch.key.clock);
    if let (Some(made), [part, ..]) = (over_all, &launch.parts[..])
        && let Some(made) = made.get(*part)
    {
        block = compiled.over_all(block, made);
    }
    let scalars = PyBytes::new(py, &launch.kernel.scalars(&block, &prelude, precision));
    let (clip, held) = match scale {
        Scale::Known(_) => ((0, 0), None),
        Scale::OnDevice(scales, held) => (scales.arguments(precision), held),
    };
    Ok(Taken { scalars, block, clip, held })
}
