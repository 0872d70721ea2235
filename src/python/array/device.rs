//! CuPy arrays by their attributes. Nothing here imports CuPy but the backend in Python, and that
//! only when an array was seen that asks for it.

use numpy::npyffi::{NPY_ARRAY_ALIGNED, NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_WRITEABLE};
use numpy::{PyArrayDescr, PyArrayDescrMethods};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyTuple, PyType};
use pyo3::{ffi, intern};

use super::fields::Fields;
use crate::optimizer::{Axes, Header, Place};
use crate::python::cuda::backend;

/// `cupy.ndarray`, once one was seen.
static CUPY: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// The CuPy array of an object whose memory is on a device, None of any other.
pub(super) fn adopt<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = object.py();
    let class = object.get_type();
    if CUPY.get(py).is_some_and(|known| class.is(known)) {
        return Ok(Some(object.clone()));
    }
    if !class.hasattr(intern!(py, "__cuda_array_interface__"))? {
        return Ok(None);
    }
    let array = backend(py, "adopt", (object,))?;
    if array.is_none() {
        return Ok(None);
    }
    CUPY.get_or_init(py, || array.get_type().unbind());
    Ok(Some(array))
}

pub(super) fn dtype<'py>(array: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArrayDescr>> {
    Ok(array.getattr(intern!(array.py(), "dtype"))?.cast_into::<PyArrayDescr>()?)
}

fn lengths(array: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<Axes> {
    array.getattr(name)?.cast::<PyTuple>()?.iter().map(|n| n.extract()).collect()
}

pub(super) fn shape(array: &Bound<'_, PyAny>) -> PyResult<Axes> {
    lengths(array, intern!(array.py(), "shape"))
}

/// Whether elements lie in C order without gaps.
fn in_c_order(shape: &[isize], strides: &[isize], itemsize: isize) -> bool {
    let mut span = itemsize;
    shape.contains(&0)
        || shape.iter().zip(strides).rev().all(|(&n, &stride)| {
            let fits = n == 1 || stride == span;
            span *= n;
            fits
        })
}

pub(super) fn fields(array: &Bound<'_, PyAny>) -> PyResult<Fields> {
    let py = array.py();
    let data = array.getattr(intern!(py, "data"))?;
    let shape = shape(array)?;
    let strides = lengths(array, intern!(py, "strides"))?;
    let itemsize = dtype(array)?.itemsize() as isize;
    let c_order = if in_c_order(&shape, &strides, itemsize) { NPY_ARRAY_C_CONTIGUOUS } else { 0 };
    Ok(Fields {
        place: Place::Device(data.getattr(intern!(py, "device_id"))?.extract()?),
        data: data.getattr(intern!(py, "ptr"))?.extract()?,
        flags: NPY_ARRAY_WRITEABLE | NPY_ARRAY_ALIGNED | c_order,
        shape,
        strides,
    })
}

/// Whether the array is still what its header says. CuPy lets the shape be changed in place, and
/// strides only with it.
pub(super) fn matches(
    header: &Header,
    is_of: impl Fn(*mut ffi::PyObject) -> bool,
    array: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let py = array.py();
    let data = array.getattr(intern!(py, "data"))?;
    Ok(data.getattr(intern!(py, "ptr"))?.extract::<usize>()? == header.pointer() as usize
        && lengths(array, intern!(py, "shape"))? == header.shape
        && is_of(dtype(array)?.as_ptr()))
}
