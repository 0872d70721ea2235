//! Parameters that get no gradient, where a name that is missing skips its parameter.

use std::ops::Range;

use pyo3::prelude::*;

use super::caller::Caller;
use super::given::Given;
use super::logged::{WARNING, log};
use super::step_info::ParameterKey;
use crate::engine::memory::Grow;

/// After so many steps without a gradient a name is more likely misspelt than frozen.
const LONG: u32 = 100;

/// For how many steps each parameter has had none.
#[derive(Default)]
pub(super) struct Missing(Vec<u32>);

/// Those of which it is time to tell.
pub(super) struct Neglected(Vec<ParameterKey>);

impl Missing {
    /// Forgets parameters that are gone.
    pub(super) fn forget(&mut self, gone: Range<usize>) {
        let known = self.0.len();
        self.0.drain(gone.start.min(known)..gone.end.min(known));
    }

    /// Counts a step. Each parameter is told of once.
    pub(super) fn count(
        &mut self,
        caller: Caller<'_>,
        gradients: &[Option<Given<'_>>],
    ) -> PyResult<Option<Box<Neglected>>> {
        let mut neglected = Vec::new();
        for (i, gradient) in gradients.iter().enumerate() {
            if i == self.0.len() {
                self.0.try_push(0)?;
            }
            let steps = &mut self.0[i];
            *steps = match gradient {
                Some(_) if *steps < LONG => 0,
                _ => steps.saturating_add(1),
            };
            if gradient.is_none() && *steps == LONG {
                neglected.try_push(caller.key(i))?;
            }
        }
        Ok((!neglected.is_empty()).then(|| Box::new(Neglected(neglected))))
    }
}

impl Neglected {
    /// Handlers are Python code, so no lock may be held.
    pub(super) fn tell(&self, py: Python<'_>) -> PyResult<()> {
        self.0.iter().try_for_each(|key| {
            let message = "parameter %r has had no gradient in %d steps; is its name right?";
            log(py, (WARNING, message, key, LONG))
        })
    }
}
