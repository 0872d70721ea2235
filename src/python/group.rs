//! A param group: its dict belongs to the user, and what was last read from it is kept here.

use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::engine::{self, Kernel};
use crate::rules::{self, Method, Options, PreludeOptions, State, Value};

/// A group's options, understood.
pub(super) struct Compiled {
    pub(super) method: Box<dyn Method>,
    pub(super) kernel: Kernel,
    pub(super) prelude: PreludeOptions,
    pub(super) states: Vec<State>,
    /// The options as Python normalised them, for the reference.
    pub(super) options: Py<PyDict>,
}

pub(super) struct Group {
    pub(super) dict: Py<PyDict>,
    /// The group's "params" as they were given.
    params: Py<PyList>,
    /// Each option's name and the object that was last read; None if that can change in place.
    seen: Vec<(Py<PyString>, Option<Py<PyAny>>)>,
    pub(super) compiled: Option<Arc<Compiled>>,
}

/// Whether an object of this type cannot change its value.
fn immutable(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyString>()
        || value
            .cast_exact::<PyTuple>()
            .is_ok_and(|items| items.iter().all(|item| immutable(&item)))
}

impl Group {
    pub(super) fn new(dict: &Bound<'_, PyDict>, arrays: &Bound<'_, PyAny>) -> PyResult<Self> {
        let params = PyList::empty(dict.py());
        for array in arrays.try_iter()? {
            params.append(array?)?;
        }
        Ok(Group {
            dict: dict.clone().unbind(),
            params: params.unbind(),
            seen: vec![],
            compiled: None,
        })
    }

    /// Refuses a group whose list of parameters was edited.
    pub(super) fn check_params(&self, py: Python<'_>) -> PyResult<()> {
        let now = self.dict.bind(py).get_item(pyo3::intern!(py, "params"))?;
        let list = now.as_ref().and_then(|now| now.cast::<PyList>().ok());
        let ours = self.params.bind(py);
        let same = list.is_some_and(|list| {
            list.len() == ours.len() && list.iter().zip(ours.iter()).all(|(a, b)| a.is(&b))
        });
        if same {
            return Ok(());
        }
        Err(PyValueError::new_err(
            "the \"params\" of a group were changed; use add_param_group, or make a new optimizer",
        ))
    }

    /// The group's options, read again if one of them is another object than last time.
    pub(super) fn compiled(
        &mut self,
        py: Python<'_>,
        rule: &str,
        read: &Py<PyAny>,
    ) -> PyResult<Arc<Compiled>> {
        let dict = self.dict.bind(py);
        if let Some(compiled) = &self.compiled {
            let unchanged = |(name, value): &(Py<PyString>, Option<Py<PyAny>>)| {
                let now = dict.get_item(name.bind(py)).ok().flatten();
                matches!((now, value), (Some(now), Some(value)) if now.is(value))
            };
            if self.seen.iter().all(unchanged) {
                return Ok(compiled.clone());
            }
        }
        let normal = read.bind(py).call1((dict,))?.cast_into::<PyDict>()?;
        let mut options = Vec::new();
        let mut seen = Vec::new();
        for (name, value) in &normal {
            options.push((name.extract::<String>()?, option(&value)?));
            let found = dict.get_item(&name)?;
            let kept = found.filter(immutable).map(Bound::unbind);
            seen.push((name.cast_into::<PyString>()?.unbind(), kept));
        }
        let options: Options = options.into_iter().collect();
        let internal = |error: rules::OptionError| PyRuntimeError::new_err(error.to_string());
        let prelude = PreludeOptions::read(&options).map_err(internal)?;
        let (method, kernel) = engine::compile(rule, &options).map_err(internal)?;
        let states = method.states();
        let compiled = Compiled { method, kernel, prelude, states, options: normal.unbind() };
        self.seen = seen;
        Ok(self.compiled.insert(Arc::new(compiled)).clone())
    }
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
