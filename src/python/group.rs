//! A param group: its dict belongs to the user, and what was last read from it is kept here.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::calling;
use super::raw;
use super::settings::Settings;
use super::slot::Slot;
use crate::cuda::{self, TraceKernel};
use crate::engine::{self, Kernel};
use crate::number::Kind;
use crate::rules::{self, Method, Options, PreludeOptions, State, Value};

/// A group's options, understood.
pub(super) struct Compiled {
    /// Another number for other options.
    pub(super) id: u64,
    pub(super) method: Box<dyn Method>,
    pub(super) kernel: Kernel,
    pub(super) prelude: PreludeOptions,
    pub(super) states: Vec<State>,
    /// What state that is made is stored in; None for the compute type.
    pub(super) state_kind: Option<Kind>,
    /// The options as Python normalised them.
    pub(super) options: Py<PyDict>,
    /// The formula as the source of a kernel for devices.
    pub(super) traced: cuda::Kernel,
}

/// Python has checked the options: what the rule does not understand is a mistake of ours.
fn internal(error: rules::OptionError) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}

/// An entry of the group's dict.
struct Entry {
    key: Py<PyAny>,
    value: Py<PyAny>,
    watched: Watched,
}

/// How an entry is seen to be what it was.
#[derive(Clone, Copy, PartialEq)]
enum Watched {
    /// An option of a type that cannot change in place: it is the same object.
    Identity,
    /// An option that can change in place: never.
    Never,
    /// The list of parameters: the same list with the same arrays.
    Params,
    /// No option: always.
    Ignored,
}

pub(super) struct Group {
    pub(super) dict: Py<PyDict>,
    /// Its parameters among the optimizer's.
    pub(super) slots: Range<usize>,
    entries: Vec<Entry>,
    compiled: Option<Compiled>,
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
fn holds(list: &Bound<'_, PyList>, slots: &[Slot]) -> bool {
    raw::holds(list, slots.iter().map(Slot::pointer))
}

impl Group {
    pub(super) fn new(dict: &Bound<'_, PyDict>, slots: Range<usize>) -> Self {
        Group { dict: dict.clone().unbind(), slots, entries: vec![], compiled: None }
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.dict)?;
        for entry in &self.entries {
            visit.call(&entry.key)?;
            visit.call(&entry.value)?;
        }
        self.compiled.iter().try_for_each(|compiled| visit.call(&compiled.options))
    }

    /// The options as they were last read; `refresh` comes first.
    pub(super) fn compiled(&self) -> PyResult<&Compiled> {
        let missing = || PyRuntimeError::new_err("the options were never read");
        self.compiled.as_ref().ok_or_else(missing)
    }

    /// Reads the options again where one of them is another than last time, and refuses a group
    /// whose parameters were edited. `bound`: its parameters are those in its dict.
    #[inline]
    pub(super) fn refresh(
        &mut self,
        py: Python<'_>,
        slots: &[Slot],
        bound: bool,
        settings: &Settings,
    ) -> PyResult<()> {
        let entries = &self.entries;
        let unchanged = raw::all_entries(self.dict.bind(py), entries.len(), |i, key, value| {
            let entry = &entries[i];
            let same = entry.value.as_ptr() == value;
            entry.key.as_ptr() == key
                && match entry.watched {
                    Watched::Identity => same,
                    Watched::Never => false,
                    Watched::Ignored => true,
                    Watched::Params => {
                        let list = entry.value.bind(py).cast::<PyList>();
                        same && (!bound || list.is_ok_and(|l| holds(l, &slots[self.slots.clone()])))
                    }
                }
        });
        if unchanged && self.compiled.is_some() {
            return Ok(());
        }
        self.read_again(py, slots, bound, settings)
    }

    /// Refuses a group whose parameters were edited, where they are those in its dict.
    pub(super) fn check_params(&self, py: Python<'_>, slots: &[Slot], bound: bool) -> PyResult<()> {
        let params = self.dict.bind(py).get_item(pyo3::intern!(py, "params"))?;
        let params = params.as_ref().and_then(|now| now.cast::<PyList>().ok());
        if !bound || params.is_some_and(|list| holds(list, &slots[self.slots.clone()])) {
            return Ok(());
        }
        Err(PyValueError::new_err(
            "the \"params\" of a group were changed; use add_param_group, or make a new optimizer",
        ))
    }

