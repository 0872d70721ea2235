//! Options as Python normalised them, for the rules.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString, PyTuple};

use crate::rules::{OptionError, Options, Value};

/// Normalised options as rules read them; what is None is left out, and in a pair NaN.
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
    } else if let Ok(numbers) = value.cast::<PyTuple>() {
        if numbers.len() == 3 {
            let (first, second, third) = numbers.extract()?;
            return Ok(Value::Triple(first, second, third));
        }
        let (first, second) = numbers.extract::<(Option<f64>, f64)>()?;
        Ok(Value::Pair(first.unwrap_or(f64::NAN), second))
    } else {
        Ok(Value::Number(value.extract()?))
    }
}

/// Python has checked the options: what the rule does not understand is a mistake of ours.
pub(super) fn internal(error: OptionError) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}
