//! The native half of an optimizer, which the Python classes inherit from: a call of `step` enters
//! here, without a Python frame.

use std::collections::HashMap;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use super::StepInfo;
use super::array::Array;
use super::gradients::{self, Arrays};
use super::guard::guarded;
use super::inner::{Inner, Outcome};
use super::lock::{Lock, Locked};
use super::norm::Norm;
use super::scaling::Scaling;
use super::settings::Settings;
use super::slot::Slot;
use crate::number::Kind;

#[pyclass(frozen, subclass, module = "ferrostep._native")]
pub(super) struct Core {
    inner: Lock<Option<Inner>>,
}

#[pymethods]
impl Core {
    /// Takes whatever the class takes; `_start` follows.
    #[new]
    #[pyo3(signature = (*_args, **_options))]
    fn new(_args: &Bound<'_, PyTuple>, _options: Option<&Bound<'_, PyDict>>) -> Self {
        Core { inner: Lock::new(None) }
    }

    /// Begins anew, without parameters and state.
    #[allow(clippy::too_many_arguments)]
    fn _start(
        &self,
        py: Python<'_>,
        rule: String,
        read: Py<PyAny>,
        bounds: HashMap<String, (f64, f64)>,
        param_groups: Py<PyList>,
        unbound: bool,
        nonfinite_error: Py<PyAny>,
        settings: &Bound<'_, PyTuple>,
    ) -> PyResult<()> {
        let settings = Settings::new(rule, read, bounds, param_groups, nonfinite_error, settings)?;
        let before = self.inner.lock(py)?.replace(Inner::new(settings, unbound));
        drop(before); // may run Python code, so after the lock is free
        Ok(())
    }

    /// Adds a group's parameters, or nothing if one of them is refused.
    fn _add_group(
        &self,
        group: &Bound<'_, PyDict>,
        arrays: &Bound<'_, PyList>,
        labels: Vec<String>,
        names: Option<Vec<Py<PyString>>>,
    ) -> PyResult<()> {
        guarded(|| {
            started(&mut self.inner.lock(group.py())?)?.add_group(group, arrays, labels, names)
        })
    }

