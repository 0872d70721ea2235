//! Arrays as they come from Python: NumPy's, and CuPy's on a device. Their headers (pointer, type,
//! shape, strides) are read and checked here and nowhere else.

mod device;
mod header;
mod host;

use std::fmt::Display;

use numpy::{PyArrayDescr, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::cuda::backend;
use super::imported::is_of;
use crate::engine;

pub(super) use header::Seen;
pub(super) use host::{exactly, ndarray, take_c_api};

pub(super) type HostArray<'py> = Bound<'py, PyUntypedArray>;

/// An array of either kind.
#[derive(Clone)]
pub(super) enum Array<'py> {
    Host(HostArray<'py>),
    /// A `cupy.ndarray`.
    Device(Bound<'py, PyAny>),
}

/// An array that is kept from step to step.
pub(super) enum Held {
    Host(Py<PyUntypedArray>),
    Device(Py<PyAny>),
}

impl<'py> Array<'py> {
    /// An array that is nothing but memory: neither masked nor a matrix, but it may be CuPy's.
    pub(super) fn plain(
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
        Err(PyTypeError::new_err(format!("{label} is a {}; {wanted}", object.get_type().name()?)))
    }

    /// A device's array, None if the object's memory is elsewhere.
    pub(super) fn on_device(object: &Bound<'py, PyAny>) -> PyResult<Option<Self>> {
        Ok(device::adopt(object)?.map(Array::Device))
    }

    pub(super) fn object(&self) -> &Bound<'py, PyAny> {
        match self {
            Array::Host(array) => array.as_any(),
            Array::Device(array) => array,
        }
    }

    pub(super) fn hold(self) -> Held {
        match self {
            Array::Host(array) => Held::Host(array.unbind()),
            Array::Device(array) => Held::Device(array.unbind()),
        }
    }

    fn dtype(&self) -> PyResult<Bound<'py, PyArrayDescr>> {
        match self {
            Array::Host(array) => Ok(array.dtype()),
            Array::Device(array) => device::dtype(array),
        }
    }

    pub(super) fn dtype_name(&self) -> String {
        self.dtype()
            .and_then(|dtype| Ok(dtype.str()?.to_string()))
            .unwrap_or_else(|_| "?".to_owned())
    }

    /// A new array of this one's shape and order, in the same place, with whatever is there.
    pub(super) fn empty_like(&self, dtype: &str) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Array::Host(array) => host::empty_like(array, PyArrayDescr::new(array.py(), dtype)?),
            Array::Device(array) => backend(array.py(), "empty_like", (array, dtype)),
        }
    }

    /// A new array with the same values, in the same place.
    pub(super) fn copy(&self) -> PyResult<Bound<'py, PyAny>> {
        let array = match self {
            Array::Host(array) => array,
            Array::Device(array) => return backend(array.py(), "copy", (array,)),
        };
        let made = host::empty_like(array, array.dtype())?;
        let to = Seen::of_copy(&Array::Host(made.cast()?.clone()))?;
        let from = Seen::of_copy(self)?;
        // SAFETY: both are arrays of one shape and type, and the new one is ours alone. By NumPy's
        // function other threads would have the interpreter, and might end it.
        unsafe { engine::copy(&from.view(), &to.view()) };
        Ok(made)
    }
}

impl Held {
    pub(super) fn bind<'py>(&self, py: Python<'py>) -> Array<'py> {
        match self {
            Held::Host(array) => Array::Host(array.bind(py).clone()),
            Held::Device(array) => Array::Device(array.bind(py).clone()),
        }
    }

    pub(super) fn as_ptr(&self) -> *mut ffi::PyObject {
        match self {
            Held::Host(array) => array.as_ptr(),
            Held::Device(array) => array.as_ptr(),
        }
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Held::Host(array) => visit.call(array),
            Held::Device(array) => visit.call(array),
        }
    }
}

/// A shape as Python writes it.
pub(super) fn shape_text(shape: &[isize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        many => format!("({})", many.iter().map(isize::to_string).collect::<Vec<_>>().join(", ")),
    }
}
