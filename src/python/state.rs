//! State as Python sees it: shown, made on demand, loaded.

use std::fmt::Display;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyString};

use super::array::{Array, Seen};
use super::inner::Inner;
use super::memory;
use super::options::{internal, read_options};
use super::python_arrays::PythonArrays;
use super::words::{ARRAY, count_error, kind};
use crate::engine::memory::{Grow, with_room};
use crate::optimizer::{Compiled, Named, Slot, StateArray, check_new, make};
use crate::rules::{Memory, Number};

/// The memory among what was loaded of one parameter; None where nothing of it is.
pub(super) fn remembered(
    values: &Bound<'_, PyDict>,
    numbers: &[Number],
) -> PyResult<Option<Memory>> {
    let (mut memory, mut any) = (Memory::first(numbers), false);
    for (place, number) in memory.0.iter_mut().zip(numbers) {
        if let Some(value) = values.get_item(number.name)? {
            (*place, any) = (value.extract()?, true);
        }
    }
    Ok(any.then_some(memory))
}

/// Refuses a number that no run can give, whatever its gradients and options were: see [`Wanted`]. The
/// sums that can overflow may be infinite, and NaN; of a NaN in them Python looks for the gradient that it
/// came with.
fn check_remembered(
    py: Python<'_>,
    memory: &Memory,
    numbers: &[Number],
    label: impl Display,
) -> PyResult<()> {
    for (x, Number { name, wanted, .. }) in memory.0.into_iter().zip(numbers) {
        if !wanted.admits(x) {
            let (wanted, found) = (wanted.words(), PyFloat::new(py, x).repr()?);
            return Err(PyValueError::new_err(format!(
                "'{name}' of {label} must be {wanted}, found {found}; load what a run has saved"
            )));
        }
    }
    Ok(())
}

/// Refuses numbers that a rule cannot have come to remember, of a parameter that errors call `label`.
#[pyfunction]
pub(super) fn check_memory(
    rule: &str,
    options: &Bound<'_, PyDict>,
    numbers: &Bound<'_, PyDict>,
    label: &str,
) -> PyResult<()> {
    let compiled = Compiled::new(rule, &read_options(options)?).map_err(internal)?;
    let memory = remembered(numbers, &compiled.memory)?;
    memory.map_or(Ok(()), |memory| check_remembered(options.py(), &memory, &compiled.memory, label))
}

