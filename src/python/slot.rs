//! One parameter: its array, its state arrays and its step count.

use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::array::{Array, Header, Held, Place, shape_text};
use super::compiled::Compiled;
use super::owner::{Owner, owner};
use super::state::{self, StateArray};
use crate::engine::{OutOfMemory, Prepared};
use crate::number::{Kind, Kinds, Precision};
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
    /// Of an unbound optimizer: whose memory it is that comes with each call.
    owner: Option<Owner>,
    pub(super) header: Header,
    pub(super) step: u64,
    pub(super) states: Vec<StateArray>,
    pub(super) ready: Option<Ready>,
    /// The place of the last gradient found to overlap nothing that is written.
    pub(super) clear_of: Option<(usize, Kind)>,
}

/// Where a slot's array comes from.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Origin {
    /// It is held from now on.
    Bound,
    /// As `Bound`, but out of a pickle or a copy: one that is read-only is refused by a step.
    Restored,
    /// It came with a call of an unbound optimizer.
    Unbound,
}

/// An array that is to take a slot's place.
pub(super) struct Heir {
    header: Header,
    array: Held,
    owner: Option<Owner>,
}

impl Heir {
    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn pointer(&self) -> *mut ffi::PyObject {
        self.array.as_ptr()
    }
}

const WANTED: &str =
    "parameters must be NumPy arrays (numpy.ndarray or numpy.memmap) or CuPy arrays";

impl Slot {
    pub(super) fn new(
        array: &Bound<'_, PyAny>,
        label: String,
        group: usize,
        origin: Origin,
    ) -> PyResult<Self> {
        let array = Array::plain(array, &label, WANTED)?;
        let header = match origin {
            Origin::Restored => Header::of_kept(&array, &label)?,
            _ => Header::of_written(&array, &label)?,
        };
        let owner = (origin == Origin::Unbound).then(|| Owner::of(&array)).transpose()?;
        Ok(Slot {
            header,
            label,
            group,
            held: Some(array.hold()),
            owner,
            step: 0,
            states: Vec::new(),
            ready: None,
            clear_of: None,
        })
    }

