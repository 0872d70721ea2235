//! Calls of code that is not ours: whatever may run Python.
//!
//! Before 3.14, when the interpreter ends, CPython calls `pthread_exit` in a daemon thread that waits
//! for the GIL: that may be in the midst of Python code that we have called. It unwinds our frames,
//! drops what they own without the GIL, and ends the process if it meets a `catch_unwind`. So the
//! frame next to the call, which owns nothing, keeps the thread for ever instead. CPython does so
//! from 3.14 on, and pyo3 where it takes the GIL itself.

use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

type Call = unsafe extern "C-unwind" fn(
    *mut ffi::PyObject,
    *mut ffi::PyObject,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;
type Get =
    unsafe extern "C-unwind" fn(*mut ffi::PyObject, *mut ffi::PyObject) -> *mut ffi::PyObject;
type Of = unsafe extern "C-unwind" fn(*mut ffi::PyObject) -> *mut ffi::PyObject;

/// CPython's functions as functions that may unwind. pyo3 declares them as such that do not, and the
/// compiler believes any declaration that it sees: hence the black box.
mod unwinding {
    use std::hint::black_box;
    use std::mem::transmute;

    use pyo3::ffi;

    use super::{Call, Get, Of};

    pub(super) fn call() -> Call {
        let f: unsafe extern "C" fn(_, _, _) -> _ = ffi::PyObject_Call;
        // SAFETY: calling conventions that differ in unwinding alone are compatible.
        unsafe { transmute(black_box(f)) }
    }

    pub(super) fn get_attribute() -> Get {
        let f: unsafe extern "C" fn(_, _) -> _ = ffi::PyObject_GetAttr;
        // SAFETY: as above.
        unsafe { transmute(black_box(f)) }
    }

    pub(super) fn get_iterator() -> Of {
        let f: unsafe extern "C" fn(_) -> _ = ffi::PyObject_GetIter;
        // SAFETY: as above.
        unsafe { transmute(black_box(f)) }
    }

    pub(super) fn next() -> Of {
        let f: unsafe extern "C" fn(_) -> _ = ffi::PyIter_Next;
        // SAFETY: as above.
        unsafe { transmute(black_box(f)) }
    }
}

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
    args: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = callable.py();
    let args = args.into_pyobject(py).map_err(Into::into)?;
    let (function, given, call) = (callable.as_ptr(), args.as_ptr(), unwinding::call());
    // SAFETY: both are alive, and the second is a tuple; the result is owned, or null with an error.
    unsafe {
        let result = staying(|| call(function, given, std::ptr::null_mut()));
        Bound::from_owned_ptr_or_err(py, result)
    }
}

/// `object.name`.
fn attribute<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let (of, named, get) = (object.as_ptr(), name.as_ptr(), unwinding::get_attribute());
    // SAFETY: both are alive; the result is owned, or null with an error.
    unsafe {
        let result = staying(|| get(of, named));
        Bound::from_owned_ptr_or_err(object.py(), result)
    }
}

/// `iter(object)`.
pub(super) fn iterate<'py>(object: &Bound<'py, PyAny>) -> PyResult<Items<'py>> {
    let (of, get) = (object.as_ptr(), unwinding::get_iterator());
    // SAFETY: it is alive; the result is owned, or null with an error.
    unsafe {
        let result = staying(|| get(of));
        Ok(Items(Bound::from_owned_ptr_or_err(object.py(), result)?))
    }
}

pub(super) struct Items<'py>(Bound<'py, PyAny>);

impl<'py> Items<'py> {
    pub(super) fn next(&mut self) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, of, next) = (self.0.py(), self.0.as_ptr(), unwinding::next());
        // SAFETY: it is an iterator, alive; the result is owned, or null, with an error or at the end.
        let item = unsafe {
            let result = staying(|| next(of));
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