/// States, sizes of groups, names, and skipped steps.
pub(super) type Snapshot<'py> =
    (Vec<Option<Bound<'py, PyDict>>>, Vec<usize>, Option<Vec<Py<PyString>>>, u64);

impl Inner {
    /// A parameter's step count, its memory and its state arrays, live or copied; None before its first
    /// step.
    pub(super) fn shown<'py>(
        &self,
        py: Python<'py>,
        slot: &Slot<PythonArrays>,
        copy: bool,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        if slot.step == 0 && slot.states.is_empty() {
            return Ok(None);
        }
        let state = PyDict::new(py);
        state.set_item("step", slot.step)?;
        let compiled = &self.optimizer.groups()[slot.group].compiled;
        let clock = slot.clock(compiled, false);
        for (number, value) in compiled.memory.iter().zip(clock.memory.0) {
            state.set_item(number.name, value)?;
        }
        for StateArray { name, array, .. } in &slot.states {
            let array = array.bind(py);
            let array = if copy { array.copy()? } else { array.object().clone() };
            state.set_item(name.as_ref(), array)?;
        }
        Ok(Some(state))
    }

    /// Of groups that a step would take as they are.
    pub(super) fn snapshot<'py>(&mut self, py: Python<'py>, copy: bool) -> PyResult<Snapshot<'py>> {
        self.check_groups(py)?;
        let sizes = self.group_sizes(py)?;
        Ok((self.states(py, copy)?, sizes, self.names(py)?, self.optimizer.skipped()))
    }

    /// Every parameter's state.
    pub(super) fn states<'py>(
        &self,
        py: Python<'py>,
        copy: bool,
    ) -> PyResult<Vec<Option<Bound<'py, PyDict>>>> {
        let slots = self.slots();
        memory::all(slots.len(), slots.iter().map(|slot| self.shown(py, slot, copy)))
    }

    /// New arrays, not kept, for the state of a parameter: by name and type.
    pub(super) fn new_states<'py>(
        &mut self,
        py: Python<'py>,
        i: usize,
        wanted: &[(String, String)],
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let (caller, optimizer) = self.called(py);
        let slots = optimizer.slots();
        let mut made = with_room(wanted.len())?;
        for (name, dtype) in wanted {
            let kind = kind("the type of a state", dtype)?;
            if i >= slots.len() {
                let count = slots.len();
                let message = format!("the parameter must be one of {count}, found number {i}");
                return Err(PyValueError::new_err(message));
            }
            let compiled = &optimizer.groups()[slots[i].group].compiled;
            let new = make(caller, (&slots[i], compiled), i, name.clone().into(), kind);
            made.push(new.map_err(|stop| caller.error(stop))?);
        }
        if caller.settings.state_factory.is_some() {
            let new = made.iter().map(|state| (i, state));
            check_new(slots, new).map_err(|refusal| caller.refused(refusal))?;
        }
        Ok(made.iter().map(|state| state.array.bind(py).object().clone()).collect())
    }

    /// Makes the state of all parameters that have none, with this step count.
    pub(super) fn init_state(&mut self, py: Python<'_>, step: u64) -> PyResult<()> {
        self.check_surroundings(py)?;
        let (caller, optimizer) = self.called(py);
        let count = optimizer.init_state(caller, step).map_err(|stop| caller.error(stop))?;
        if count == 0 {
            return Err(PyValueError::new_err(
                "every parameter has state already; call reset() first, which forgets it",
            ));
        }
        Ok(())
    }

    /// Writes options into the groups, those given for each of them, or none.
    pub(super) fn set_options(
        &self,
        py: Python<'_>,
        options: &[Bound<'_, PyDict>],
    ) -> PyResult<()> {
        let groups = self.settings.param_groups.bind(py);
        if !options.is_empty() && options.len() != groups.len() {
            return Err(count_error("dicts of options", options.len(), groups.len(), "group"));
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
        let wanted = self.slots().len();
        if steps.len() != wanted || arrays.len() != wanted {
            return Err(count_error("states", arrays.len(), wanted, "parameter"));
        }
        let (caller, optimizer) = self.called(py);
        let mut loaded = with_room(wanted)?;
        for (i, (slot, arrays)) in optimizer.slots().iter().zip(arrays).enumerate() {
            let compiled = &optimizer.groups()[slot.group].compiled;
            let numbers = &compiled.memory;
            let memory = arrays.as_ref().map(|values| remembered(values, numbers)).transpose()?;
            if let Some(memory) = memory.iter().flatten().next() {
                check_remembered(py, memory, numbers, caller.label(Named::Parameter(i)))?;
            }
            let is_number = |name: &str| numbers.iter().any(|number| number.name == name);
            let mut states = Vec::new();
            for (name, array) in arrays.iter().flatten() {
                let name: String = name.extract()?;
                if is_number(&name) {
                    continue;
                }
                let label = caller.label(Named::State(i, &name));
                let array = Array::plain(&array, &label, ARRAY)?;
                let header = Seen::of_kept(&array, &label)?;
                let checked = slot.check_loaded(compiled, i, &name, &header);
                checked.map_err(|refusal| caller.refused(refusal))?;
                states.try_push(StateArray { name: name.into(), array: array.hold(), header })?;
            }
            loaded.push((steps[i].unwrap_or(0), memory.flatten(), states));
        }
        if caller.settings.state_factory.is_some() {
            let new = loaded.iter().enumerate();
            let new = new.flat_map(|(i, (.., states))| states.iter().map(move |state| (i, state)));
            let checked = check_new(optimizer.slots(), new);
            checked.map_err(|refusal| caller.refused(refusal))?;
        }
        let mut before = with_room(wanted)?;
        self.set_options(py, options)?;
        let (caller, optimizer) = self.called(py);
        optimizer.load(caller, loaded, skipped, &mut before);
        Ok(before)
    }
}