    /// Update all parameters in place by one step, wholly or not at all.
    ///
    /// Parameters
    /// ----------
    /// grads
    ///     The gradients in the structure of the parameters: never written; None skips a
    ///     parameter. Arrays of any layout, float16, bfloat16, float32 or float64.
    /// grad_scale
    ///     What every gradient is multiplied by, in the same pass over memory: 1/loss_scale, say.
    ///     Finite and not 0; None (the default) leaves gradients as they are.
    /// max_norm
    ///     Scale the gradients down so that their joint Euclidean norm, after `grad_scale`, is at
    ///     most this (Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063): by
    ///     ``max_norm/(norm + 1e-6)`` where that is below 1. At least 0; ``inf`` only measures.
    ///     The norm costs one more pass that reads the gradients. None (the default) for no clipping.
    ///
    /// Returns
    /// -------
    /// StepInfo
    ///     `applied` is False if ``nonfinite="skip"`` left the step out; `grad_norm` is the norm
    ///     before clipping, None without `max_norm`.
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
    #[pyo3(signature = (grads, *, grad_scale=None, max_norm=None))]
    fn step(
        slf: &Bound<'_, Self>,
        grads: &Bound<'_, PyAny>,
        grad_scale: Option<&Bound<'_, PyAny>>,
        max_norm: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<StepInfo>> {
        guarded(|| {
            let py = slf.py();
            let scaling = Scaling::read(slf, grad_scale, max_norm)?;
            let (grads, mut locked) = slf.get().read(slf, grads)?;
            let inner = started(&mut locked)?;
            if inner.unbound {
                return Err(PyValueError::new_err(
                    "this optimizer is unbound (made without params): use update()",
                ));
            }
            info(py, inner.step(py, grads, scaling)?)
        })
    }

    /// Update `params`, given anew at each call: for an optimizer made without parameters.
    ///
    /// The first call fixes keys, shapes and dtypes, and makes the state. Otherwise as `step`.
    ///
    /// Parameters
    /// ----------
    /// params
    ///     Arrays to update in place: an array, a list or tuple of arrays, or a dict of names.
    /// grads
    ///     The gradients in the same structure.
    /// grad_scale, max_norm
    ///     As in `step`.
    ///
    /// Returns
    /// -------
    /// StepInfo
    ///     As `step`.
    ///
    /// Raises
    /// ------
    /// ValueError, TypeError, NonFiniteError
    ///     As `step`; also if another array comes under a key whose last array is still alive.
    ///
    /// Examples
    /// --------
    /// >>> import numpy as np, ferrostep as fs
    /// >>> weights = {"w": np.array([1.0, -2.0])}
    /// >>> opt = fs.SGD(lr=0.25)
    /// >>> opt.update(weights, {"w": np.array([2.0, -4.0])})
    /// StepInfo(applied=True, grad_norm=None)
    /// >>> weights["w"]
    /// array([ 0.5, -1. ])
    #[pyo3(signature = (params, grads, *, grad_scale=None, max_norm=None))]
    fn update(
        slf: &Bound<'_, Self>,
        params: &Bound<'_, PyAny>,
        grads: &Bound<'_, PyAny>,
        grad_scale: Option<&Bound<'_, PyAny>>,
        max_norm: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<StepInfo>> {
        guarded(|| {
            let py = slf.py();
            let core = slf.get();
            let scaling = Scaling::read(slf, grad_scale, max_norm)?;
            let mut locked = core.inner.lock(py)?;
            let inner = started(&mut locked)?;
            if !inner.unbound {
                return Err(PyValueError::new_err(
                    "this optimizer is bound to its parameters: use step()",
                ));
            }
            if inner.slots.is_empty() {
                drop(locked);
                let first = slf.call_method1(
                    pyo3::intern!(py, "_first_update"),
                    (params, grads, grad_scale, max_norm),
                )?;
                return Ok(first.cast_into::<StepInfo>()?.unbind());
            }
            let arrays = gradients::plain(params, inner.names.as_deref());
            drop(locked);
            let arrays = match arrays {
                Some(arrays) => arrays,
                None => slf
                    .call_method1(pyo3::intern!(py, "_flatten"), ("parameters", params))?
                    .try_iter()?
                    .map(|array| Array::plain(&array?, "a parameter", "wanted an array").map(Some))
                    .collect::<PyResult<_>>()?,
            };
            let (grads, mut locked) = core.read(slf, grads)?;
            let inner = started(&mut locked)?;
            let outcome = inner.take(arrays).and_then(|()| inner.step(py, grads, scaling));
            inner.release(outcome.is_ok());
            info(py, outcome?)
        })
    }

    /// What can be set between steps, as it was set last.
    #[getter(_settings)]
    fn settings(&self, py: Python<'_>) -> PyResult<Py<PyTuple>> {
        Ok(started(&mut self.inner.lock(py)?)?.settings.chosen().clone_ref(py))
    }

    /// Goes by other settings from the next step on.
    fn _set_settings(&self, settings: &Bound<'_, PyTuple>) -> PyResult<()> {
        let before = started(&mut self.inner.lock(settings.py())?)?.choose(settings)?;
        drop(before); // may run Python code, so after the lock is free
        Ok(())
    }

    /// Refuses a type of state that does not go with one of the parameters.
    #[pyo3(signature = (dtype))]
    fn _check_state_dtype(&self, py: Python<'_>, dtype: Option<&str>) -> PyResult<()> {
        let mut locked = self.inner.lock(py)?;
        let inner = started(&mut locked)?;
        let kind = dtype.and_then(Kind::named);
        inner.groups.iter().try_for_each(|group| group.check_state_kind(&inner.slots, kind))
    }

    /// The number of parameters of each group; refuses groups that were edited from outside.
    fn _group_sizes(&self, py: Python<'_>) -> PyResult<Vec<usize>> {
        started(&mut self.inner.lock(py)?)?.group_sizes(py)
    }

    /// The parameters' arrays; None for one that nobody holds any more.
    fn _parameters<'py>(&self, py: Python<'py>) -> PyResult<Vec<Option<Bound<'py, PyAny>>>> {
        let mut locked = self.inner.lock(py)?;
        let slots = &started(&mut locked)?.slots;
        Ok(slots.iter().map(|slot| Some(slot.array(py)?.object().clone())).collect())
    }

