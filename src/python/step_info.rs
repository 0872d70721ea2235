//! What a step did, as Python sees it, and what it answers to whoever takes it for the new
//! parameters.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use super::cuda::DeviceNorm;
use crate::optimizer::{self, Move, Moves};

type Norm = optimizer::Norm<DeviceNorm>;

/// The norm, None if it was not asked for. Waits for it if it is on a device.
fn value(norm: &Norm, py: Python<'_>) -> PyResult<Option<f64>> {
    match norm {
        Norm::NotAsked => Ok(None),
        Norm::Known(norm) => Ok(Some(*norm)),
        Norm::Elsewhere(clip) => clip.norm(py).map(Some),
    }
}

/// A norm over all parameters, or that of each.
#[derive(FromPyObject, IntoPyObject, IntoPyObjectRef)]
pub(super) enum Measured {
    All(f64),
    Each(Py<PyTuple>),
}

impl Measured {
    fn of(
        moves: Option<&Moves>,
        norm: impl Fn(&Move) -> f64,
        py: Python<'_>,
    ) -> PyResult<Option<Self>> {
        Ok(match moves {
            None => None,
            Some(Moves::All(one)) => Some(Measured::All(norm(one))),
            Some(Moves::Each(each)) => {
                Some(Measured::Each(PyTuple::new(py, each.iter().map(norm))?.unbind()))
            }
        })
    }
}

/// A parameter as `opt.state` knows it.
#[derive(FromPyObject, IntoPyObject, IntoPyObjectRef)]
pub(super) enum ParameterKey {
    Position(usize),
    Name(Py<PyString>),
}

impl ParameterKey {
    pub(super) fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            ParameterKey::Position(i) => ParameterKey::Position(*i),
            ParameterKey::Name(name) => ParameterKey::Name(name.clone_ref(py)),
        }
    }
}

/// What a step did.
///
/// It is no array: parameters are updated in place. What needs one (arithmetic, `numpy.asarray`,
/// indexing, iteration) raises a TypeError that says so, and so does its truth: ask `applied`.
///
/// Attributes
/// ----------
/// applied : bool
///     Whether the parameters were updated: False if ``nonfinite="skip"`` left the step out, and of a
///     call of `Accumulator` that only adds up.
/// grad_norm : float or None
///     The joint norm of all gradients before clipping, None without `max_norm`. Where the
///     gradients lie on one device, to ask is to wait for it.
/// nonfinite : str, int or None
///     In a step that was left out, the name or position of the first parameter whose gradient is
///     not finite; None if it was but the sum of their squares that overflowed.
/// update_norm, param_norm : float, tuple of float or None
///     The Euclidean norm of what the step added to the parameters, and of their old values: over all
///     of them, or of each in their order. None without `measure`, and of a step that was left out.
///
/// Examples
/// --------
/// >>> import numpy as np, ferrostep as fs
/// >>> opt = fs.SGD({"w": np.zeros(2)}, lr=0.1, nonfinite="skip")
/// >>> info = opt.step({"w": np.array([3.0, 4.0])}, max_norm=1.0)
/// >>> info.as_dict()
/// {'applied': True, 'grad_norm': 5.0, 'nonfinite': None, 'update_norm': None, 'param_norm': None}
/// >>> opt.step({"w": np.array([np.inf, 4.0])})
/// StepInfo(applied=False, grad_norm=None, nonfinite='w')
#[pyclass(frozen, module = "ferrostep")]
pub(super) struct StepInfo {
    #[pyo3(get)]
    applied: bool,
    grad_norm: Norm,
    nonfinite: Option<ParameterKey>,
    update_norm: Option<Measured>,
    param_norm: Option<Measured>,
}

#[pymethods]
impl StepInfo {
    /// For unpickling, and for tests that stand in for an optimizer.
    #[new]
    #[pyo3(signature = (applied, grad_norm=None, nonfinite=None, update_norm=None, param_norm=None))]
    fn new(
        applied: bool,
        grad_norm: Option<f64>,
        nonfinite: Option<ParameterKey>,
        update_norm: Option<Measured>,
        param_norm: Option<Measured>,
    ) -> Self {
        let grad_norm = grad_norm.map_or(Norm::NotAsked, Norm::Known);
        StepInfo { applied, grad_norm, nonfinite, update_norm, param_norm }
    }

    #[getter]
    fn update_norm(&self) -> Option<&Measured> {
        self.update_norm.as_ref()
    }

    #[getter]
    fn param_norm(&self) -> Option<&Measured> {
        self.param_norm.as_ref()
    }

    #[getter]
    fn grad_norm(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        value(&self.grad_norm, py)
    }

    #[getter]
    fn nonfinite(&self) -> Option<&ParameterKey> {
        self.nonfinite.as_ref()
    }

