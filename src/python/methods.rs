//! The calls of an optimizer: `step` enters here, without a Python frame.

use std::collections::HashMap;
use std::sync::Mutex;

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use super::array::Held;
use super::container::Handed;
use super::core::{Core, info, started};
use super::guard::guarded;
use super::inner::{Inner, Way};
use super::lock::Lock;
use super::memory;
use super::scaling::{Arguments, Clip, Scaling};
use super::settings::Settings;
use super::state::{self, Snapshot};
use super::step_info::{self, StepInfo};
use crate::number::Kind;

#[pymethods]
impl Core {
    /// Takes whatever the class takes; `_start` follows.
    #[new]
    #[pyo3(signature = (*_args, **_options))]
    fn new(_args: &Bound<'_, PyTuple>, _options: Option<&Bound<'_, PyDict>>) -> Self {
        Core { inner: Lock::new(None), last: Mutex::new(None) }
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

    /// Adds a group's parameters, or nothing if one of them is refused: with their tree, if they have
    /// names, and the containers to watch.
    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (group, arrays, names, like=None, containers=vec![], *, restored=false))]
    fn _add_group(
        &self,
        group: &Bound<'_, PyDict>,
        arrays: &Bound<'_, PyList>,
        names: Option<Vec<Py<PyString>>>,
        like: Option<&Bound<'_, PyAny>>,
        containers: Vec<Handed<'_>>,
        restored: bool,
    ) -> PyResult<()> {
        guarded(|| {
            let mut locked = self.inner.lock(group.py())?;
            let inner = started(&mut locked)?;
            inner.add_group(group, arrays, names, like, containers, restored)
        })
    }

    /// Puts other arrays in the place of the parameters: all of them or none.
    fn _rebind(&self, arrays: &Bound<'_, PyList>, containers: Vec<Handed<'_>>) -> PyResult<()> {
        let py = arrays.py();
        self.exchange(py, |inner| inner.rebind(py, arrays, containers))
    }

    /// Puts an array in the place of a parameter, with rows of its state, or does nothing. `given`: what is
    /// to stand for it where the parameter came in; `index`: the old row of each new one, or -1, as
    /// int64.
    #[pyo3(signature = (i, given, array, index))]
    fn _replace(
        &self,
        i: usize,
        given: &Bound<'_, PyAny>,
        array: &Bound<'_, PyAny>,
        index: Option<&[u8]>,
    ) -> PyResult<()> {
        let py = given.py();
        self.exchange(py, |inner| inner.replace(py, i, given, array, index))
    }

    /// Takes out a group and its parameters; these containers are watched from now on.
    fn _remove_group(
        &self,
        py: Python<'_>,
        number: usize,
        containers: Vec<Handed<'_>>,
    ) -> PyResult<()> {
        self.exchange(py, |inner| inner.remove_group(py, number, containers))
    }

    /// The groups' trees; None of one whose parameters have no names.
    fn _trees(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        started(&mut self.inner.lock(py)?)?.likes(py)
    }

    /// What parameters were handed in by, and what it held.
    fn _containers<'py>(&self, py: Python<'py>) -> PyResult<Vec<Handed<'py>>> {
        started(&mut self.inner.lock(py)?)?.containers(py)
    }

    /// Refuses what a step would refuse of them.
    fn _check_containers(&self, py: Python<'_>) -> PyResult<()> {
        started(&mut self.inner.lock(py)?)?.check_containers(py)
    }

    /// Watches these instead.
    fn _watch(&self, py: Python<'_>, containers: Vec<Handed<'_>>) -> PyResult<()> {
        self.exchange(py, |inner| inner.watch(containers))
    }

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

    /// Update `params`, given anew at each call: for an optimizer made without parameters.
    ///
    /// The first call of a key fixes its shape and dtype and makes its state. A dict may have more names
    /// later, each with a step count of its own, but no fewer. Otherwise as `step`.
    ///
    /// Parameters
    /// ----------
    /// params
    ///     Arrays to update in place: an array, a list or tuple of arrays, a dict of names, or a tree
    ///     of these.
    /// grads
    ///     The gradients in the same structure, or in one dict of names.
    /// grad_scale, max_norm, clip, measure
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
    ///     As `step`; also if a key comes with other memory than at its first call: one key keeps one
    ///     memory, the same array or a view of the same part of the same buffer. `rebind` and `reset`
    ///     are the ways out.
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
    #[pyo3(
        signature = (params, grads, *, grad_scale=None, max_norm=None, clip=Clip::LeftOut, measure=None),
        text_signature = "($self, params, grads, *, grad_scale=None, max_norm=None, clip='global', measure=None)"
    )]
    fn update(
        slf: &Bound<'_, Self>,
        params: &Bound<'_, PyAny>,
        grads: &Bound<'_, PyAny>,
        grad_scale: Option<&Bound<'_, PyAny>>,
        max_norm: Option<&Bound<'_, PyAny>>,
        clip: Clip<'_>,
        measure: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<StepInfo>> {
        guarded(|| {
            let py = slf.py();
            let core = slf.get();
            let given = Arguments { grad_scale, max_norm, clip, measure };
            let scaling = Scaling::read(slf, &given)?;
            let mut locked = core.inner.lock(py)?;
            let inner = started(&mut locked)?;
            if !inner.unbound {
                return Err(PyValueError::new_err(
                    "this optimizer is bound to its parameters; use step()",
                ));
            }
            if params.is_instance_of::<StepInfo>() {
                return Err(step_info::taken_for_an_array());
            }
            inner.check_way(Way::InPlace)?;
            let begun = !inner.slots().is_empty();
            drop(locked);
            let way = (Way::InPlace, None);
            info(py, Core::begin_or_go_on(slf, begun, params, grads, scaling, way)?)
        })
    }

    /// Update one parameter in place, under a key of its own: for an optimizer made without parameters.
    ///
    /// For layers that update themselves. State and step count begin when a key first comes; options
    /// are those of the one group. One optimizer is used either through `update_one` or through
    /// `update` or `updated`.
    ///
    /// Parameters
    /// ----------
    /// key
    ///     Whose state it is: anything that can be a key of a dict. A str, an int or a tuple of these if
    ///     the state is to be saved. Two keys that print alike (3 and "3") are refused.
    /// param
    ///     The array to update in place; one key keeps one memory, as in `update`.
    /// grad
    ///     Its gradient; None skips it.
    /// grad_scale, max_norm, clip, measure
    ///     As in `step`; `max_norm` bounds the norm of this gradient.
    ///
    /// Returns
    /// -------
    /// StepInfo
    ///     As `step`.
    ///
    /// Raises
    /// ------
    /// ValueError, TypeError, NonFiniteError
    ///     As `update`; a key whose first step fails is not there.
    ///
    /// Examples
    /// --------
    /// >>> import numpy as np, ferrostep as fs
    /// >>> opt = fs.Adam(lr=0.25)
    /// >>> w, b = np.ones(2), np.zeros(1)
    /// >>> info = opt.update_one(("dense", 1), w, np.array([2.0, -4.0]))
    /// >>> info = opt.update_one(("dense", 2), b, np.array([1.0]))
    /// >>> w.round(2)
    /// array([0.75, 1.25])
    /// >>> list(opt.state)
    /// [('dense', 1), ('dense', 2)]
    #[pyo3(
        signature = (key, param, grad, *, grad_scale=None, max_norm=None, clip=Clip::LeftOut, measure=None),
        text_signature = "($self, key, param, grad, *, grad_scale=None, max_norm=None, clip='global', measure=None)"
    )]
    #[pyo3(name = "update_one")]
    #[allow(clippy::too_many_arguments)]
    fn py_update_one(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        param: &Bound<'_, PyAny>,
        grad: &Bound<'_, PyAny>,
        grad_scale: Option<&Bound<'_, PyAny>>,
        max_norm: Option<&Bound<'_, PyAny>>,
        clip: Clip<'_>,
        measure: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<StepInfo>> {
        guarded(|| {
            let given = Arguments { grad_scale, max_norm, clip, measure };
            let scaling = Scaling::read(slf, &given)?;
            info(slf.py(), Core::update_one(slf, key, param, grad, scaling)?)
        })
    }

    /// Return the parameters after one step, in new arrays: call `reset` before a new run.
    ///
    /// State is kept by name or position and goes on with whatever parameters come next: nobody can
    /// see that they belong to another run. What comes is never written. An optimizer is used either
    /// through `updated` or through `update`. Each piece is copied to its new place and updated there
    /// while it is in the cache.
    ///
    /// Parameters
    /// ----------
    /// params
    ///     An array, or lists, tuples and dicts of arrays; of the same names, shapes and dtypes at each
    ///     call. A number, or a list or tuple of nothing but numbers, is one float64 array, and
    ///     integer arrays become float64. Arrays of other libraries in host memory (JAX) give NumPy's.
    /// grads
    ///     The gradients in the same structure; None for a parameter that stays as it is.
    /// grad_scale, max_norm, clip, measure
    ///     As in `step`.
    ///
    /// Returns
    /// -------
    /// object
    ///     New arrays in the structure of `params`, of the same dtypes and subclasses (but of a memmap
    ///     a plain array), in the order of axes that `numpy.empty_like` gives. `last` says what the
    ///     step did.
    ///
    /// Raises
    /// ------
    /// ValueError, TypeError, NonFiniteError
    ///     As `step`; no state has changed then.
    ///
    /// Examples
    /// --------
    /// >>> import numpy as np, ferrostep as fs
    /// >>> opt = fs.SGD(lr=0.25)
    /// >>> w = np.array([1.0, -2.0])
    /// >>> opt.updated(w, np.array([2.0, -4.0]))
    /// array([ 0.5, -1. ])
    /// >>> w
    /// array([ 1., -2.])
    /// >>> opt.last
    /// StepInfo(applied=True, grad_norm=None)
    #[pyo3(
        signature = (params, grads, *, grad_scale=None, max_norm=None, clip=Clip::LeftOut, measure=None),
        text_signature = "($self, params, grads, *, grad_scale=None, max_norm=None, clip='global', measure=None)"
    )]
    #[pyo3(name = "updated")]
    fn py_updated<'py>(
        slf: &Bound<'py, Self>,
        params: &Bound<'py, PyAny>,
        grads: &Bound<'py, PyAny>,
        grad_scale: Option<&Bound<'py, PyAny>>,
        max_norm: Option<&Bound<'py, PyAny>>,
        clip: Clip<'py>,
        measure: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        guarded(|| {
            let given = Arguments { grad_scale, max_norm, clip, measure };
            let scaling = Scaling::read(slf, &given)?;
            Core::updated(slf, params, grads, scaling)
        })
    }

    /// What the last call of `updated` did; None before it.
    #[getter]
    fn last(&self, py: Python<'_>) -> Option<Py<StepInfo>> {
        self.last_info().as_ref().map(|info| info.clone_ref(py))
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
        guarded(|| {
            let mut locked = self.inner.lock(py)?;
            let (done, held) = started(&mut locked)?.commit(py);
            drop(locked);
            drop(held); // may run Python code, so after the lock is free
            info(py, done?)
        })
    }

    /// Or none: as if the step had never been asked for.
    fn _abandon(&self, py: Python<'_>) -> PyResult<()> {
        self.exchange(py, |inner| Ok(inner.abandon()))
    }

    /// Sets an option of all groups to a number that can be judged alone. False, and nothing done, if
    /// Python has to judge it.
    #[pyo3(signature = (name, value, /))]
    fn _set_number(&self, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        guarded(|| started(&mut self.inner.lock(name.py())?)?.set_number(name, value))
    }

    /// What can be set between steps, as it was set last.
    #[getter(_settings)]
    fn settings(&self, py: Python<'_>) -> PyResult<Py<PyTuple>> {
        Ok(started(&mut self.inner.lock(py)?)?.settings.chosen.clone_ref(py))
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
        started(&mut locked)?.check_state_kind(py, dtype.and_then(Kind::named))
    }

    /// The number of parameters of each group; refuses groups that were edited from outside.
    fn _group_sizes(&self, py: Python<'_>) -> PyResult<Vec<usize>> {
        started(&mut self.inner.lock(py)?)?.group_sizes(py)
    }

    /// The parameters' arrays; None for those of an unbound optimizer, which holds none.
    fn _parameters<'py>(&self, py: Python<'py>) -> PyResult<Vec<Option<Bound<'py, PyAny>>>> {
        let mut locked = self.inner.lock(py)?;
        let slots = started(&mut locked)?.slots();
        let arrays = slots.iter().map(|slot| slot.array.as_ref());
        let object = |array: &Held| array.bind(py).object().clone();
        memory::all(slots.len(), arrays.map(|array| Ok(array.map(object))))
    }

    /// The parameters' shapes and the names of their types.
    fn _layouts(&self, py: Python<'_>) -> PyResult<Vec<(Py<PyTuple>, &'static str)>> {
        let mut locked = self.inner.lock(py)?;
        let slots = started(&mut locked)?.slots();
        let layouts = slots.iter().map(|slot| {
            let shape = PyTuple::new(py, slot.header.shape.iter().copied())?;
            Ok((shape.unbind(), slot.header.format.kind.name()))
        });
        memory::all(slots.len(), layouts)
    }

    /// One parameter's state, its live arrays; None before its first step.
    fn _state<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Option<Bound<'py, PyDict>>> {
        let mut locked = self.inner.lock(py)?;
        let Some(slot) = started(&mut locked)?.slots().get(index) else { return Ok(None) };
        state::shown(py, slot, false)
    }

    /// Every parameter's state, of one moment: the live arrays or copies.
    fn _states<'py>(
        &self,
        py: Python<'py>,
        copy: bool,
    ) -> PyResult<Vec<Option<Bound<'py, PyDict>>>> {
        guarded(|| started(&mut self.inner.lock(py)?)?.states(py, copy))
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

    /// The states, live or copied, the sizes of the groups, the parameters' names and the count of
    /// skipped steps: all of one moment.
    fn _snapshot<'py>(&self, py: Python<'py>, copy: bool) -> PyResult<Snapshot<'py>> {
        guarded(|| started(&mut self.inner.lock(py)?)?.snapshot(py, copy))
    }

    /// Makes the state of all parameters that have none, as if they had had `step` steps.
    fn _init_state(&self, py: Python<'_>, step: u64) -> PyResult<()> {
        guarded(|| started(&mut self.inner.lock(py)?)?.init_state(py, step))
    }

    /// Takes over the parameters and the state of another, for an unbound optimizer that has none: with
    /// them the other has taken over what was `pending`. `numbers`: by the
    /// keys of those that will come one by one.
    #[pyo3(signature = (other, pending, numbers=None))]
    fn _take_over(
        &self,
        py: Python<'_>,
        other: &Bound<'_, Core>,
        pending: Option<Py<PyAny>>,
        numbers: Option<Py<PyDict>>,
    ) -> PyResult<()> {
        guarded(|| self.take_over(py, other, pending.as_ref(), numbers))
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
        self.exchange(py, |inner| inner.load(py, &steps, &arrays, skipped, &options))
    }

    /// Begins an unbound optimizer anew: its parameters are those of its next call, with the state in
    /// `pending`. No signal's handler can run in between.
    #[pyo3(signature = (pending, skipped, options=vec![]))]
    fn _await(
        &self,
        py: Python<'_>,
        pending: Option<Py<PyAny>>,
        skipped: u64,
        options: Vec<Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let mut locked = self.inner.lock(py)?;
        let inner = started(&mut locked)?;
        let mut before = Inner::new(inner.settings.clone_ref(py), true);
        inner.set_options(py, &options)?;
        inner.exchange(&mut before);
        inner.pending = pending;
        inner.optimizer.set_skipped(skipped);
        drop(locked);
        drop(before); // may run Python code, so after the lock is free
        Ok(())
    }

    /// What was loaded before there were parameters.
    #[getter(_pending)]
    fn pending(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let mut locked = self.inner.lock(py)?;
        Ok(started(&mut locked)?.pending.as_ref().map(|pending| pending.clone_ref(py)))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // What is in use is alive: the collector may take it for held from outside.
        // SAFETY: the collector holds the GIL, and visiting runs no Python code.
        match unsafe { self.inner.idle() } {
            Some(inner) => inner.iter().try_for_each(|inner| inner.traverse(&visit)),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        let before = self.inner.try_lock().and_then(|mut inner| inner.take());
        drop(before); // after the lock is free
    }

    /// The keys of parameters that come one by one, in their order; None of others.
    #[getter(_numbers)]
    fn numbers(&self, py: Python<'_>) -> PyResult<Option<Py<PyDict>>> {
        let mut locked = self.inner.lock(py)?;
        Ok(started(&mut locked)?.numbers.as_ref().map(|numbers| numbers.clone_ref(py)))
    }

    /// The parameters' names, None if they have none.
    #[getter(_names)]
    fn names(&self, py: Python<'_>) -> PyResult<Option<Vec<Py<PyString>>>> {
        started(&mut self.inner.lock(py)?)?.names(py)
    }

    #[getter(_skipped)]
    fn skipped(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(started(&mut self.inner.lock(py)?)?.optimizer.skipped())
    }
}