    /// One parameter's state, its live arrays; None before its first step.
    fn _state<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Option<Bound<'py, PyDict>>> {
        let mut locked = self.inner.lock(py)?;
        let Some(slot) = started(&mut locked)?.slots.get(index) else { return Ok(None) };
        if slot.step == 0 && slot.states.is_empty() {
            return Ok(None);
        }
        let state = PyDict::new(py);
        state.set_item("step", slot.step)?;
        for array in &slot.states {
            state.set_item(&array.name, array.array.bind(py).object())?;
        }
        Ok(Some(state))
    }

    /// New arrays for a parameter's state, made and checked and not kept: by name and type.
    fn _new_states<'py>(
        &self,
        py: Python<'py>,
        index: usize,
        wanted: Vec<(String, String)>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        guarded(|| started(&mut self.inner.lock(py)?)?.new_states(py, index, &wanted))
    }

    /// Replaces every parameter's state, the count of skipped steps, and options group by group,
    /// or nothing if one array is refused.
    #[pyo3(signature = (steps, arrays, skipped, options=vec![]))]
    fn _load(
        &self,
        py: Python<'_>,
        steps: Vec<Option<u64>>,
        arrays: Vec<Option<Bound<'_, PyDict>>>,
        skipped: u64,
        options: Vec<Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        guarded(|| started(&mut self.inner.lock(py)?)?.load(py, &steps, &arrays, skipped, &options))
    }

    /// The parameters' names, None if they have none.
    #[getter(_names)]
    fn names(&self, py: Python<'_>) -> PyResult<Option<Vec<Py<PyString>>>> {
        let mut locked = self.inner.lock(py)?;
        let names = started(&mut locked)?.names.as_ref();
        Ok(names.map(|names| names.iter().map(|name| name.clone_ref(py)).collect()))
    }

    #[getter(_skipped)]
    fn skipped(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(started(&mut self.inner.lock(py)?)?.skipped)
    }
}

fn started<'a>(inner: &'a mut Locked<'_, Option<Inner>>) -> PyResult<&'a mut Inner> {
    inner.as_mut().ok_or_else(|| {
        PyRuntimeError::new_err("this optimizer was never made: call super().__init__()")
    })
}

/// What a step returns; without a norm, one of two constants.
fn info(py: Python<'_>, outcome: Outcome) -> PyResult<Py<StepInfo>> {
    static CONSTANTS: [PyOnceLock<Py<StepInfo>>; 2] = [PyOnceLock::new(), PyOnceLock::new()];
    let Outcome { applied, grad_norm } = outcome;
    match grad_norm {
        Norm::NotAsked => {
            let made = || Py::new(py, StepInfo { applied, grad_norm: Norm::NotAsked });
            Ok(CONSTANTS[usize::from(applied)].get_or_try_init(py, made)?.clone_ref(py))
        }
        grad_norm => Py::new(py, StepInfo { applied, grad_norm }),
    }
}

impl Core {
    /// The gradients as arrays, and the lock. What takes Python code runs without it.
    fn read<'py>(
        &self,
        slf: &Bound<'py, Self>,
        grads: &Bound<'py, PyAny>,
    ) -> PyResult<(Arrays<'py>, Locked<'_, Option<Inner>>)> {
        let py = slf.py();
        let mut locked = self.inner.lock(py)?;
        let inner = started(&mut locked)?;
        if let Some(plain) = gradients::plain(grads, inner.names.as_deref()) {
            return Ok((plain, locked));
        }
        let known = |slot: &Slot| (slot.label.clone(), slot.header.shape.is_empty());
        let known: Vec<(String, bool)> = inner.slots.iter().map(known).collect();
        drop(locked);
        let flat = slf.call_method1(pyo3::intern!(py, "_flatten"), ("gradients", grads))?;
        let label =
            |i: usize| known.get(i).map_or(format!("parameter {i}"), |(label, _)| label.clone());
        let single = |i: usize| known.get(i).is_some_and(|(_, single)| *single);
        let arrays = gradients::collect(&flat, label, single)?;
        Ok((arrays, self.inner.lock(py)?))
    }
}
