//! Copies of arrays.

use numpy::PyUntypedArrayMethods;
use pyo3::prelude::*;

use super::header::Seen;
use super::held::Array;
use super::host;
use crate::engine;
use crate::python::cuda::backend;

impl<'py> Array<'py> {
    /// A new array with the same values, in the same place.
    pub(in crate::python) fn copy(&self) -> PyResult<Bound<'py, PyAny>> {
        let array = match self {
            Array::Host(array) => array,
            Array::Device(array) => return backend(array.py(), "copy", (array,)),
        };
        let made = host::empty_like(array, array.dtype())?;
        let to = Seen::of_copy(&Array::Host(made.cast()?.clone()))?;
        let from = Seen::of_copy(self)?;
        // SAFETY: both are arrays of one shape and type, and the new one is ours alone. NumPy's
        // function would release the GIL, and another thread might end the interpreter.
        unsafe { engine::copy(&from.view(), &to.view()) };
        Ok(made)
    }
}
