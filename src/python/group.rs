//! A param group: its dict belongs to the user, and what was last read from it is kept here.

use std::ops::Range;
use std::ptr::null_mut;

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyList};
use smallvec::SmallVec;

use super::array::Held;
use super::calling;
use super::entries::{self, Entry, Found, Watched};
use super::options::{internal, read_options};
use super::plain;
use super::python_arrays::PythonArrays;
use super::raw;
use super::settings::Settings;
use super::structure::Structure;
use crate::engine::ControlGuard;
use crate::optimizer::{Compiled, Optimizer, Slot, Stop};

type Slots<'a> = &'a [Slot<PythonArrays>];

pub(super) struct Group {
    pub(super) dict: Py<PyDict>,
    /// Its parameters among the optimizer's.
    pub(super) slots: Range<usize>,
    /// The tree of its parameters; None where they have no names.
    pub(super) structure: Option<Structure>,
    /// Empty while they and what is compiled do not go together.
    entries: Vec<Entry>,
    /// The options as Python normalised them when they were last read.
    options: Option<Py<PyDict>>,
}

/// Whether the list holds the arrays of these slots.
fn holds(list: &Bound<'_, PyList>, slots: Slots<'_>) -> bool {
    let pointer = |slot: &Slot<PythonArrays>| slot.array.as_ref().map_or(null_mut(), Held::as_ptr);
    raw::holds(list, slots.iter().map(pointer))
}

