//! One parameter: its array, its state arrays and its step count.

use numpy::PyUntypedArray;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyWeakrefReference};

use super::array::{Array, Header, dtype_name, shape_text};
use crate::engine::Precision;
use crate::rules::State;

pub(super) enum Holder {
    Strong(Py<PyUntypedArray>),
    /// The optimizer is unbound: arrays come with each call.
    Weak(Py<PyWeakrefReference>),
}

pub(super) struct StateArray {
    pub(super) name: String,
    pub(super) array: Py<PyUntypedArray>,
    pub(super) header: Header,
}

pub(super) struct Slot {
    /// What errors call it.
    pub(super) label: String,
    pub(super) group: usize,
    pub(super) holder: Holder,
    pub(super) header: Header,
    pub(super) step: u64,
    pub(super) states: Vec<StateArray>,
}

impl Slot {
    pub(super) fn new(array: &Bound<'_, PyAny>, label: String, group: usize) -> PyResult<Self> {
        let py = array.py();
        let ma = py.import("numpy")?.getattr("ma")?.getattr("MaskedArray")?;
        let matrix = py.import("numpy")?.getattr("matrix")?;
        let plain = array.cast::<PyUntypedArray>();
        let plain = plain.ok().filter(|a| {
            !a.is_instance(&ma).unwrap_or(true) && !a.is_instance(&matrix).unwrap_or(true)
        });
        let Some(array) = plain else {
            return Err(PyTypeError::new_err(format!(
                "{label} is a {}; parameters must be NumPy arrays (numpy.ndarray or numpy.memmap)",
                array.get_type().name()?
            )));
        };
        let header = Header::of_written(array, &label)?;
        let holder = Holder::Strong(array.clone().unbind());
        Ok(Slot { label, group, holder, header, step: 0, states: Vec::new() })
    }

    /// The array, None if nobody else holds it any more.
    pub(super) fn array<'py>(&self, py: Python<'py>) -> Option<Array<'py>> {
        match &self.holder {
            Holder::Strong(array) => Some(array.bind(py).clone()),
            Holder::Weak(weak) => weak.bind(py).upgrade_as::<PyUntypedArray>().ok().flatten(),
        }
    }

    pub(super) fn weaken(&mut self, py: Python<'_>) -> PyResult<()> {
        if let Some(array) = self.array(py) {
            self.holder = Holder::Weak(PyWeakrefReference::new(array.as_any())?.unbind());
        }
        Ok(())
    }

    /// Takes the array that came with this call in place of the last one.
    pub(super) fn rebind(&mut self, array: &Array<'_>) -> PyResult<()> {
        let py = array.py();
        let last = self.array(py);
        if last.as_ref().is_some_and(|last| last.is(array)) {
            return Ok(());
        }
        if last.is_some() && !self.header.same_memory(array) {
            return Err(PyValueError::new_err(format!(
                "{} is another array than at the last update, which is still alive: two layers \
                 would share one state; give each its own names or optimizer",
                self.label
            )));
        }
        self.holder = Holder::Weak(PyWeakrefReference::new(array.as_any())?.unbind());
        Ok(())
    }

    /// Checks the parameter and its state against what they were. True if memory has moved.
    pub(super) fn check(&mut self, array: &Array<'_>) -> PyResult<bool> {
        let py = array.py();
        let mut moved = false;
        if !self.header.matches(array) {
            let now = Header::of_written(array, &self.label)?;
            if now.shape != self.header.shape || now.format.kind != self.header.format.kind {
                return Err(PyValueError::new_err(format!(
                    "{} has changed: shape {} and dtype {} now, shape {} when the optimizer was made",
                    self.label,
                    shape_text(&now.shape),
                    dtype_name(array),
                    shape_text(&self.header.shape)
                )));
            }
            self.header = now;
            moved = true;
        }
        for state in &mut self.states {
            let array = state.array.bind(py);
            if !state.header.matches(array) {
                let label = format!("state {:?} of {}", state.name, self.label);
                let now = Header::of_written(array, &label)?;
                if now.shape != self.header.shape || now.precision() != self.header.precision() {
                    return Err(PyValueError::new_err(format!(
                        "{label} has changed: shape {} and dtype {} now, wanted shape {}",
                        shape_text(&now.shape),
                        dtype_name(array),
                        shape_text(&self.header.shape)
                    )));
                }
                state.header = now;
                moved = true;
            }
        }
        Ok(moved)
    }

    /// State arrays that the rule needs and the slot lacks: made, and not yet kept.
    pub(super) fn missing(&self, array: &Array<'_>, wanted: &[State]) -> PyResult<Vec<StateArray>> {
        let mut made = Vec::new();
        for state in wanted {
            if self.states.iter().all(|have| have.name != state.name) {
                let py = array.py();
                let options = PyDict::new(py);
                let dtype = match self.header.precision() {
                    Precision::F32 => "f4",
                    Precision::F64 => "f8",
                };
                options.set_item("dtype", dtype)?;
                options.set_item("order", "K")?;
                options.set_item("subok", false)?;
                let numpy = py.import("numpy")?;
                let new = numpy.call_method("full_like", (array, state.initial), Some(&options))?;
                made.push(StateArray::new(state.name.to_owned(), new, &self.label)?);
            }
        }
        Ok(made)
    }
}

impl StateArray {
    pub(super) fn new(name: String, array: Bound<'_, PyAny>, of: &str) -> PyResult<Self> {
        let array = array.cast_into::<PyUntypedArray>()?;
        let header = Header::of_written(&array, &format!("state {name:?} of {of}"))?;
        Ok(StateArray { name, array: array.unbind(), header })
    }
}
