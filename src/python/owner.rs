//! Whose memory an array lies in: what an unbound optimizer knows its parameters by.
//!
//! The array that comes with a call may be a view made just for it, so its own identity says
//! nothing. What owns the memory is at the end of the chain of `base`s; behind a memoryview it is
//! what that is of. It is held weakly, so that nobody's memory is kept, or strongly where it takes
//! no weak reference: then it is alive, and no other object can come to lie at its address.

use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyMemoryView, PyWeakrefReference};

use super::array::{Array, HostArray};

pub(super) enum Owner {
    Weak(Py<PyWeakrefReference>),
    Strong(Py<PyAny>),
}

/// The object that owns the array's memory; the array itself, if nobody else does.
pub(super) fn owner<'py>(array: &Array<'py>) -> PyResult<Bound<'py, PyAny>> {
    match array {
        Array::Host(array) => Ok(on_host(array)),
        Array::Device(array) => on_device(array),
    }
}

fn on_host<'py>(array: &HostArray<'py>) -> Bound<'py, PyAny> {
    let Some(mut object) = base(array) else { return array.as_any().clone() };
    loop {
        let next = if let Ok(array) = object.cast::<PyUntypedArray>() {
            base(array)
        } else if object.is_exact_instance_of::<PyMemoryView>() {
            // None of one that is of no object; one that was released has no attributes.
            object.getattr(intern!(object.py(), "obj")).ok().filter(|of| !of.is_none())
        } else {
            None
        };
        match next {
            Some(next) => object = next,
            None => return object,
        }
    }
}

#[inline]
fn base<'py>(array: &HostArray<'py>) -> Option<Bound<'py, PyAny>> {
    // SAFETY: the array is alive; its base is null or an object that it holds.
    unsafe { Bound::from_borrowed_ptr_or_opt(array.py(), (*array.as_array_ptr()).fields.base) }
}

/// CuPy's allocation; of an array that was adopted, the other library's object.
fn on_device<'py>(array: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = array.py();
    let memory = array.getattr(intern!(py, "data"))?.getattr(intern!(py, "mem"))?;
    match memory.getattr(intern!(py, "_owner")) {
        Ok(owner) if !owner.is_none() => Ok(owner),
        _ => Ok(memory),
    }
}

impl Owner {
    pub(super) fn of(array: &Array<'_>) -> PyResult<Self> {
        let owner = owner(array)?;
        match PyWeakrefReference::new(&owner) {
            Ok(weak) => Ok(Owner::Weak(weak.unbind())),
            Err(error) if error.is_instance_of::<PyTypeError>(owner.py()) => {
                Ok(Owner::Strong(owner.unbind()))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether it is this very object.
    pub(super) fn is(&self, object: &Bound<'_, PyAny>) -> bool {
        match self {
            Owner::Weak(weak) => weak.bind(object.py()).upgrade().is_some_and(|o| o.is(object)),
            Owner::Strong(owner) => owner.is(object),
        }
    }

    /// Whether the memory may still be in use.
    pub(super) fn is_alive(&self, py: Python<'_>) -> bool {
        match self {
            Owner::Weak(weak) => weak.bind(py).upgrade().is_some(),
            Owner::Strong(_) => true,
        }
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Owner::Weak(weak) => visit.call(weak),
            Owner::Strong(owner) => visit.call(owner),
        }
    }
}
