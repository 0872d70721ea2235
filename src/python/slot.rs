//! One parameter: its array, its state arrays and its step count.

use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyWeakrefReference;

use super::array::{Array, Header, Held, Place, shape_text};
use super::compiled::Compiled;
use super::state::{self, StateArray};
use crate::engine::{Kinds, Precision, Prepared};
use crate::number::Kind;
use crate::rules::MAX_STATES;

/// What follows from a slot's arrays and its group's options, until one of them changes.
pub(super) struct Ready {
    /// The options that it follows from.
    options: u64,
    /// The places of the rule's states among the slot's.
    order: [usize; MAX_STATES],
    /// The type of the states, if they and the parameter can be run in place in C order.
    in_place: Option<Kind>,
    prepared: Option<Prepared>,
}

pub(super) struct Slot {
    /// What errors call it.
    pub(super) label: String,
    pub(super) group: usize,
    /// None between the calls of an unbound optimizer, whose arrays come with each call.
    held: Option<Held>,
    /// The last array of an unbound optimizer.
    last: Option<Py<PyWeakrefReference>>,
    /// The array of a call that has not succeeded yet: what is refused leaves the last as it was.
    next: Option<Py<PyWeakrefReference>>,
    pub(super) header: Header,
    pub(super) step: u64,
    pub(super) states: Vec<StateArray>,
    pub(super) ready: Option<Ready>,
    /// The place of the last gradient found to overlap nothing that is written.
    pub(super) clear_of: Option<(usize, Kind)>,
}

impl Slot {
    pub(super) fn new(array: &Bound<'_, PyAny>, label: String, group: usize) -> PyResult<Self> {
        let wanted =
            "parameters must be NumPy arrays (numpy.ndarray or numpy.memmap) or CuPy arrays";
        let array = Array::plain(array, &label, wanted)?;
        Ok(Slot {
            header: Header::of_written(&array, &label)?,
            label,
            group,
            held: Some(array.hold()),
            last: None,
            next: None,
            step: 0,
            states: Vec::new(),
            ready: None,
            clear_of: None,
        })
    }