    #[cold]
    fn read_again(
        &mut self,
        py: Python<'_>,
        slots: &[Slot],
        bound: bool,
        settings: &Settings,
    ) -> PyResult<()> {
        self.check_params(py, slots, bound)?;
        let dict = self.dict.bind(py);
        let known = self.compiled.as_ref().map(|compiled| compiled.options.bind(py).clone());
        let changed = known.as_ref().map_or(Ok(None), |known| changed(dict, known))?;
        // Kept when nothing of it is refused: the entries and what follows from them go together.
        let new = match (changed, known) {
            (Some(changed), _) if changed.is_empty() => None,
            (Some(changed), Some(known)) => Some(compile(settings, &changed, &known)?),
            _ => Some(compile(settings, dict, &PyDict::new(py))?),
        };
        let compiled = new.as_ref().map_or_else(|| self.compiled(), Ok)?;
        let slots = &slots[self.slots.clone()];
        if let Some(kind) = compiled.state_kind
            && let Some(slot) = slots.iter().find(|slot| !slot.may_keep(kind))
        {
            return Err(PyValueError::new_err(format!(
                "state_dtype {:?} does not go with {} of dtype {}: state is float64 beside \
                 float64, and float16, bfloat16 or float32 beside what is narrower",
                kind.name(),
                slot.label,
                slot.header.format.kind.name()
            )));
        }
        let options = compiled.options.bind(py);
        let watch = |key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>| -> PyResult<Watched> {
            Ok(match () {
                () if options.contains(key)? && immutable(value) => Watched::Identity,
                () if options.contains(key)? => Watched::Never,
                () if key.eq("params")? => Watched::Params,
                () => Watched::Ignored,
            })
        };
        let entries = dict.iter().map(|(key, value)| {
            let watched = watch(&key, &value)?;
            Ok(Entry { key: key.unbind(), value: value.unbind(), watched })
        });
        self.entries = entries.collect::<PyResult<_>>()?;
        self.compiled = new.or(self.compiled.take());
        Ok(())
    }
}

/// The options whose value is another than the known one; None if one is missing.
fn changed<'py>(
    dict: &Bound<'py, PyDict>,
    known: &Bound<'py, PyDict>,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    let changed = PyDict::new(dict.py());
    for (name, old) in known {
        let Some(new) = dict.get_item(&name)? else { return Ok(None) };
        // Only an equal float is known to be equal without asking Python.
        let same = new.is(&old) && immutable(&new)
            || match (new.cast_exact::<PyFloat>(), old.cast_exact::<PyFloat>()) {
                (Ok(new), Ok(old)) => new.value().to_bits() == old.value().to_bits(),
                _ => false,
            };
        if !same {
            changed.set_item(name, new)?;
        }
    }
    Ok(Some(changed))
}

fn compile(
    settings: &Settings,
    changed: &Bound<'_, PyDict>,
    known: &Bound<'_, PyDict>,
) -> PyResult<Compiled> {
    static IDS: AtomicU64 = AtomicU64::new(0);
    let normal =
        calling::call(settings.read.bind(changed.py()), (changed, known))?.cast_into::<PyDict>()?;
    let options = read_options(&normal)?;
    let prelude = PreludeOptions::read(&options).map_err(internal)?;
    let (method, kernel) = engine::compile(&settings.rule, &options).map_err(internal)?;
    let (_, traced) = rules::method(&settings.rule, &options, TraceKernel).map_err(internal)?;
    let state_kind = options.word("state_dtype").ok().and_then(Kind::named);
    Ok(Compiled {
        state_kind,
        id: IDS.fetch_add(1, Ordering::Relaxed),
        states: method.states(),
        method,
        kernel,
        prelude,
        options: normal.unbind(),
        traced,
    })
}

/// Normalised options as rules read them; what is None is left out.
pub(super) fn read_options(normal: &Bound<'_, PyDict>) -> PyResult<Options> {
    let given = normal.iter().filter(|(_, value)| !value.is_none());
    let options = given.map(|(name, value)| Ok((name.extract()?, option(&value)?)));
    Ok(options.collect::<PyResult<Vec<(String, Value)>>>()?.into_iter().collect())
}

fn option(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    if let Ok(flag) = value.cast_exact::<PyBool>() {
        Ok(Value::Flag(flag.is_true()))
    } else if let Ok(word) = value.cast::<PyString>() {
        Ok(Value::Word(word.extract()?))
    } else if value.is_instance_of::<PyTuple>() {
        let (first, second) = value.extract()?;
        Ok(Value::Pair(first, second))
    } else {
        Ok(Value::Number(value.extract()?))
    }
}
