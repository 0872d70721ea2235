//! A call of `step`, from its gradients to what it returns.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::caller::Caller;
use super::cuda::DeviceNorm;
use super::given::{Given, GivenArrays};
use super::inner::Inner;
use super::missing::Neglected;
use super::scaling::Scaling;
use super::skipped::SkippedStep;
use super::words::{Label, must_be};
use crate::optimizer::{Asked, Moves, Named, Norm, Outcome, Skipped};

/// What a step did, in Python's words: None of a plain one, of which there is nothing to tell. It goes
/// through many hands, so it is small.
pub(super) struct Done(pub(super) Option<Box<Results>>);

pub(super) struct Results {
    pub(super) grad_norm: Norm<DeviceNorm>,
    pub(super) moves: Option<Moves>,
    pub(super) skipped: Option<SkippedStep>,
    pub(super) neglected: Option<Box<Neglected>>,
}

/// Whether a first step has been: one that is left out is as if it had never been asked for.
pub(super) fn has_been(outcome: &PyResult<Done>) -> bool {
    outcome
        .as_ref()
        .is_ok_and(|Done(done)| done.as_ref().is_none_or(|results| results.skipped.is_none()))
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
        self.check_rows(py, &gradients, 0)?;
        let asked = self.asked(scaling, None);
        let neglected = self.count_missing(py, &gradients)?;
        let (caller, optimizer) = self.called(py);
        let outcome = optimizer.step(caller, gradients, &asked);
        let outcome = outcome.map_err(|stop| caller.error(stop))?;
        Ok(done(caller, outcome, neglected))
    }

    /// Parameters that have had no gradient for long, where names may be missing.
    fn count_missing(
        &mut self,
        py: Python<'_>,
        gradients: &GivenArrays<'_>,
    ) -> PyResult<Option<Box<Neglected>>> {
        if !self.settings.skips_missing {
            return Ok(None);
        }
        let mut missing = std::mem::take(&mut self.missing);
        let neglected = missing.count(self.called(py).0, gradients);
        self.missing = missing;
        neglected
    }

    /// What Python knows of the optimizer is looked at before its arrays are.
    pub(super) fn check_surroundings(&mut self, py: Python<'_>) -> PyResult<()> {
        self.check_prepared()?;
        self.check_groups(py)?;
        self.check_containers(py)
    }

    /// Refuses whole gradients where rows alone are taken; the first is of the parameter of this number.
    #[inline]
    pub(super) fn check_rows(
        &self,
        py: Python<'_>,
        gradients: &[Option<Given<'_>>],
        first: usize,
    ) -> PyResult<()> {
        if !self.settings.rows_only {
            return Ok(());
        }
        let whole = gradients.iter().enumerate().find_map(|(i, given)| match given {
            Some(Given::Whole(array)) => Some((first + i, array)),
            Some(Given::Rows(_)) | None => None,
        });
        let Some((i, array)) = whole else { return Ok(()) };
        let label = Label { py, names: self.names.as_deref(), named: Named::Gradient(i) };
        Err(PyTypeError::new_err(format!(
            "{}; give fs.Rows(indices, values), or take Adam for whole gradients",
            must_be(label, "Rows", array.object())
        )))
    }

    pub(super) fn asked(&self, scaling: Scaling, norm: Option<f64>) -> Asked {
        let Scaling { grad_scale, max_norm, clip, measure } = scaling;
        Asked { grad_scale, max_norm, clip, norm, nonfinite: self.settings.nonfinite, measure }
    }
}

/// What a step did, in the words of the call.
#[inline]
pub(super) fn done(
    caller: Caller<'_>,
    outcome: Outcome<DeviceNorm>,
    neglected: Option<Box<Neglected>>,
) -> Done {
    let Outcome { grad_norm, moves, skipped } = outcome;
    if let (Norm::NotAsked, None, None, None) = (&grad_norm, &moves, &skipped, &neglected) {
        return Done(None);
    }
    let skipped = skipped.map(|skipped| told(caller, skipped));
    Done(Some(Box::new(Results { grad_norm, moves, skipped, neglected })))
}

#[cold]
fn told(caller: Caller<'_>, skipped: Skipped) -> SkippedStep {
    let key = skipped.cause.parameter().map(|i| caller.key(i));
    let cause = caller.not_finite(skipped.cause);
    SkippedStep { key, cause, in_a_row: skipped.in_a_row, total: skipped.total }
}
