//! An array of either kind, as it came and as it is kept.

use std::fmt::Display;

use numpy::{PyArrayDescr, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PySlice, PyTuple};

use super::device;
use super::host::{self, HostArray};
use crate::python::calling;
use crate::python::cuda::backend;
use crate::python::imported::is_of;
use crate::python::words::must_be;

/// An array of either kind.
#[derive(Clone)]
pub(in crate::python) enum Array<'py> {
    Host(HostArray<'py>),
    /// A `cupy.ndarray`.
    Device(Bound<'py, PyAny>),
}

/// An array that is kept from step to step.
pub(in crate::python) enum Held {
    Host(Py<PyUntypedArray>),
    Device(Py<PyAny>),
}

impl<'py> Array<'py> {
    /// An array that is nothing but memory: neither masked nor a matrix, but it may be CuPy's.
    pub(in crate::python) fn plain(
        object: &Bound<'py, PyAny>,
        label: &impl Display,
        wanted: &str,
    ) -> PyResult<Self> {
        if let Some(array) = device::adopt(object)? {
            return Ok(Array::Device(array));
        }
        if let Ok(found) = object.cast::<PyUntypedArray>()
            && !is_of(object, "numpy.ma", "MaskedArray")?
            && !is_of(object, "numpy.matrixlib", "matrix")?
        {
            return Ok(Array::Host(found.clone()));
        }
        Err(PyTypeError::new_err(must_be(label, wanted, object)))
    }

    /// A device's array, None if the object's memory is elsewhere.
    pub(in crate::python) fn on_device(object: &Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        Ok(device::adopt(object)?.map(Array::Device))
    }

    pub(in crate::python) fn object(&self) -> &Bound<'py, PyAny> {
        match self {
            Array::Host(array) => array.as_any(),
            Array::Device(array) => array,
        }
    }

    pub(in crate::python) fn hold(self) -> Held {
        match self {
            Array::Host(array) => Held::Host(array.unbind()),
            Array::Device(array) => Held::Device(array.unbind()),
        }
    }

    /// As many of the first elements along each axis as this shape has; of all of them the array itself.
    pub(in crate::python) fn first(self, shape: &[isize]) -> PyResult<Self> {
        let all = match &self {
            Array::Host(array) => host::axes(host::fields(array)).0 == shape,
            Array::Device(array) => device::shape(array)?[..] == *shape,
        };
        if all {
            return Ok(self);
        }
        let py = self.object().py();
        let index = PyTuple::new(py, shape.iter().map(|n| PySlice::new(py, 0, *n, 1)))?;
        let part = calling::method(self.object(), "__getitem__", (index,))?;
        Ok(match self {
            Array::Host(_) => Array::Host(part.cast_into()?),
            Array::Device(_) => Array::Device(part),
        })
    }

    pub(super) fn dtype(&self) -> PyResult<Bound<'py, PyArrayDescr>> {
        match self {
            Array::Host(array) => Ok(array.dtype()),
            Array::Device(array) => device::dtype(array),
        }
    }

    pub(in crate::python) fn dtype_name(&self) -> String {
        self.dtype()
            .and_then(|dtype| Ok(dtype.str()?.to_string()))
            .unwrap_or_else(|_| "?".to_owned())
    }

    /// A new array of this one's shape, type and order, with whatever is there; None of what is no
    /// array of NumPy's own class.
    pub(in crate::python) fn new_like(
        array: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let array = array.cast_exact::<PyUntypedArray>();
        array.ok().map(|array| host::empty_like(array, array.dtype())).transpose()
    }

    /// A new array of this one's shape and order, in the same place, with whatever is there.
    pub(in crate::python) fn empty_like(&self, dtype: &str) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Array::Host(array) => host::empty_like(array, PyArrayDescr::new(array.py(), dtype)?),
            Array::Device(array) => backend(array.py(), "empty_like", (array, dtype)),
        }
    }
}

impl Held {
    pub(in crate::python) fn bind<'py>(&self, py: Python<'py>) -> Array<'py> {
        match self {
            Held::Host(array) => Array::Host(array.bind(py).clone()),
            Held::Device(array) => Array::Device(array.bind(py).clone()),
        }
    }

    pub(in crate::python) fn as_ptr(&self) -> *mut ffi::PyObject {
        match self {
            Held::Host(array) => array.as_ptr(),
            Held::Device(array) => array.as_ptr(),
        }
    }

    pub(in crate::python) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Held::Host(array) => visit.call(array),
            Held::Device(array) => visit.call(array),
        }
    }
}
