//! Settings that are set between steps.

use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyString, PyTuple};

use super::group::Group;
use super::inner::Inner;
use super::plain;
use super::settings;

impl Inner {
    /// Goes by other settings from the next step on, or by none of them. Returns the old ones,
    /// whose end may run Python code.
    pub(super) fn choose(&mut self, chosen: &Bound<'_, PyTuple>) -> PyResult<impl Sized + use<>> {
        let (nonfinite, reference, state_factory, skips_missing) = settings::chosen_parts(chosen)?;
        let settings = &mut self.settings;
        let reference = std::mem::replace(&mut settings.reference, reference);
        let (caller, optimizer) = self.called(chosen.py());
        if let Err(error) = caller.check_reference(optimizer.slots(), 0) {
            self.settings.reference = reference;
            return Err(error);
        }
        self.optimizer.begin_epoch();
        let settings = &mut self.settings;
        settings.nonfinite = nonfinite;
        settings.skips_missing = skips_missing;
        let before = (
            std::mem::replace(&mut settings.chosen, chosen.clone().unbind()),
            std::mem::replace(&mut settings.state_factory, state_factory),
        );
        Ok((before, reference))
    }

    /// Sets an option of all groups to a number within its bounds. False, and nothing done, if there is
    /// more to it. What replaces a plain value runs no Python code.
    pub(super) fn set_number(
        &self,
        name: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let py = name.py();
        self.check_list(py)?;
        let Some(x) = plain::number(value) else { return Ok(false) };
        let bounds = self.settings.bounds(name.to_str()?);
        let known = |group: &Group| {
            let value = group.dict.bind(py).get_item(name).ok().flatten();
            value.is_some_and(|value| value.is_exact_instance_of::<PyFloat>())
        };
        if self.groups.is_empty()
            || !bounds.is_some_and(|bounds| bounds.admit(x))
            || !self.groups.iter().all(known)
        {
            return Ok(false);
        }
        let float = PyFloat::new(py, x);
        self.groups.iter().try_for_each(|group| group.dict.bind(py).set_item(name, &float))?;
        Ok(true)
    }
}