impl Group {
    pub(super) fn new(
        dict: &Bound<'_, PyDict>,
        slots: Range<usize>,
        structure: Option<Structure>,
    ) -> Self {
        Group { dict: dict.clone().unbind(), slots, structure, entries: vec![], options: None }
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.dict)?;
        self.structure.iter().try_for_each(|structure| structure.traverse(visit))?;
        for entry in &self.entries {
            visit.call(&entry.key)?;
            visit.call(&entry.value)?;
        }
        self.options.iter().try_for_each(|options| visit.call(options))
    }

    /// The options as they were last read.
    pub(super) fn options(&self) -> Option<&Py<PyDict>> {
        self.options.as_ref()
    }

    /// Reads the options again where one of them is another than last time, and refuses a group
    /// whose parameters were edited: the optimizer's group of this number. `bound`: its parameters are
    /// those in its dict.
    #[inline]
    pub(super) fn refresh(
        &mut self,
        py: Python<'_>,
        number: usize,
        optimizer: &mut Optimizer<PythonArrays>,
        bound: bool,
        settings: &Settings,
    ) -> Result<(), Stop<PyErr>> {
        let slots = optimizer.slots();
        let entries = self.entries.iter().enumerate();
        let mut changed = SmallVec::<[usize; 4]>::new();
        let known = |(i, entry): (usize, &Entry), key, value| {
            if entry.key.as_ptr() != key {
                return false;
            }
            match (entry.value.as_ptr() == value, entry.watched) {
                (true, Watched::Identity | Watched::Number(_)) | (_, Watched::Ignored) => true,
                (false, Watched::Number(_)) => {
                    changed.push(i);
                    true
                }
                (true, Watched::Params) => {
                    let list = entry.value.bind(py).cast::<PyList>();
                    !bound || list.is_ok_and(|list| holds(list, &slots[self.slots.clone()]))
                }
                (false, Watched::Identity | Watched::Params) | (_, Watched::Never) => false,
            }
        };
        let only_numbers = raw::all_entries(self.dict.bind(py), entries, known);
        if only_numbers
            && self.options.is_some()
            && (changed.is_empty() || self.take_numbers(py, &changed, number, optimizer)?)
        {
            return Ok(());
        }
        if let Some(compiled) = self.read(py, optimizer, bound, settings)? {
            optimizer.set_options(number, compiled);
        }
        Ok(())
    }

    /// Takes the numbers that these entries, and no others, have now: without Python code. False
    /// if there is more to one of them; then all entries are to be read again.
    #[inline(never)]
    fn take_numbers(
        &mut self,
        py: Python<'_>,
        changed: &[usize],
        number: usize,
        optimizer: &mut Optimizer<PythonArrays>,
    ) -> PyResult<bool> {
        let dict = self.dict.bind(py);
        let mut numbers = SmallVec::<[(Bound<'_, PyAny>, f64); 4]>::new();
        for &i in changed {
            let entry = &self.entries[i];
            let Some(value) = dict.get_item(&entry.key)? else { return Ok(false) };
            match (entry.watched, plain::number(&value)) {
                (Watched::Number(bounds), Some(x)) if bounds.admit(x) => numbers.push((value, x)),
                _ => return Ok(false),
            }
        }
        let _control = ControlGuard::new();
        // Without entries, whatever is taken only in part is read again as a whole.
        let mut entries = std::mem::take(&mut self.entries);
        let Some(options) = &self.options else { return Ok(false) };
        for (&i, (value, x)) in changed.iter().zip(numbers) {
            let key = entries[i].key.bind(py);
            if !optimizer.set_number(number, key.to_str()?, x) {
                return Ok(false);
            }
            let known = value.is_exact_instance_of::<PyFloat>();
            let float = if known { value.clone() } else { PyFloat::new(py, x).into_any() };
            options.bind(py).set_item(key, &float)?;
            let kept = if entries::immutable(&value) { value } else { float };
            dict.set_item(key, &kept)?;
            entries[i].value = kept.unbind();
        }
        self.entries = entries;
        Ok(true)
    }

    /// Refuses a group whose parameters were edited, where they are those in its dict.
    pub(super) fn check_params(
        &self,
        py: Python<'_>,
        slots: Slots<'_>,
        bound: bool,
    ) -> PyResult<()> {
        self.check_found(&entries::found(self.dict.bind(py))?, slots, bound)
    }

    fn check_found(&self, found: &[Found<'_>], slots: Slots<'_>, bound: bool) -> PyResult<()> {
        let params = found.iter().find(|(key, _)| key == "params");
        let params = params.and_then(|(_, now)| now.cast::<PyList>().ok());
        if !bound || params.is_some_and(|list| holds(list, &slots[self.slots.clone()])) {
            return Ok(());
        }
        Err(PyValueError::new_err(
            "the \"params\" of a group were changed; use add_param_group, or make a new optimizer",
        ))
    }

    /// Reads all entries: what follows from them, if it is another than before.
    #[cold]
    pub(super) fn read(
        &mut self,
        py: Python<'_>,
        optimizer: &Optimizer<PythonArrays>,
        bound: bool,
        settings: &Settings,
    ) -> Result<Option<Compiled>, Stop<PyErr>> {
        // What a method computes from its options once is part of every later step.
        let _control = ControlGuard::new();
        let found = entries::found(self.dict.bind(py))?;
        self.check_found(&found, optimizer.slots(), bound)?;
        let same_keys = found.len() == self.entries.len()
            && self.entries.iter().zip(&found).all(|(entry, (key, _))| entry.key.is(key));
        let before =
            self.options.as_ref().filter(|_| same_keys).map(|known| known.bind(py).clone());
        let (known, changed) = match &before {
            Some(known) => (known.clone(), entries::changed(&self.entries, &found, known)?),
            None => (PyDict::new(py), entries::dict_of(py, found.iter().cloned())?),
        };
        // Kept when nothing of it is refused: the entries and what follows from them go together.
        let (options, compiled) = if before.is_some() && changed.is_empty() {
            (known, None)
        } else {
            let normal = calling::call(settings.read.bind(py), (&changed, &known))?;
            let normal = normal.cast_into::<PyDict>().map_err(PyErr::from)?;
            let compiled = Compiled::new(&settings.rule, &read_options(&normal)?);
            (normal, Some(compiled.map_err(internal)?))
        };
        if let Some(compiled) = &compiled {
            optimizer.check_parameters(self.slots.clone(), compiled)?;
        }
        let dict = self.dict.bind(py);
        let entries = found.into_iter().map(|(key, value)| {
            let (normal, bounds) = (options.get_item(&key)?, settings.bounds(key.to_str()?));
            Entry::new(dict, (key, value), normal.as_ref(), bounds)
        });
        self.entries = entries.collect::<PyResult<_>>()?;
        self.options = Some(options.unbind());
        Ok(compiled)
    }
}
