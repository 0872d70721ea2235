//! A step in two halves, for several processes that step together: each prepares, all agree, and then
//! all commit or all abandon.

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;

use super::given::GivenArrays;
use super::inner::Inner;
use super::python_arrays::PythonArrays;
use super::scaling::Scaling;
use super::step::{Done, done};
use crate::optimizer::Prepared;
use crate::rules::Scope;

impl Inner {
    /// Refuses to go on while a step waits.
    pub(super) fn check_prepared(&self) -> PyResult<()> {
        match self.prepared {
            None => Ok(()),
            Some(_) => Err(PyRuntimeError::new_err(
                "a step was prepared and is neither committed nor abandoned; call _commit() or _abandon()",
            )),
        }
    }

    /// Does all of a step that can fail, with a norm that was taken elsewhere if there is one. False
    /// if it is to be left out, since a gradient is not finite; that too waits to be committed.
    pub(super) fn prepare(
        &mut self,
        py: Python<'_>,
        gradients: GivenArrays<'_>,
        scaling: Scaling,
        norm: Option<f64>,
    ) -> PyResult<bool> {
        self.check_surroundings(py)?;
        self.check_rows(py, &gradients, 0)?;
        self.check_norm(norm)?;
        let asked = self.asked(scaling, norm);
        let (caller, optimizer) = self.called(py);
        let prepared = optimizer.prepare(caller, gradients, &asked);
        let prepared = prepared.map_err(|stop| caller.error(stop))?;
        let whole = !prepared.is_left_out();
        self.prepared = Some(prepared);
        Ok(whole)
    }

    /// Refuses the norm of several processes for a rule whose sums are over all parameters: its own would
    /// be of this process' alone.
    fn check_norm(&self, norm: Option<f64>) -> PyResult<()> {
        match norm.filter(|_| self.optimizer.sums_over() == Scope::All) {
            None => Ok(()),
            Some(norm) => Err(PyTypeError::new_err(format!(
                "norm must be None for {}, whose sums are over all parameters, found {norm:?}; step in \
                 one process",
                self.settings.rule
            ))),
        }
    }

    /// Does the step that waits. With what it held, which may run Python code when it is dropped.
    pub(super) fn commit(&mut self, py: Python<'_>) -> (PyResult<Done>, impl Sized + use<>) {
        let mut prepared = self.prepared.take();
        let done = self.commit_it(py, prepared.as_mut());
        (done, prepared)
    }

    fn commit_it(
        &mut self,
        py: Python<'_>,
        prepared: Option<&mut Prepared<PythonArrays>>,
    ) -> PyResult<Done> {
        let prepared = prepared
            .ok_or_else(|| PyRuntimeError::new_err("no step was prepared; call _prepare()"))?;
        self.check_list(py)?;
        self.check_containers(py)?;
        let (caller, optimizer) = self.called(py);
        let outcome = optimizer.commit(caller, prepared);
        outcome.map(|outcome| done(caller, outcome, None)).map_err(|stop| caller.error(stop))
    }

    /// Forgets the step that waits, if one does. What is returned may run Python code when it is
    /// dropped.
    pub(super) fn abandon(&mut self) -> impl Sized + use<> {
        let mut prepared = self.prepared.take();
        prepared.iter_mut().for_each(|prepared| self.optimizer.abandon(prepared));
        prepared
    }
}