    /// The array; None between the calls of an unbound optimizer.
    pub(super) fn array<'py>(&self, py: Python<'py>) -> Option<Array<'py>> {
        self.held.as_ref().map(|array| array.bind(py))
    }

    /// The address of the array object that is held; null if none is.
    #[inline]
    pub(super) fn pointer(&self) -> *mut ffi::PyObject {
        self.held.as_ref().map_or(std::ptr::null_mut(), Held::as_ptr)
    }

    /// Takes and holds the array that came with this call, which must be the memory that this slot
    /// has had from its first call on.
    pub(super) fn take(&mut self, array: Array<'_>) -> PyResult<()> {
        let owner = owner(&array)?;
        let same = self.owner.as_ref().is_none_or(|known| known.is(&owner));
        // The very array that was there before, changed in place, is for `check` to judge.
        if !(same && (owner.is(array.object()) || self.header.same_memory(&array)?)) {
            return Err(self.other_memory(&array, &owner, same));
        }
        self.held = Some(array.hold());
        Ok(())
    }

    #[cold]
    fn other_memory(&self, array: &Array<'_>, owner: &Bound<'_, PyAny>, same: bool) -> PyErr {
        let (label, was) = (&self.label, &self.header);
        let now = match Header::of_gradient(array, label) {
            Ok(now) => now,
            Err(error) => return error,
        };
        let found = if now.shape != was.shape || now.format != was.format {
            format!(
                "has shape {} and dtype {}, wanted shape {} and dtype {} as at its first update",
                shape_text(&now.shape),
                array.dtype_name(),
                shape_text(&was.shape),
                was.format.kind.name()
            )
        } else if same {
            "is another part of its buffer than at its first update".to_owned()
        } else {
            "lies in other memory than at its first update (a copy?)".to_owned()
        };
        let torch = owner.get_type().module().is_ok_and(|name| name == "torch");
        let keep = if torch { "; keep the array of one call of numpy()" } else { "" };
        PyValueError::new_err(format!(
            "{label} {found}{keep}. One key keeps one memory, or two layers or runs would share one \
             state: call reset() for a new run, rebind(params) where the arrays were replaced on \
             purpose and the state is to go on; layers come in one call, under names of their own, \
             or have an optimizer each"
        ))
    }

    /// Lets go of the array that came with a call.
    pub(super) fn release(&mut self) {
        if self.owner.is_some() {
            self.held = None;
        }
    }

    /// What `rebind` is to put in the array's place: of its shape, type and place.
    pub(super) fn heir(&self, array: &Bound<'_, PyAny>) -> PyResult<Heir> {
        let label = &self.label;
        let array = Array::plain(array, label, WANTED)?;
        let header = Header::of_written(&array, label)?;
        let was = &self.header;
        if header.shape != was.shape || header.format.kind != was.format.kind {
            return Err(PyValueError::new_err(format!(
                "{label} has shape {} and dtype {}, wanted shape {} and dtype {} as before",
                shape_text(&header.shape),
                array.dtype_name(),
                shape_text(&was.shape),
                was.format.kind.name()
            )));
        }
        if header.place != was.place {
            return Err(PyValueError::new_err(format!(
                "{label} is {}, wanted it {} as before",
                header.place, was.place
            )));
        }
        let owner = self.owner.is_some().then(|| Owner::of(&array)).transpose()?;
        Ok(Heir { header, array: array.hold(), owner })
    }

    /// Puts another array in the place of the slot's; what is returned may run Python code when it
    /// is dropped.
    pub(super) fn inherit(&mut self, heir: Heir) -> (Option<Held>, Option<Owner>) {
        self.header = heir.header;
        self.ready = None;
        let bound = self.owner.is_none();
        let owner = std::mem::replace(&mut self.owner, heir.owner);
        (if bound { self.held.replace(heir.array) } else { Some(heir.array) }, owner)
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.held.iter().try_for_each(|held| held.traverse(visit))?;
        self.owner.iter().try_for_each(|owner| owner.traverse(visit))?;
        self.states.iter().try_for_each(|state| state.array.traverse(visit))
    }

    /// The step count and the state arrays, live or copied; None before the first step.
    pub(super) fn state<'py>(
        &self,
        py: Python<'py>,
        copy: bool,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        if self.step == 0 && self.states.is_empty() {
            return Ok(None);
        }
        let state = PyDict::new(py);
        state.set_item("step", self.step)?;
        for StateArray { name, array, .. } in &self.states {
            let array = array.bind(py);
            state.set_item(
                name.as_ref(),
                if copy { array.copy()? } else { array.object().clone() },
            )?;
        }
        Ok(Some(state))
    }

    /// Whether the parameter and its state are what they were when they were checked.
    pub(super) fn is_unchanged(&self, py: Python<'_>) -> bool {
        let same = |header: &Header, array: &Held| header.matches(py, array);
        self.held.as_ref().is_some_and(|array| same(&self.header, array))
            && self.states.iter().all(|state| same(&state.header, &state.array))
    }

    /// Checks the parameter and its state against what they were. True if memory has moved.
    #[inline]
    pub(super) fn check(&mut self, py: Python<'_>) -> PyResult<bool> {
        if self.is_unchanged(py) {
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
    ) -> impl Iterator<Item = (&'static str, Kind)> + 'a {
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

    /// Takes other state, and returns what it had: that may run Python code when it is dropped.
    pub(super) fn set_states(&mut self, states: Vec<StateArray>) -> Vec<StateArray> {
        self.ready = None;
        std::mem::replace(&mut self.states, states)
    }

    pub(super) fn reserve_states(&mut self, count: usize) -> PyResult<()> {
        Ok(self.states.try_reserve(count).map_err(OutOfMemory::from)?)
    }

    /// What `reserve_states` has made room for.
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
