//! A group's options, understood.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString, PyTuple};

use super::calling;
use super::settings::Settings;
use crate::cuda::{self, TraceKernel};
use crate::engine::{CompileKernel, Kernel};
use crate::number::Kind;
use crate::rules::{self, Method, Options, PreludeOptions, State, Value};

pub(super) struct Compiled {
    /// Another number for another layout: formula, names of states, kind of weight decay, type of
    /// state. What is kept of a step's plan holds as long as it is the same; numbers may differ.
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

impl Compiled {
    /// The options that are `given`, the rest as `known`, checked by Python. `before`: what they
    /// take the place of.
    pub(super) fn new(
        settings: &Settings,
        given: &Bound<'_, PyDict>,
        known: &Bound<'_, PyDict>,
        before: Option<&Compiled>,
    ) -> PyResult<Self> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        let normal =
            calling::call(settings.read.bind(given.py()), (given, known))?.cast_into::<PyDict>()?;
        let options = read_options(&normal)?;
        let visitors = (CompileKernel, TraceKernel);
        let (method, (kernel, traced)) =
            rules::method(&settings.rule, &options, visitors).map_err(internal)?;
        let mut new = Compiled {
            id: 0,
            states: method.states(),
            method,
            kernel,
            prelude: PreludeOptions::read(&options).map_err(internal)?,
            state_kind: options.word("state_dtype").ok().and_then(Kind::named),
            options: normal.unbind(),
            traced,
        };
        new.id = match before {
            Some(before) if new.laid_out_as(before) => before.id,
            _ => IDS.fetch_add(1, Ordering::Relaxed),
        };
        Ok(new)
    }

    fn laid_out_as(&self, other: &Self) -> bool {
        let names = |states: &[State]| states.iter().map(|state| state.name).collect::<Vec<_>>();
        self.traced.formula() == other.traced.formula()
            && names(&self.states) == names(&other.states)
            && self.prelude.coupled_decay() == other.prelude.coupled_decay()
            && self.state_kind == other.state_kind
    }

    /// Takes another number for one option. False if the layout hangs on it, or on something that
    /// is no option of the rule; nothing has changed then.
    pub(super) fn set(&mut self, name: &str, value: f64) -> bool {
        if name == "weight_decay" {
            return self.prelude.set_weight_decay(value);
        }
        if !self.method.set(name, value) {
            return false;
        }
        if name == "lr" {
            self.prelude.set_lr(value);
        }
        self.states = self.method.states();
        true
    }
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
