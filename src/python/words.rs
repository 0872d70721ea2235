//! What a step refuses, in the words of Python's users.

use std::fmt::{self, Display};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::array::shape_text;
use crate::number::{Format, Kind};
use crate::optimizer::{Looks, Named, Place};

/// What errors call an array.
pub(super) struct Label<'a> {
    pub(super) py: Python<'a>,
    pub(super) names: Option<&'a [Py<PyString>]>,
    pub(super) named: Named<'a>,
}

impl Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Named::Parameter(i) | Named::Gradient(i) | Named::State(i, _)) = self.named;
        match self.named {
            Named::Parameter(_) => {}
            Named::Gradient(_) => f.write_str("the gradient of ")?,
            Named::State(_, name) => write!(f, "state {name:?} of ")?,
        }
        match self.names.and_then(|names| names.get(i)) {
            Some(name) => f.write_str(&parameter(name.bind(self.py))),
            None => write!(f, "parameter {i}"),
        }
    }
}

/// What errors call a parameter of this name.
pub(super) fn parameter(name: &Bound<'_, PyString>) -> String {
    let name = name.repr().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    format!("parameter {name}")
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

/// What an array must be, whatever it is for.
pub(super) const ARRAY: &str = "a NumPy array (numpy.ndarray or numpy.memmap) or a CuPy array";

/// What is said of a value of another type than it must be of.
pub(super) fn must_be(label: impl Display, wanted: &str, found: &Bound<'_, PyAny>) -> String {
    let found = found.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    format!("{label} must be {wanted}, found {found}")
}

/// What is said of an array that does not look as it must; where it lies only if that is amiss.
pub(super) fn differs(label: impl Display, found: &Looks, wanted: &Looks) -> String {
    let text = |looks: &Looks| {
        let (shape, dtype) = (shape_text(&looks.shape), dtype(looks.format));
        let elsewhere = found.place != wanted.place;
        let place = if elsewhere { format!(" {}", looks.place) } else { String::new() };
        format!("shape {shape} and dtype {dtype}{place}")
    };
    format!("{label} has {}, wanted {}", text(found), text(wanted))
}

/// What is said of an array that lies elsewhere than it must.
pub(super) fn misplaced(label: impl Display, found: Place, wanted: Place) -> String {
    format!("{label} is {found}, wanted {wanted}")
}

/// What state may be stored in beside a parameter of this type.
fn state_kinds(beside: Kind) -> &'static str {
    match beside {
        Kind::F64 => "float64",
        Kind::F16 | Kind::F32 | Kind::BF16 => "float16, bfloat16 or float32",
    }
}

/// What is said of a type of state that does not go with a parameter.
pub(super) fn state_kind(what: &str, parameter: impl Display, beside: Kind, found: Kind) -> String {
    let (beside, wanted, found) = (beside.name(), state_kinds(beside), found.name());
    format!("{what} beside {parameter} of dtype {beside} must be {wanted}, found {found}")
}

/// What is said of a parameter whose states are of types that the engine does not run together.
pub(super) fn unsupported(kind: Kind) -> PyErr {
    PyTypeError::new_err(format!(
        "a parameter of dtype {} has state of another type, wanted {}",
        kind.name(),
        state_kinds(kind)
    ))
}

/// The type of elements that is called `name`.
pub(super) fn kind(what: &str, name: &str) -> PyResult<Kind> {
    Kind::named(name).ok_or_else(|| {
        PyValueError::new_err(format!(
            "{what} must be 'float16', 'bfloat16', 'float32' or 'float64', found {name:?}"
        ))
    })
}

pub(super) fn overlap_error(first: &str, second: &str, same: bool) -> PyErr {
    let happened = if same { "are the same array" } else { "overlap in memory" };
    let remedy = "give each memory of its own";
    PyValueError::new_err(format!("{first} and {second} {happened}; {remedy}"))
}

pub(super) fn count_error(what: &str, found: usize, wanted: usize, of: &str) -> PyErr {
    let more = match what {
        "gradients" if found > wanted => "; add_param_group takes new parameters",
        "gradients" => "; None in place of a gradient skips a parameter",
        _ => "",
    };
    PyValueError::new_err(format!("found {found} {what}, wanted {wanted}: one for each {of}{more}"))
}
