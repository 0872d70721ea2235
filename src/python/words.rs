//! What a step refuses, in the words of Python's users.

use std::fmt;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::array::shape_text;
use super::gradients;
use crate::number::{Format, Kind};
use crate::optimizer::{Looks, Named};

/// What errors call an array.
pub(super) struct Label<'a> {
    pub(super) py: Python<'a>,
    pub(super) names: Option<&'a [Py<PyString>]>,
    pub(super) named: Named<'a>,
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Named::Parameter(i) | Named::Gradient(i) | Named::State(i, _)) = self.named;
        match self.named {
            Named::Parameter(_) => {}
            Named::Gradient(_) => f.write_str("the gradient of ")?,
            Named::State(_, name) => write!(f, "state {name:?} of ")?,
        }
        match self.names.and_then(|names| names.get(i)) {
            Some(name) => f.write_str(&gradients::named(name.bind(self.py))),
            None => write!(f, "parameter {i}"),
        }
    }
}

/// A type as NumPy writes it.
pub(super) fn dtype(format: Format) -> String {
    let name = format.kind.name();
    let code = match format.kind {
        Kind::F16 => "f2",
        Kind::F32 => "f4",
        Kind::F64 => "f8",
        Kind::BF16 => name,
    };
    let foreign = if cfg!(target_endian = "little") { '>' } else { '<' };
    if format.swapped { format!("{foreign}{code}") } else { name.to_owned() }
}

/// `found ..., wanted ...` of arrays.
pub(super) fn looks(found: &Looks, wanted: &Looks) -> String {
    format!(
        "shape {} and dtype {} now, wanted shape {} and dtype {}",
        shape_text(&found.shape),
        dtype(found.format),
        shape_text(&wanted.shape),
        dtype(wanted.format)
    )
}

pub(super) fn overlap_error(first: &str, second: &str, same: bool) -> PyErr {
    let happened = if same { "are the same array" } else { "overlap in memory" };
    PyValueError::new_err(format!("{first} and {second} {happened}"))
}

pub(super) fn count_error(what: &str, found: usize, wanted: usize) -> PyErr {
    let more = match found > wanted && what == "gradients" {
        true => "; add_param_group takes new parameters",
        false => "",
    };
    PyValueError::new_err(format!(
        "found {found} {what}, wanted {wanted}: one for each parameter{more}"
    ))
}
