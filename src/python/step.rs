//! A call of `step`, from its gradients to what it returns.

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::cuda::DeviceNorm;
use super::gradients::GivenArrays;
use super::inner::Inner;
use super::scaling::Scaling;
use super::skipped::SkippedStep;
use super::step_info::ParameterKey;
use crate::optimizer::{Asked, Moves, Norm, Outcome};

/// What a step did, in Python's words.
pub(super) struct Done {
    pub(super) grad_norm: Norm<DeviceNorm>,
    pub(super) moves: Option<Moves>,
    pub(super) skipped: Option<SkippedStep>,
}

impl Inner {
    /// One step, wholly or not at all.
    pub(super) fn step(
        &mut self,
        py: Python<'_>,
        gradients: GivenArrays<'_>,
        scaling: Scaling,
    ) -> PyResult<Done> {
        self.check_surroundings(py)?;
        let asked = self.asked(scaling, None);
        let (caller, optimizer) = self.called(py);
        let outcome = optimizer.step(caller, gradients, &asked);
        let outcome = outcome.map_err(|stop| caller.error(stop))?;
        Ok(self.done(py, outcome))
    }

    /// What Python knows of the optimizer is looked at before its arrays are.
    pub(super) fn check_surroundings(&mut self, py: Python<'_>) -> PyResult<()> {
        self.check_prepared()?;
        self.check_groups(py)?;
        self.check_containers(py)
    }

    pub(super) fn asked(&self, scaling: Scaling, norm: Option<f64>) -> Asked {
        let Scaling { grad_scale, max_norm, clip, measure } = scaling;
        Asked { grad_scale, max_norm, clip, norm, nonfinite: self.settings.nonfinite, measure }
    }

    pub(super) fn done(&mut self, py: Python<'_>, outcome: Outcome<DeviceNorm>) -> Done {
        let skipped = outcome.skipped.map(|skipped| {
            let name = |i| self.names.as_ref().and_then(|names: &Vec<Py<PyString>>| names.get(i));
            let key = skipped.cause.parameter().map(|i| match name(i) {
                Some(name) => ParameterKey::Name(name.clone_ref(py)),
                None => ParameterKey::Position(i),
            });
            let cause = self.called(py).0.not_finite(skipped.cause);
            SkippedStep { key, cause, in_a_row: skipped.in_a_row, total: skipped.total }
        });
        Done { grad_norm: outcome.grad_norm, moves: outcome.moves, skipped }
    }
}
