//! What one optimizer's lock protects: groups, parameters, and the order in which a step checks
//! and runs them.

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::container::Container;
use super::cuda::Cuda;
use super::gradients::Arrays;
use super::group::Group;
use super::memory;
use super::norm::Norm;
use super::overlap;
use super::planned::Planned;
use super::raw;
use super::settings::Settings;
use super::skipped::Skipped;
use super::slot::{Origin, Slot};
use super::state::{Maker, StateArray};
use crate::engine::memory::with_room;
use crate::engine::{ControlGuard, OutOfMemory, Plan, Written, process};
use crate::number::Kind;

/// What a step did.
pub(super) struct Outcome {
    pub(super) grad_norm: Norm,
    /// What it did not do.
    pub(super) skipped: Option<Skipped>,
}

impl Outcome {
    pub(super) fn applied(grad_norm: Norm) -> Self {
        Outcome { grad_norm, skipped: None }
    }
}

pub(super) struct Inner {
    pub(super) settings: Settings,
    pub(super) groups: Vec<Group>,
    pub(super) slots: Vec<Slot>,
    pub(super) names: Option<Vec<Py<PyString>>>,
    /// Whether parameters come with each call instead of being held.
    pub(super) unbound: bool,
    /// State that was loaded before the parameters came.
    pub(super) pending: Option<Py<PyAny>>,
    /// What parameters were handed in by.
    pub(super) containers: Vec<Container>,
    pub(super) skipped: u64,
    pub(super) skips_in_a_row: u64,
    /// The process whose factory made the state: one that was forked may share its memory.
    pub(super) home: Option<u32>,
    pub(super) written: Option<Written>,
    pub(super) plan: Plan,
    /// What the plan is of, if the last step can be repeated.
    pub(super) planned: Option<Planned>,
    pub(super) cuda: Cuda,
}

pub(super) fn count_error(what: &str, found: usize, wanted: usize) -> PyErr {
    let more = if found > wanted { "; add_param_group takes new parameters" } else { "" };
    PyValueError::new_err(format!(
        "found {found} {what}, wanted {wanted}: one for each parameter{more}"
    ))
}

impl Inner {
    pub(super) fn new(settings: Settings, unbound: bool) -> Self {
        Inner {
            settings,
            groups: Vec::new(),
            slots: Vec::new(),
            names: None,
            unbound,
            pending: None,
            containers: Vec::new(),
            skipped: 0,
            skips_in_a_row: 0,
            home: None,
            written: None,
            plan: Plan::new(),
            planned: None,
            cuda: Cuda::default(),
        }
    }

