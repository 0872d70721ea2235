//! Settings that are set between steps.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::inner::Inner;
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
}
