//! A param group: its dict belongs to the user, and what was last read from it is kept here.

use std::ops::Range;
use std::ptr::null_mut;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use smallvec::SmallVec;

use super::array::Held;
use super::calling;
use super::options::{internal, read_options};
use super::plain;
use super::python_arrays::PythonArrays;
use super::raw;
use super::settings::{Bounds, Settings};
use super::structure::Structure;
use super::words::must_be;
use crate::engine::ControlGuard;
use crate::optimizer::{Compiled, Optimizer, Slot, Stop};

type Slots<'a> = &'a [Slot<PythonArrays>];

/// An entry of the group's dict.
struct Entry {
    key: Py<PyString>,
    value: Py<PyAny>,
    watched: Watched,
}

/// How an entry is seen to be what it was.
#[derive(Clone, Copy, PartialEq)]
enum Watched {
    /// An option of a type that cannot change in place: it is the same object.
    Identity,
    /// As `Identity`; and another number within these bounds is taken without Python.
    Number(Bounds),
    /// An option that can change in place: never.
    Never,
    /// The list of parameters: the same list with the same arrays.
    Params,
    /// No option: always.
    Ignored,
}

/// An entry as it was found, before any Python code ran that could change it.
type Found<'py> = (Bound<'py, PyString>, Bound<'py, PyAny>);

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

/// Whether an object of this type cannot change its value.
fn immutable(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyString>()
        || value.is_none()
        || value
            .cast_exact::<PyTuple>()
            .is_ok_and(|items| items.iter().all(|item| immutable(&item)))
}

/// Whether the list holds the arrays of these slots.
fn holds(list: &Bound<'_, PyList>, slots: Slots<'_>) -> bool {
    let pointer = |slot: &Slot<PythonArrays>| slot.array.as_ref().map_or(null_mut(), Held::as_ptr);
    raw::holds(list, slots.iter().map(pointer))
}

/// All entries. A key that is no plain str could run Python code whenever it is compared.
fn found<'py>(dict: &Bound<'py, PyDict>) -> PyResult<Vec<Found<'py>>> {
    let entries = dict.iter().map(|(key, value)| match key.cast_into_exact::<PyString>() {
        Ok(key) => Ok((key, value)),
        Err(error) => {
            let key = error.into_inner();
            Err(PyTypeError::new_err(must_be("a key of a param group", "a str", &key)))
        }
    });
    entries.collect()
}

fn dict_of<'py>(
    py: Python<'py>,
    entries: impl Iterator<Item = Found<'py>>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in entries {
        dict.set_item(key, value)?;
    }
    Ok(dict)
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
        let entries = &self.entries;
        let mut changed = SmallVec::<[usize; 4]>::new();
        let only_numbers = raw::all_entries(self.dict.bind(py), entries.len(), |i, key, value| {
            let entry = &entries[i];
            let same = entry.value.as_ptr() == value;
            entry.key.as_ptr() == key
                && match entry.watched {
                    Watched::Identity => same,
                    Watched::Number(_) => {
                        if !same {
                            changed.push(i);
                        }
                        true
                    }
                    Watched::Never => false,
                    Watched::Ignored => true,
                    Watched::Params => {
                        let list = entry.value.bind(py).cast::<PyList>();
                        same && (!bound || list.is_ok_and(|l| holds(l, &slots[self.slots.clone()])))
                    }
                }
        });
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
            let kept = if immutable(&value) { value } else { float };
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
        self.check_found(&found(self.dict.bind(py))?, slots, bound)
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
        let found = found(self.dict.bind(py))?;
        self.check_found(&found, optimizer.slots(), bound)?;
        let same_keys = found.len() == self.entries.len()
            && self.entries.iter().zip(&found).all(|(entry, (key, _))| entry.key.is(key));
        let before =
            self.options.as_ref().filter(|_| same_keys).map(|known| known.bind(py).clone());
        let (known, changed) = match &before {
            Some(known) => (known.clone(), self.changed(&found, known)?),
            None => (PyDict::new(py), dict_of(py, found.iter().cloned())?),
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
            optimizer.check_state_kind(self.slots.clone(), compiled.state_kind)?;
        }
        let entries = found.into_iter().map(|(key, value)| -> PyResult<Entry> {
            let normal = options.get_item(&key)?;
            let value = self.kept(&key, value, normal.as_ref())?;
            let watched = match (normal, settings.bounds(key.to_str()?)) {
                (Some(_), _) if !immutable(&value) => Watched::Never,
                (Some(_), Some(bounds)) => Watched::Number(bounds),
                (Some(_), None) => Watched::Identity,
                (None, _) if key == "params" => Watched::Params,
                (None, _) => Watched::Ignored,
            };
            Ok(Entry { key: key.unbind(), value: value.unbind(), watched })
        });
        self.entries = entries.collect::<PyResult<_>>()?;
        self.options = Some(options.unbind());
        Ok(compiled)
    }

    /// The options among the entries whose value is another than the known one.
    fn changed<'py>(
        &self,
        found: &[Found<'py>],
        known: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let mut changed = vec![];
        for ((key, new), entry) in found.iter().zip(&self.entries) {
            let Some(old) = known.get_item(key)? else { continue };
            let same = (new.is(&entry.value) || new.is(&old)) && immutable(new);
            // Only an equal float is known to be equal without asking Python.
            let equal = match (new.cast_exact::<PyFloat>(), old.cast_exact::<PyFloat>()) {
                (Ok(new), Ok(old)) => new.value().to_bits() == old.value().to_bits(),
                _ => false,
            };
            if !same && !equal {
                changed.push((key.clone(), new.clone()));
            }
        }
        dict_of(known.py(), changed.into_iter())
    }

    /// What stays in the dict for an option's value: NumPy's scalars, 0-d arrays and names of
    /// types give way to the plain value, which costs nothing at later steps; a list stays, since
    /// its owner may change it in place.
    fn kept<'py>(
        &self,
        key: &Bound<'py, PyString>,
        value: Bound<'py, PyAny>,
        normal: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(normal) = normal.filter(|_| !immutable(&value)) else { return Ok(value) };
        if normal.is_instance_of::<PyTuple>() && !value.is_exact_instance_of::<PyTuple>() {
            return Ok(value);
        }
        let dict = self.dict.bind(value.py());
        // Somebody's code may have run since, and may have set the option anew.
        if dict.get_item(key)?.is_some_and(|now| now.is(&value)) {
            dict.set_item(key, normal)?;
        }
        Ok(normal.clone())
    }
}
