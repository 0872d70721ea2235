//! What one optimizer's lock protects: groups, parameters, and the order in which a step checks
//! and runs them.

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::cuda::Cuda;
use super::gradients::Arrays;
use super::group::Group;
use super::norm::Norm;
use super::overlap;
use super::planned::Planned;
use super::raw;
use super::settings::Settings;
use super::slot::Slot;
use super::state::{Maker, StateArray};
use crate::engine::{ControlGuard, Plan, Written, process};
use crate::number::Kind;

/// What a step did.
pub(super) struct Outcome {
    pub(super) applied: bool,
    pub(super) grad_norm: Norm,
}

pub(super) struct Inner {
    pub(super) settings: Settings,
    pub(super) groups: Vec<Group>,
    pub(super) slots: Vec<Slot>,
    pub(super) names: Option<Vec<Py<PyString>>>,
    /// Whether parameters come with each call instead of being held.
    pub(super) unbound: bool,
    pub(super) skipped: u64,
    /// The process whose factory made the state: one that was forked may share its memory.
    pub(super) home: Option<u32>,
    pub(super) written: Option<Written>,
    pub(super) plan: Plan,
    /// What the plan is of, if the last step can be repeated.
    pub(super) planned: Option<Planned>,
    pub(super) cuda: Cuda,
}

pub(super) fn count_error(what: &str, found: usize, wanted: usize) -> PyErr {
    PyValueError::new_err(format!("found {found} {what}, wanted {wanted}: one for each parameter"))
}

impl Inner {
    pub(super) fn new(settings: Settings, unbound: bool) -> Self {
        Inner {
            settings,
            groups: Vec::new(),
            slots: Vec::new(),
            names: None,
            unbound,
            skipped: 0,
            home: None,
            written: None,
            plan: Plan::new(),
            planned: None,
            cuda: Cuda::default(),
        }
    }

    /// Adds a group's parameters, or nothing if one of them is refused.
    pub(super) fn add_group(
        &mut self,
        group: &Bound<'_, PyDict>,
        arrays: &Bound<'_, PyList>,
        labels: Vec<String>,
        names: Option<Vec<Py<PyString>>>,
    ) -> PyResult<()> {
        let py = group.py();
        // An array that was resized may be the same as a new one and lie elsewhere by now.
        self.check_slots(py)?;
        // What a method computes from its options once is part of every later step.
        let _control = ControlGuard::new();
        let (known, number) = (self.slots.len(), self.groups.len());
        let slots = arrays.iter().zip(labels).map(|(array, l)| Slot::new(&array, l, number));
        let slots = slots.collect::<PyResult<Vec<_>>>()?;
        self.slots.extend(slots);
        let reference = self.settings.reference.is_some();
        let refused = if reference { self.check_reference(known) } else { Ok(()) };
        if let Err(error) = refused.and_then(|()| overlap::written(py, &self.slots)) {
            self.slots.truncate(known);
            return Err(error);
        }
        self.forget_memory();
        let mut group = Group::new(group, known..self.slots.len());
        if let Err(error) = group.refresh(py, &self.slots, !self.unbound, &self.settings) {
            self.slots.truncate(known);
            return Err(error);
        }
        if !self.unbound {
            self.settings.param_groups.bind(py).append(&group.dict)?;
        }
        self.groups.push(group);
        if let Some(names) = names {
            self.names.get_or_insert_default().extend(names);
        }
        if self.unbound {
            self.slots[known..].iter_mut().try_for_each(|slot| slot.weaken(py))?;
        }
        Ok(())
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

    pub(super) fn release(&mut self, succeeded: bool) {
        self.slots.iter_mut().for_each(|slot| slot.release(succeeded));
    }

    /// Refuses groups that came, went or were replaced behind our back.
    fn check_list(&self, py: Python<'_>) -> PyResult<()> {
        let param_groups = self.settings.param_groups.bind(py);
        let dicts = self.groups.iter().map(|group| group.dict.as_ptr());
        // Before its first call an unbound optimizer has one group that nobody has read.
        let unread = self.unbound && self.groups.is_empty();
        if if unread { param_groups.len() == 1 } else { raw::holds(param_groups, dicts) } {
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
            made.push(maker.make(py, &self.slots, i, name, kind)?);
        }
        if self.settings.state_factory.is_some() {
            overlap::check_new(py, &self.slots, made.iter().map(|state| (i, state)))?;
        }
        Ok(made.iter().map(|state| state.array.bind(py).object().clone()).collect())
    }

    /// Replaces every parameter's state, the count of skipped steps and the options that are given
    /// for each group (or for none), or nothing if one array is refused. No signal's handler can
    /// run in between.
    pub(super) fn load(
        &mut self,
        py: Python<'_>,
        steps: &[Option<u64>],
        arrays: &[Option<Bound<'_, PyDict>>],
        skipped: u64,
        options: &[Bound<'_, PyDict>],
    ) -> PyResult<()> {
        if steps.len() != self.slots.len() || arrays.len() != self.slots.len() {
            return Err(count_error("states", arrays.len(), self.slots.len()));
        }
        if !options.is_empty() && options.len() != self.groups.len() {
            return Err(PyValueError::new_err("wanted options for each group"));
        }
        let mut loaded = Vec::new();
        for (slot, arrays) in self.slots.iter().zip(arrays) {
            let states = arrays.iter().flatten();
            let states =
                states.map(|(name, array)| StateArray::new(name.extract()?, array, &slot.label));
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
            overlap::check_new(py, &self.slots, new)?;
        }
        for (group, options) in self.groups.iter().zip(options) {
            group.dict.bind(py).update(options.as_mapping())?;
        }
        self.skipped = skipped;
        for ((slot, states), step) in self.slots.iter_mut().zip(loaded).zip(steps) {
            slot.set_states(states);
            slot.step = step.unwrap_or(0);
        }
        self.home = self.here();
        self.forget_memory();
        Ok(())
    }
}