    /// Return the attributes by name.
    fn as_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("applied", self.applied)?;
        dict.set_item("grad_norm", value(&self.grad_norm, py)?)?;
        dict.set_item("nonfinite", self.nonfinite.as_ref())?;
        dict.set_item("update_norm", self.update_norm.as_ref())?;
        dict.set_item("param_norm", self.param_norm.as_ref())?;
        Ok(dict)
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyType>, Bound<'py, PyTuple>)> {
        Ok((slf.get_type(), slf.get().values(slf.py())?))
    }

    fn __eq__(&self, py: Python<'_>, other: &Self) -> PyResult<bool> {
        self.values(py)?.eq(other.values(py)?)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.values(py)?.hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut parts = Vec::new();
        for (i, (name, value)) in self.as_dict(py)?.iter().enumerate() {
            if i < 2 || !value.is_none() {
                parts.push(format!("{name}={}", value.repr()?));
            }
        }
        Ok(format!("StepInfo({})", parts.join(", ")))
    }

    fn __bool__(&self) -> PyResult<bool> {
        Err(PyTypeError::new_err(
            "whether a StepInfo is true could mean two things: that there was a step, or that it \
             was not skipped; write `if info.applied:`",
        ))
    }
}

impl StepInfo {
    /// Of a step that was done and of which nothing was asked: always the same object.
    pub(super) fn plain(py: Python<'_>) -> PyResult<Py<Self>> {
        static PLAIN: PyOnceLock<Py<StepInfo>> = PyOnceLock::new();
        let made = || StepInfo::applied(py, Norm::NotAsked, None);
        Ok(PLAIN.get_or_try_init(py, made)?.clone_ref(py))
    }

    pub(super) fn is_applied(&self) -> bool {
        self.applied
    }

    /// Of a step that was done.
    pub(super) fn applied(
        py: Python<'_>,
        grad_norm: Norm,
        moves: Option<Moves>,
    ) -> PyResult<Py<Self>> {
        let update_norm = Measured::of(moves.as_ref(), |of| of.update_norm, py)?;
        let param_norm = Measured::of(moves.as_ref(), |of| of.param_norm, py)?;
        let nonfinite = None;
        Py::new(py, StepInfo { applied: true, grad_norm, nonfinite, update_norm, param_norm })
    }

    /// Of a step that was left out.
    pub(super) fn skipped(
        py: Python<'_>,
        grad_norm: Norm,
        nonfinite: Option<ParameterKey>,
    ) -> PyResult<Py<Self>> {
        let (update_norm, param_norm) = (None, None);
        Py::new(py, StepInfo { applied: false, grad_norm, nonfinite, update_norm, param_norm })
    }

    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let norm = value(&self.grad_norm, py)?;
        let (moved, of) = (self.update_norm.as_ref(), self.param_norm.as_ref());
        (self.applied, norm, self.nonfinite.as_ref(), moved, of).into_pyobject(py)
    }
}

/// What arrays can do. In other libraries a step returns the new parameters, so `w = opt.update(w, g)`
/// is written by habit, and what follows is to say what became of `w`.
const OF_ARRAYS: &[&str] = &[
    "__array__",
    "__iter__",
    "__len__",
    "__getitem__",
    "__setitem__",
    "__contains__",
    "__neg__",
    "__pos__",
    "__abs__",
    "__invert__",
    "__int__",
    "__index__",
    "__float__",
    "__complex__",
    "__lt__",
    "__le__",
    "__gt__",
    "__ge__",
    "__add__",
    "__radd__",
    "__sub__",
    "__rsub__",
    "__mul__",
    "__rmul__",
    "__matmul__",
    "__rmatmul__",
    "__truediv__",
    "__rtruediv__",
    "__floordiv__",
    "__rfloordiv__",
    "__mod__",
    "__rmod__",
    "__divmod__",
    "__rdivmod__",
    "__pow__",
    "__rpow__",
    "__lshift__",
    "__rlshift__",
    "__rshift__",
    "__rrshift__",
    "__and__",
    "__rand__",
    "__or__",
    "__ror__",
    "__xor__",
    "__rxor__",
];

pub(super) fn taken_for_an_array() -> PyErr {
    PyTypeError::new_err(
        "a StepInfo was taken for an array: the parameters were updated in place; write \
         `opt.update(w, g)`, not `w = opt.update(w, g)`, and go on using w",
    )
}

#[pyfunction(signature = (*_args, **_options))]
fn refuse(_args: &Bound<'_, PyTuple>, _options: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
    Err(taken_for_an_array())
}

pub(super) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let class = module.py().get_type::<StepInfo>();
    let refuse = wrap_pyfunction!(refuse, module)?;
    for name in OF_ARRAYS {
        class.setattr(name, &refuse)?;
    }
    module.add_class::<StepInfo>()
}
