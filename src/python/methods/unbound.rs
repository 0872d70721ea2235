//! The steps of an optimizer whose parameters come with each call.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::python::core::{Core, info, started};
use crate::python::guard::guarded;
use crate::python::inner::Way;
use crate::python::scaling::{Arguments, Clip, Scaling};
use crate::python::step_info::{self, StepInfo};

#[pymethods]
impl Core {
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
}
