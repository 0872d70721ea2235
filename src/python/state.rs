//! State arrays: who makes them, and what they are checked for.

use std::borrow::Cow;

use numpy::PyArrayDescr;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::array::{Array, Header, Held, Place, shape_text};
use super::calling;
use super::compiled::Compiled;
use super::cuda::backend;
use super::group::Group;
use super::settings::Settings;
use super::slot::Slot;
use crate::engine;
use crate::number::{Format, Kind};

pub(super) struct StateArray {
    pub(super) name: Cow<'static, str>,
    pub(super) array: Held,
    pub(super) header: Header,
}

/// What errors call the state of a parameter.
pub(super) fn label(name: &str, of: &str) -> String {
    format!("state {name:?} of {of}")
}

impl StateArray {
    /// One that is to be written.
    pub(super) fn new(
        name: Cow<'static, str>,
        array: Bound<'_, PyAny>,
        of: &str,
    ) -> PyResult<Self> {
        StateArray::read(name, &array, of, Header::of_written)
    }

    /// One that may come out of a pickle, read-only.
    pub(super) fn kept(name: String, array: &Bound<'_, PyAny>, of: &str) -> PyResult<Self> {
        StateArray::read(name.into(), array, of, Header::of_kept)
    }

    fn read(
        name: Cow<'static, str>,
        array: &Bound<'_, PyAny>,
        of: &str,
        header: impl FnOnce(&Array<'_>, &str) -> PyResult<Header>,
    ) -> PyResult<Self> {
        let label = label(&name, of);
        let array = Array::plain(array, &label, "wanted an array")?;
        let header = header(&array, &label)?;
        Ok(StateArray { name, array: array.hold(), header })
    }
}

/// A slot that got state, with the number of arrays that it had before.
pub(super) type Grown = (usize, usize);

/// Who makes state: the user's factory, or NumPy and CuPy.
pub(super) struct Maker<'a> {
    factory: Option<&'a Py<PyAny>>,
    names: Option<&'a [Py<PyString>]>,
}

impl<'a> Maker<'a> {
    pub(super) fn new(settings: &'a Settings, names: Option<&'a [Py<PyString>]>) -> Self {
        Maker { factory: settings.state_factory.as_ref(), names }
    }

    /// A new array for the state of a slot, with whatever is in it. A factory is Python code: what
    /// was known of any array before is to be checked again.
    pub(super) fn make(
        &self,
        py: Python<'_>,
        slots: &[Slot],
        i: usize,
        name: Cow<'static, str>,
        kind: Kind,
    ) -> PyResult<StateArray> {
        let slot = &slots[i];
        let Some(like) = slot.array(py) else {
            return Err(PyValueError::new_err(format!("{} comes with each call", slot.label)));
        };
        let Some(factory) = self.factory else {
            return StateArray::new(name, like.empty_like(kind.name())?, &slot.label);
        };
        let key = match self.names {
            Some(names) => names[i].bind(py).clone().into_any(),
            None => i.into_pyobject(py)?.into_any(),
        };
        let dtype = PyArrayDescr::new(py, kind.name())?;
        let new = calling::call(factory.bind(py), (key, &*name, like.object(), dtype))?;
        let made = StateArray::new(name.clone(), new, &slot.label)?;
        if slot.may_have(&made) && made.header.format == Format::native(kind) {
            return Ok(made);
        }
        let message = format!(
            "state_factory made state {name:?} of {} with shape {} and dtype {} {}; wanted shape \
             {} and dtype {} {}",
            slot.label,
            shape_text(&made.header.shape),
            made.array.bind(py).dtype_name(),
            made.header.place,
            shape_text(&slot.header.shape),
            kind.name(),
            slot.header.place
        );
        Err(if made.header.shape == slot.header.shape {
            PyTypeError::new_err(message)
        } else {
            PyValueError::new_err(message)
        })
    }
}

/// What was made for the step, each with its initial value.
fn made<'a>(
    slots: &'a [Slot],
    groups: &'a [Group],
    grown: &'a [Grown],
) -> impl Iterator<Item = PyResult<(&'a StateArray, f64)>> {
    grown.iter().flat_map(move |&(i, known)| {
        let states = slots[i].states[known..].iter();
        states.map(move |state| {
            let compiled: &Compiled = groups[slots[i].group].compiled()?;
            let of = compiled.states.iter().find(|wanted| wanted.name == state.name);
            Ok((state, of.map_or(0.0, |of| of.initial)))
        })
    })
}

/// Writes the initial values of what was made on devices.
pub(super) fn fill_on_devices(
    py: Python<'_>,
    slots: &[Slot],
    groups: &[Group],
    grown: &[Grown],
) -> PyResult<()> {
    for state in made(slots, groups, grown) {
        let (state, initial) = state?;
        if state.header.place != Place::Host {
            backend(py, "fill", (state.array.bind(py).object(), initial))?;
        }
    }
    Ok(())
}

/// Writes the initial values of what was made in host memory: whatever class an array has, it has
/// no say in it.
///
/// # Safety
/// The arrays are what their headers say, writable, and share no memory with anything else.
pub(super) unsafe fn fill(slots: &[Slot], groups: &[Group], grown: &[Grown]) -> PyResult<()> {
    for state in made(slots, groups, grown) {
        let (state, initial) = state?;
        if state.header.place == Place::Host {
            // SAFETY: passed on from the caller.
            unsafe { engine::fill(&state.header.view(), initial) };
        }
    }
    Ok(())
}
