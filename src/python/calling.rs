//! Calls of code that is not ours: whatever may run Python.
//!
//! Before 3.14 CPython ends a daemon thread that meets the end of the interpreter by `pthread_exit`,
//! wherever it waits for the interpreter: in the midst of Python code that we have called. That
//! unwinds our frames, drops what they own without the interpreter, and ends the process where it
//! meets a `catch_unwind`. So the frame next to the call, which owns nothing, keeps the thread for
//! ever instead, as CPython does from 3.14 on and pyo3 does where it takes the interpreter itself.

use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

#[cfg(unix)]
mod unwinding {
    use pyo3::ffi::PyObject;

    // As pyo3 declares them, but that they may unwind.
    unsafe extern "C-unwind" {
        pub(super) fn PyObject_Call(
            callable: *mut PyObject,
            args: *mut PyObject,
            kwargs: *mut PyObject,
        ) -> *mut PyObject;
        pub(super) fn PyObject_GetIter(o: *mut PyObject) -> *mut PyObject;
        pub(super) fn PyIter_Next(o: *mut PyObject) -> *mut PyObject;
        pub(super) fn PyObject_GetAttr(o: *mut PyObject, name: *mut PyObject) -> *mut PyObject;
    }
}
#[cfg(not(unix))]
use pyo3::ffi as unwinding;

/// Keeps a thread that is being ended, when it is dropped.
struct Stays;

impl Drop for Stays {
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

/// The result of `call`, which owns nothing.
#[inline(never)]
fn staying(call: impl FnOnce() -> *mut ffi::PyObject) -> *mut ffi::PyObject {
    let stays = Stays;
    let result = call();
    std::mem::forget(stays);
    result
}

/// `callable(*args)`.
pub(super) fn call<'py>(
    callable: &Bound<'py, PyAny>,
    args: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = callable.py();
    let args = args.into_pyobject(py)?;
    let (function, given) = (callable.as_ptr(), args.as_ptr());
    // SAFETY: both are alive, and the second is a tuple; the result is owned, or null with an error.
    unsafe {
        let result = staying(|| unwinding::PyObject_Call(function, given, std::ptr::null_mut()));
        Bound::from_owned_ptr_or_err(py, result)
    }
}

/// `object.name`.
pub(super) fn attribute<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let (of, named) = (object.as_ptr(), name.as_ptr());
    // SAFETY: both are alive; the result is owned, or null with an error.
    unsafe {
        let result = staying(|| unwinding::PyObject_GetAttr(of, named));
        Bound::from_owned_ptr_or_err(object.py(), result)
    }
}

/// `iter(object)`.
pub(super) fn iterate<'py>(object: &Bound<'py, PyAny>) -> PyResult<Items<'py>> {
    let of = object.as_ptr();
    // SAFETY: it is alive; the result is owned, or null with an error.
    unsafe {
        let result = staying(|| unwinding::PyObject_GetIter(of));
        Ok(Items(Bound::from_owned_ptr_or_err(object.py(), result)?))
    }
}

pub(super) struct Items<'py>(Bound<'py, PyAny>);

impl<'py> Items<'py> {
    pub(super) fn next(&mut self) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, of) = (self.0.py(), self.0.as_ptr());
        // SAFETY: it is an iterator, alive; the result is owned, or null, with an error or at the end.
        let item = unsafe {
            let result = staying(|| unwinding::PyIter_Next(of));
            Bound::from_owned_ptr_or_opt(py, result)
        };
        match item {
            Some(item) => Ok(Some(item)),
            None => PyErr::take(py).map_or(Ok(None), Err),
        }
    }
}

/// Whether there is `object.name`.
pub(super) fn has(object: &Bound<'_, PyAny>, name: &str) -> PyResult<bool> {
    match attribute(object, &PyString::new(object.py(), name)) {
        Ok(_) => Ok(true),
        Err(error) if error.is_instance_of::<PyAttributeError>(object.py()) => Ok(false),
        Err(error) => Err(error),
    }
}

/// `object.name(*args)`.
pub(super) fn method<'py>(
    object: &Bound<'py, PyAny>,
    name: &str,
    args: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
) -> PyResult<Bound<'py, PyAny>> {
    call(&attribute(object, &PyString::new(object.py(), name))?, args)
}
