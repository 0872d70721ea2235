//! A step in two halves, for several processes that step together: each prepares, all agree, and then
//! all commit or all abandon.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::gradients::GivenArrays;
use super::inner::Inner;
use super::scaling::Scaling;
use super::step::Done;
use crate::optimizer::{Outcome, Readiness};

impl Inner {
    /// Refuses to go on while a step waits.
    pub(super) fn check_prepared(&self) -> PyResult<()> {
        match self.prepared {
            None => Ok(()),
            Some(_) => Err(PyRuntimeError::new_err(
                "a step was prepared and is neither committed nor abandoned",
            )),
        }
    }

    /// Does all of a step that can fail, with a norm that was taken elsewhere if there is one. What
    /// it did, if it is left out; None if it waits to be committed.
    pub(super) fn prepare(
        &mut self,
        py: Python<'_>,
        gradients: GivenArrays<'_>,
        scaling: Scaling,
        norm: Option<f64>,
    ) -> PyResult<Option<Done>> {
        self.check_prepared()?;
        self.check_groups(py)?;
        self.check_containers(py)?;
        let asked = self.asked(scaling, norm);
        let (caller, optimizer) = self.called(py);
        let ready = optimizer.prepare(caller, gradients, &asked);
        match ready.map_err(|stop| caller.error(stop))? {
            Readiness::Ready(prepared) => {
                self.prepared = Some(prepared.set_aside());
                Ok(None)
            }
            Readiness::Skipped(grad_norm, skipped) => {
                Ok(Some(self.done(py, Outcome { grad_norm, skipped: Some(skipped) })))
            }
        }
    }

    /// Does the step that waits.
    pub(super) fn commit(&mut self, py: Python<'_>) -> PyResult<Done> {
        let prepared = self.prepared.take();
        let prepared = prepared.ok_or_else(|| PyRuntimeError::new_err("no step was prepared"))?;
        let (caller, optimizer) = self.called(py);
        let outcome = optimizer.commit(caller, prepared);
        let outcome = outcome.map_err(|stop| caller.error(stop))?;
        Ok(self.done(py, outcome))
    }

    /// Forgets the step that waits, if one does. What is returned may run Python code when it is
    /// dropped.
    pub(super) fn abandon(&mut self) -> impl Sized + use<> {
        self.prepared.take().map(|prepared| self.optimizer.abandon(prepared))
    }
}