    /// Adds a group's parameters, or nothing if one of them is refused. `restored`: they come out of
    /// a pickle or a copy.
    pub(super) fn add_group(
        &mut self,
        group: &Bound<'_, PyDict>,
        arrays: &Bound<'_, PyList>,
        labels: Vec<String>,
        names: Option<Vec<Py<PyString>>>,
        container: Option<(Bound<'_, PyAny>, Vec<Py<PyAny>>)>,
        restored: bool,
    ) -> PyResult<()> {
        let py = group.py();
        // An array that was resized may be the same as a new one and lie elsewhere by now.
        if !restored {
            self.check_slots(py)?;
        }
        // What a method computes from its options once is part of every later step.
        let _control = ControlGuard::new();
        let (known, number) = (self.slots.len(), self.groups.len());
        let origin = match (self.unbound, restored) {
            (true, _) => Origin::Unbound,
            (false, true) => Origin::Restored,
            (false, false) => Origin::Bound,
        };
        let slots = arrays.iter().zip(labels);
        let slots = slots.map(|(array, label)| Slot::new(&array, label, number, origin));
        let slots = memory::all(arrays.len(), slots)?;
        let container = match container {
            Some((object, entries)) => Container::new((object, entries, known), names.as_deref())?,
            None => None,
        };
        // Room for all of it first: once the group is in the list nothing can fail.
        self.slots.try_reserve(slots.len()).map_err(OutOfMemory::from)?;
        self.groups.try_reserve(1).map_err(OutOfMemory::from)?;
        self.containers.try_reserve(1).map_err(OutOfMemory::from)?;
        if let Some(names) = &names {
            self.names
                .get_or_insert_default()
                .try_reserve(names.len())
                .map_err(OutOfMemory::from)?;
        }
        self.slots.extend(slots);
        let reference = self.settings.reference.is_some();
        let refused = if reference { self.check_reference(known) } else { Ok(()) };
        let mut group = Group::new(group, known..self.slots.len());
        let added = refused
            .and_then(|()| overlap::check_added(&self.slots, known))
            .and_then(|()| group.refresh(py, &self.slots, !self.unbound, &self.settings))
            .and_then(|()| match self.unbound {
                true => Ok(()),
                false => self.settings.param_groups.bind(py).append(&group.dict),
            });
        self.forget_memory();
        if let Err(error) = added {
            self.slots.truncate(known);
            if known == 0 {
                self.names = None;
            }
            return Err(error);
        }
        self.groups.push(group);
        self.containers.extend(container);
        if let (Some(all), Some(names)) = (&mut self.names, names) {
            all.extend(names);
        }
        Ok(())
    }

    pub(super) fn names(&self, py: Python<'_>) -> PyResult<Option<Vec<Py<PyString>>>> {
        let copied = |names: &Vec<Py<PyString>>| {
            memory::all(names.len(), names.iter().map(|name| Ok(name.clone_ref(py))))
        };
        self.names.as_ref().map(copied).transpose()
    }

    /// Exchanges the parameters and their state, if an unbound optimizer, with another's.
    pub(super) fn exchange(&mut self, other: &mut Inner) {
        std::mem::swap(&mut self.groups, &mut other.groups);
        std::mem::swap(&mut self.slots, &mut other.slots);
        std::mem::swap(&mut self.names, &mut other.names);
        std::mem::swap(&mut self.home, &mut other.home);
        std::mem::swap(&mut self.pending, &mut other.pending);
        self.forget_memory();
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.settings.traverse(visit)?;
        self.groups.iter().try_for_each(|group| group.traverse(visit))?;
        self.slots.iter().try_for_each(|slot| slot.traverse(visit))?;
        self.containers.iter().try_for_each(|container| container.traverse(visit))?;
        self.pending.iter().try_for_each(|pending| visit.call(pending))
    }

    /// The intervals that are written, what was found to lie outside them, and the plan are void.
    pub(super) fn forget_memory(&mut self) {
        self.written = None;
        self.planned = None;
        for slot in &mut self.slots {
            slot.clear_of = None;
        }
    }

    /// Takes the arrays that came with a call of an unbound optimizer.
    pub(super) fn take(&mut self, arrays: Arrays<'_>) -> PyResult<()> {
        if arrays.len() != self.slots.len() {
            return Err(count_error("parameters", arrays.len(), self.slots.len()));
        }
        for (slot, array) in self.slots.iter_mut().zip(arrays) {
            let Some(array) = array else {
                return Err(PyValueError::new_err(format!("{} is None", slot.label)));
            };
            slot.take(array)?;
        }
        Ok(())
    }

    pub(super) fn release(&mut self) {
        self.slots.iter_mut().for_each(Slot::release);
    }

    /// Refuses groups that came, went or were replaced behind our back.
    pub(super) fn check_list(&self, py: Python<'_>) -> PyResult<()> {
        let param_groups = self.settings.param_groups.bind(py);
        let dicts = self.groups.iter().map(|group| group.dict.as_ptr());
        // Before its first call an unbound optimizer has one group that nobody has read.
        let unread = self.unbound && self.groups.is_empty();
        let intact = if unread { param_groups.len() == 1 } else { raw::holds(param_groups, dicts) };
        if intact {
            return Ok(());
        }
        Err(PyValueError::new_err(
            "param_groups itself was changed: edit the options inside its dicts, and use \
             add_param_group for new parameters",
        ))
    }

    /// The number of parameters of each group, none of which was edited.
    pub(super) fn group_sizes(&self, py: Python<'_>) -> PyResult<Vec<usize>> {
        self.check_list(py)?;
        let sizes = self.groups.iter().map(|group| {
            group.check_params(py, &self.slots, !self.unbound)?;
            Ok(group.slots.len())
        });
        sizes.collect()
    }

    /// Reads what changed in the groups.
    pub(super) fn check_groups(&mut self, py: Python<'_>) -> PyResult<()> {
        self.check_list(py)?;
        for group in &mut self.groups {
            group.refresh(py, &self.slots, !self.unbound, &self.settings)?;
        }
        Ok(())
    }

    /// Looks at every parameter and its state again.
    pub(super) fn check_slots(&mut self, py: Python<'_>) -> PyResult<()> {
        let mut moved = false;
        let checked = self.slots.iter_mut().try_for_each(|slot| {
            let checked = slot.check(py);
            moved |= !matches!(checked, Ok(false));
            checked.map(drop)
        });
        if moved {
            self.forget_memory();
        }
        checked
    }

    pub(super) fn check_home(&self) -> PyResult<()> {
        if self.home.is_none_or(|home| home == process::id()) {
            return Ok(());
        }
        Err(PyRuntimeError::new_err(
            "the state of this optimizer was made by its state_factory before the process was \
             forked, and both may share its memory: call load_state_dict() or reset() here first",
        ))
    }

    /// The process that what a factory makes now belongs to.
    pub(super) fn here(&self) -> Option<u32> {
        self.settings.state_factory.as_ref().map(|_| process::id())
    }

    /// New arrays, not kept, for the state of a parameter: by name and type.
    pub(super) fn new_states<'py>(
        &self,
        py: Python<'py>,
        i: usize,
        wanted: &[(String, String)],
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let maker = Maker::new(&self.settings, self.names.as_deref());
        let mut made = Vec::with_capacity(wanted.len());
        for (name, dtype) in wanted {
            let (Some(kind), true) = (Kind::named(dtype), i < self.slots.len()) else {
                return Err(PyValueError::new_err(format!("no state {dtype} of parameter {i}")));
            };
            made.push(maker.make(py, &self.slots, i, name.clone().into(), kind)?);
        }
        if self.settings.state_factory.is_some() {
            overlap::check_new(&self.slots, made.iter().map(|state| (i, state)))?;
        }
        Ok(made.iter().map(|state| state.array.bind(py).object().clone()).collect())
    }

