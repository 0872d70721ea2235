//! NumPy arrays by the fields of their objects.

use std::panic::catch_unwind;

use numpy::npyffi::{NPY_ORDER, PY_ARRAY_API, PyArrayObject_fields};
use numpy::{
    PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods, get_array_module,
};
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::{PyTypeInfo, ffi};

pub(in crate::python) type HostArray<'py> = Bound<'py, PyUntypedArray>;

/// The object as an array if it is just that, no subclass; else the object. `ndarray` is the type,
/// looked up once for many.
#[inline]
pub(in crate::python) fn exactly<'py>(
    object: Bound<'py, PyAny>,
    ndarray: *mut ffi::PyTypeObject,
) -> Result<HostArray<'py>, Bound<'py, PyAny>> {
    if object.get_type_ptr() == ndarray {
        // SAFETY: its type was just compared.
        Ok(unsafe { object.cast_into_unchecked() })
    } else {
        Err(object)
    }
}

pub(in crate::python) fn ndarray(py: Python<'_>) -> *mut ffi::PyTypeObject {
    PyUntypedArray::type_object_raw(py)
}

/// Takes NumPy's C API, before any call needs it. The numpy crate takes it at its first use, by
/// importing, and panics if that fails: be it that a signal's handler raised.
pub(in crate::python) fn take_c_api(py: Python<'_>) -> PyResult<()> {
    // All of it that runs Python code; what follows is looked up without any.
    get_array_module(py)?;
    catch_unwind(|| ndarray(py)).map(drop).map_err(|_| {
        let version = py.import("numpy").and_then(|numpy| numpy.getattr("__version__"));
        let found = version.map_or_else(|_| "another".to_owned(), |version| version.to_string());
        PyImportError::new_err(format!("NumPy must have the C API of version 2, found {found}"))
    })
}

#[inline]
pub(super) fn fields<'a>(array: &'a HostArray<'_>) -> &'a PyArrayObject_fields {
    // SAFETY: the reference keeps the array alive, and the GIL is held: nobody changes it.
    unsafe { &(*array.as_array_ptr()).fields }
}

/// Shape and strides.
#[inline]
pub(super) fn axes(fields: &PyArrayObject_fields) -> (&[isize], &[isize]) {
    match usize::try_from(fields.nd) {
        Ok(0) | Err(_) => (&[], &[]),
        // SAFETY: NumPy keeps `nd` values at both pointers.
        Ok(nd) => unsafe {
            (
                std::slice::from_raw_parts(fields.dimensions, nd),
                std::slice::from_raw_parts(fields.strides, nd),
            )
        },
    }
}

/// A plain array of this one's shape and order. By NumPy's C function: a subclass has no say in it.
pub(super) fn empty_like<'py>(
    array: &HostArray<'py>,
    dtype: Bound<'py, PyArrayDescr>,
) -> PyResult<Bound<'py, PyAny>> {
    let (py, like) = (array.py(), array.as_array_ptr());
    // SAFETY: the array is alive, and the function takes over the dtype; the result is owned, or
    // null with an error.
    unsafe {
        let order = NPY_ORDER::NPY_KEEPORDER;
        let made = PY_ARRAY_API.PyArray_NewLikeArray(py, like, order, dtype.into_dtype_ptr(), 0);
        Bound::from_owned_ptr_or_err(py, made)
    }
}
