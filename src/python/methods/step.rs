//! The step of an optimizer that holds its parameters, which enters here without a Python frame; and its two
//! halves.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::python::core::{Core, started};
use crate::python::guard::guarded;
use crate::python::scaling::{Arguments, Clip, Scaling};
use crate::python::step_info::StepInfo;

#[pymethods]
impl Core {
    /// Update all parameters in place by one step, wholly or not at all.
    ///
    /// Parameters
    /// ----------
    /// grads
    ///     The gradients in the structure of the parameters (of several groups of trees: a list of
    ///     those), or in one dict of all names: never written; None skips a parameter, `Rows` are
    ///     those of some rows of it. Arrays of any layout, float16, bfloat16, float32 or float64.
    /// grad_scale
    ///     What every gradient is multiplied by, in the same pass over memory: 1/loss_scale, say.
    ///     Finite and not 0; None (the default) leaves gradients as they are.
    /// max_norm
    ///     Scale the gradients down so that their joint Euclidean norm, after `grad_scale`, is at
    ///     most this (Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063): by
    ///     ``max_norm/(norm + 1e-6)`` where that is below 1. A NaN norm makes every parameter that
    ///     has a gradient NaN (see `nonfinite` for other ways), an infinite one gives the factor 0.
    ///     At least 0; ``inf`` only measures, whatever the norm. The norm costs one more pass that
    ///     reads the gradients. None (the default) for no clipping.
    /// clip
    ///     What `max_norm` bounds: "global" (the default), the joint norm, so that all gradients are
    ///     scaled by one factor and keep their direction; or "parameter", each gradient's own norm, so
    ///     that each has the factor ``max_norm/(norm + 1e-6)`` of its own where that is below 1, and a
    ///     NaN reaches no other parameter. That is Keras' `clipnorm` and thinc's `grad_clip`, which add
    ///     no 1e-6.
    /// measure
    ///     None (the default), or "total" or "parameter": measure how far the step moves, over all
    ///     parameters or of each. `update_norm` of the result is then the Euclidean norm of new minus
    ///     old values (in the parameter's compute type), `param_norm` that of the old values: numbers,
    ///     or tuples in the order of the parameters. Where arrays lie in C order it costs no further
    ///     pass over memory, elsewhere, and beside `Rows`, a copy of the whole parameter.
    ///
    /// Returns
    /// -------
    /// StepInfo
    ///     `applied` is False if ``nonfinite="skip"`` left the step out, for the gradient of
    ///     `nonfinite`; `grad_norm` is the joint norm before clipping, None without `max_norm`;
    ///     `update_norm` and `param_norm` are None without `measure` and of a step that was left out.
    ///
    /// Raises
    /// ------
    /// ValueError, TypeError
    ///     If gradients, parameters, state or options are not as they must be; nothing has been
    ///     written then.
    /// NonFiniteError
    ///     With ``nonfinite="raise"``, naming the parameter.
    ///
    /// Examples
    /// --------
    /// >>> import numpy as np, ferrostep as fs
    /// >>> p = np.array([1.0, -2.0])
    /// >>> fs.SGD([p], lr=0.25).step([np.array([2.0, -4.0])])
    /// StepInfo(applied=True, grad_norm=None)
    /// >>> p
    /// array([ 0.5, -1. ])
    #[pyo3(
        signature = (grads, *, grad_scale=None, max_norm=None, clip=Clip::LeftOut, measure=None),
        text_signature = "($self, grads, *, grad_scale=None, max_norm=None, clip='global', measure=None)"
    )]
    fn step(
        slf: &Bound<'_, Self>,
        grads: &Bound<'_, PyAny>,
        grad_scale: Option<&Bound<'_, PyAny>>,
        max_norm: Option<&Bound<'_, PyAny>>,
        clip: Clip<'_>,
        measure: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<StepInfo>> {
        guarded(|| Core::stepped(slf, grads, &Arguments { grad_scale, max_norm, clip, measure }))
    }

    /// The first half of a step: all of it that can fail. `norm` is that of the gradients, where others
    /// have taken it (infinite or NaN, if they say so). False if the step is to be left out, since a
    /// gradient is not finite: to commit is to count that then. What is in the arrays may not be
    /// written until the step is committed or abandoned; all else that happens to them is found out.
    #[pyo3(
        signature = (grads, *, grad_scale=None, max_norm=None, clip=Clip::LeftOut, norm=None),
        text_signature = "($self, grads, *, grad_scale=None, max_norm=None, clip='global', norm=None)"
    )]
    fn _prepare(
        slf: &Bound<'_, Self>,
        grads: &Bound<'_, PyAny>,
        grad_scale: Option<&Bound<'_, PyAny>>,
        max_norm: Option<&Bound<'_, PyAny>>,
        clip: Clip<'_>,
        norm: Option<f64>,
    ) -> PyResult<bool> {
        guarded(|| {
            let py = slf.py();
            let given = Arguments { grad_scale, max_norm, clip, measure: None };
            let scaling = Scaling::read(slf, &given)?;
            if let Some(norm) = norm.filter(|norm| *norm < 0.0) {
                return Err(PyValueError::new_err(format!(
                    "norm must be a number >= 0, infinite or NaN, found {norm}"
                )));
            }
            let (grads, mut locked) = slf.get().read(py, grads, false)?;
            started(&mut locked)?.prepare(py, grads, scaling, norm)
        })
    }

    /// The second half: nothing can fail any more, but that somebody has changed what it is of.
    fn _commit(&self, py: Python<'_>) -> PyResult<Py<StepInfo>> {
        guarded(|| self.commit(py))
    }

    /// Or none: as if the step had never been asked for.
    fn _abandon(&self, py: Python<'_>) -> PyResult<()> {
        self.abandon(py)
    }

    /// Refuses parameters that `_turn_all` has moved away, as a step does.
    fn _check_trained(&self, py: Python<'_>) -> PyResult<()> {
        let mut locked = self.inner.lock(py)?;
        let (caller, optimizer) = started(&mut locked)?.called(py);
        optimizer.check_trained().map_err(|refusal| caller.refused(refusal))
    }

    /// Commits what another optimizer has prepared for the parameters of these numbers, and then all
    /// parameters are away (`averaged`) or back. No signal's handler runs in between.
    #[pyo3(signature = (moved, numbers, averaged))]
    fn _turn_all(
        &self,
        py: Python<'_>,
        moved: Option<&Bound<'_, Core>>,
        numbers: Vec<usize>,
        averaged: bool,
    ) -> PyResult<()> {
        guarded(|| self.turn(py, moved, &numbers, averaged))
    }
}