    /// Writes options into the groups, those given for each of them, or none.
    pub(super) fn set_options(
        &self,
        py: Python<'_>,
        options: &[Bound<'_, PyDict>],
    ) -> PyResult<()> {
        let groups = self.settings.param_groups.bind(py);
        if !options.is_empty() && options.len() != groups.len() {
            return Err(PyValueError::new_err("wanted options for each group"));
        }
        for (group, options) in groups.iter().zip(options) {
            group.cast::<PyDict>()?.update(options.as_mapping())?;
        }
        Ok(())
    }

    /// Replaces every parameter's state, the count of skipped steps and the options that are given
    /// for each group (or for none), or nothing if one array is refused. No signal's handler can
    /// run in between, as long as what is returned, the state that was there, is dropped later.
    pub(super) fn load(
        &mut self,
        py: Python<'_>,
        steps: &[Option<u64>],
        arrays: &[Option<Bound<'_, PyDict>>],
        skipped: u64,
        options: &[Bound<'_, PyDict>],
    ) -> PyResult<impl Sized + use<>> {
        if steps.len() != self.slots.len() || arrays.len() != self.slots.len() {
            return Err(count_error("states", arrays.len(), self.slots.len()));
        }
        let mut loaded = with_room(self.slots.len())?;
        for (slot, arrays) in self.slots.iter().zip(arrays) {
            let states = arrays.iter().flatten();
            let states =
                states.map(|(name, array)| StateArray::kept(name.extract()?, &array, &slot.label));
            let states = states.collect::<PyResult<Vec<_>>>()?;
            if let Some(state) = states.iter().find(|state| !slot.may_have(state)) {
                return Err(PyValueError::new_err(format!(
                    "state {:?} of {} does not have the parameter's shape, or its dtype does not \
                     go with the parameter's",
                    state.name, slot.label
                )));
            }
            loaded.push(states);
        }
        if self.settings.state_factory.is_some() {
            let new = loaded.iter().enumerate();
            let new = new.flat_map(|(i, states)| states.iter().map(move |state| (i, state)));
            overlap::check_new(&self.slots, new)?;
        }
        let mut before: Vec<Vec<StateArray>> = with_room(self.slots.len())?;
        self.set_options(py, options)?;
        self.skipped = skipped;
        self.skips_in_a_row = 0;
        for ((slot, states), step) in self.slots.iter_mut().zip(loaded).zip(steps) {
            before.push(slot.set_states(states));
            slot.step = step.unwrap_or(0);
        }
        self.home = self.here();
        self.forget_memory();
        Ok(before)
    }
}
