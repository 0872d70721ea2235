//! Arrays as parameters: how they come in, and others in their place.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::array::{Array, Held, Seen};
use super::owner::{Owner, owner};
use super::python_arrays::PythonArrays;
use super::words::{ARRAY, Label, differs};
use crate::optimizer::{Looks, Slot};

/// Where an array comes from.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Origin {
    /// It is held from now on.
    Bound,
    /// As `Bound`, but out of a pickle or a copy: one that is read-only is refused by a step.
    Restored,
    /// It came with a call of an unbound optimizer.
    Unbound,
}

/// A parameter: the array, what it looks like, and whose memory it is if it comes with each call.
pub(super) struct Parameter {
    pub(super) array: Held,
    pub(super) header: Seen,
    pub(super) owner: Option<Owner>,
}

impl Parameter {
    pub(super) fn new(array: &Bound<'_, PyAny>, label: &Label<'_>, from: Origin) -> PyResult<Self> {
        let array = Array::plain(array, label, ARRAY)?;
        let header = match from {
            Origin::Restored => Seen::of_kept(&array, label)?,
            _ => Seen::of_written(&array, label)?,
        };
        let owner = (from == Origin::Unbound).then(|| Owner::of(&array)).transpose()?;
        Ok(Parameter { array: array.hold(), header, owner })
    }
}

/// Refuses an array that came with a call and is not the memory that this parameter has had from its
/// first call on.
pub(super) fn check_memory(
    array: &Array<'_>,
    slot: &Slot<PythonArrays>,
    known: Option<&Owner>,
    label: &Label<'_>,
) -> PyResult<()> {
    let owner = owner(array)?;
    let same = known.is_none_or(|known| known.is(&owner));
    // The very array that was there before, changed in place, is for the step to judge.
    if same && (owner.is(array.object()) || slot.header.same_memory(array)?) {
        return Ok(());
    }
    Err(other_memory(array, &slot.header, &owner, same, label))
}

#[cold]
fn other_memory(
    array: &Array<'_>,
    was: &Seen,
    owner: &Bound<'_, PyAny>,
    same: bool,
    label: &Label<'_>,
) -> PyErr {
    let now = match Seen::of_kept(array, label) {
        Ok(now) => now,
        Err(error) => return error,
    };
    let found = if now.shape != was.shape || now.format != was.format {
        let looks = differs(label, &Looks::of(&now), &Looks::of(was));
        format!("{looks} as at its first update")
    } else if same {
        format!("{label} is another part of its buffer than at its first update")
    } else {
        format!("{label} lies in other memory than at its first update (a copy?)")
    };
    let torch = owner.get_type().module().is_ok_and(|name| name == "torch");
    let keep = if torch { "; keep the array of one call of numpy()" } else { "" };
    PyValueError::new_err(format!(
        "{found}{keep}; call reset() for a new run, rebind(params) or replace(name, array) where arrays \
         were replaced on purpose and the state is to go on; another layer comes under a name or key of \
         its own (one key keeps one memory, or two layers or runs would share one state)"
    ))
}