    /// The array, None if nobody holds it any more.
    pub(super) fn array<'py>(&self, py: Python<'py>) -> Option<Array<'py>> {
        match (&self.held, &self.last) {
            (Some(array), _) => Some(array.bind(py)),
            (None, Some(last)) => self.known(last.bind(py).upgrade()?),
            (None, None) => None,
        }
    }

    /// An array that was this slot's.
    fn known<'py>(&self, object: Bound<'py, PyAny>) -> Option<Array<'py>> {
        match self.header.place {
            Place::Host => object.cast_into().ok().map(Array::Host),
            Place::Device(_) => Some(Array::Device(object)),
        }
    }

    /// Holds the array by a weak reference alone.
    pub(super) fn weaken(&mut self, py: Python<'_>) -> PyResult<()> {
        if let Some(array) = self.array(py) {
            self.last = Some(PyWeakrefReference::new(array.object())?.unbind());
        }
        self.held = None;
        Ok(())
    }

    /// The address of the array object that is held; null if none is.
    #[inline]
    pub(super) fn pointer(&self) -> *mut ffi::PyObject {
        self.held.as_ref().map_or(std::ptr::null_mut(), Held::as_ptr)
    }

    /// Takes and holds the array that came with this call in place of the last one.
    pub(super) fn take(&mut self, array: Array<'_>) -> PyResult<()> {
        let last = self.array(array.object().py());
        if !last.as_ref().is_some_and(|last| last.is(&array)) {
            if last.is_some() && !self.header.same_memory(&array)? {
                return Err(PyValueError::new_err(format!(
                    "{} is another array than at the last update, which is still alive: two \
                     layers would share one state; give each its own names or optimizer",
                    self.label
                )));
            }
            self.next = Some(PyWeakrefReference::new(array.object())?.unbind());
        }
        self.held = Some(array.hold());
        Ok(())
    }

    /// Lets go of the array that came with a call, and remembers it if the call has succeeded.
    pub(super) fn release(&mut self, succeeded: bool) {
        if self.last.is_some() {
            self.held = None;
            self.last = self.next.take().filter(|_| succeeded).or(self.last.take());
        }
    }

    /// Checks the parameter and its state against what they were. True if memory has moved.
    #[inline]
    pub(super) fn check(&mut self, py: Python<'_>) -> PyResult<bool> {
        let same = |header: &Header, array: &Held| header.matches(py, array);
        if self.held.as_ref().is_some_and(|array| same(&self.header, array))
            && self.states.iter().all(|state| same(&state.header, &state.array))
        {
            return Ok(false);
        }
        self.ready = None;
        self.check_again(py)?;
        Ok(true)
    }

    #[cold]
    fn check_again(&mut self, py: Python<'_>) -> PyResult<()> {
        if let Some(array) = &self.held {
            let array = array.bind(py);
            let now = Header::of_written(&array, &self.label)?;
            if now.place != self.header.place {
                return Err(PyValueError::new_err(format!(
                    "{} is {} now, and was {} when the optimizer was made",
                    self.label, now.place, self.header.place
                )));
            }
            if now.shape != self.header.shape || now.format.kind != self.header.format.kind {
                return Err(PyValueError::new_err(format!(
                    "{} has changed: shape {} and dtype {} now, shape {} when the optimizer was made",
                    self.label,
                    shape_text(&now.shape),
                    array.dtype_name(),
                    shape_text(&self.header.shape)
                )));
            }
            self.header = now;
        }
        for state in &mut self.states {
            let array = state.array.bind(py);
            let label = state::label(&state.name, &self.label);
            let now = Header::of_written(&array, &label)?;
            if now.shape != self.header.shape || now.format.kind != state.header.format.kind {
                return Err(PyValueError::new_err(format!(
                    "{label} has changed: shape {} and dtype {} now, wanted shape {}",
                    shape_text(&now.shape),
                    array.dtype_name(),
                    shape_text(&self.header.shape)
                )));
            }
            state.header = now;
        }
        Ok(())
    }

    /// Finds the rule's states among the slot's. None if one is missing.
    #[inline]
    pub(super) fn prepare(&mut self, compiled: &Compiled) -> Option<&Ready> {
        if self.ready.as_ref().is_none_or(|ready| ready.options != compiled.id) {
            let mut order = [0; MAX_STATES];
            for (place, wanted) in order.iter_mut().zip(&compiled.states) {
                *place = self.states.iter().position(|have| have.name == wanted.name)?;
            }
            let headers = || order[..compiled.states.len()].iter().map(|&i| &self.states[i].header);
            let kind = |header: &Header| header.format.kind;
            let first = headers().next().map_or(self.header.precision().kind(), kind);
            let in_place = self.header.place == Place::Host
                && self.header.runs_in_place()
                && headers().all(|state| state.runs_in_place() && kind(state) == first);
            let in_place = in_place.then_some(first);
            self.ready = Some(Ready { options: compiled.id, order, in_place, prepared: None });
        }
        self.ready.as_ref()
    }

    /// What runs in place beside a gradient of this type; `prepare` comes first.
    #[inline]
    pub(super) fn prepared(&mut self, compiled: &Compiled, gradient: Kind) -> Option<&Prepared> {
        let known = self.ready.as_ref().and_then(|ready| ready.prepared.as_ref());
        if known.is_none_or(|known| !known.fits(gradient)) {
            let state = self.ready.as_ref().and_then(|ready| ready.in_place)?;
            let Compiled { kernel, prelude, .. } = compiled;
            let kinds = Kinds { p: self.header.format.kind, g: gradient, state };
            let (p, len) = (self.header.pointer(), self.header.len());
            let states = self.ready_states(kernel.states()).map(|state| state.header.pointer());
            let made = Prepared::new(*kernel, prelude.coupled_decay(), kinds, p, states, len);
            self.ready.as_mut()?.prepared = made;
        }
        self.ready.as_ref()?.prepared.as_ref()
    }

    /// The rule's states, in the rule's order; `prepare` comes first.
    #[inline]
    pub(super) fn ready_states(&self, count: usize) -> impl Iterator<Item = &StateArray> {
        let order = self.ready.as_ref().map_or([0; MAX_STATES], |ready| ready.order);
        (0..count).map(move |i| &self.states[order[i]])
    }

    /// The state arrays that the rule needs and the slot lacks, and what they are stored in.
    pub(super) fn missing<'a>(
        &'a self,
        compiled: &'a Compiled,
    ) -> impl Iterator<Item = (&'a str, Kind)> {
        let kind = compiled.state_kind.unwrap_or(self.header.precision().kind());
        let lacks = |name: &str| self.states.iter().all(|have| have.name != name);
        let names = compiled.states.iter().map(|state| state.name);
        names.filter(move |name| lacks(name)).map(move |name| (name, kind))
    }

    /// Whether the array is one that the parameter may have as state.
    pub(super) fn may_have(&self, state: &StateArray) -> bool {
        state.header.shape == self.header.shape
            && state.header.place == self.header.place
            && self.may_keep(state.header.format.kind)
    }

    /// Whether the parameter's state may be of this type: float64 beside float64, else narrower.
    pub(super) fn may_keep(&self, kind: Kind) -> bool {
        Precision::of(kind) == self.header.precision()
    }

    pub(super) fn set_states(&mut self, states: Vec<StateArray>) {
        self.states = states;
        self.ready = None;
    }

    pub(super) fn add_states(&mut self, states: Vec<StateArray>) {
        self.states.extend(states);
        self.ready = None;
    }

    /// Forgets the state arrays from number `known` on.
    pub(super) fn drop_states(&mut self, known: usize) {
        self.states.truncate(known);
        self.ready = None;
    }
}
