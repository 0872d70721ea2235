//! A step from its gradients to its outcome: checked, made, run, counted.

use pyo3::prelude::*;

use super::calling;
use super::cuda::Launch;
use super::gradients::Arrays;
use super::inner::{Inner, Outcome, count_error};
use super::norm::{self, Norm};
use super::overlap;
use super::planned::Planned;
use super::reference;
use super::scaling::Scaling;
use super::settings::{NonFinite, Settings};
use super::skipped::Skipped;
use super::state::{self, Grown, Maker};
use super::step::{self, Gradient, Part};
use super::step_info::Key;
use crate::engine::ControlGuard;

impl Inner {
    /// One step, wholly or not at all.
    pub(super) fn step(
        &mut self,
        py: Python<'_>,
        grads: Arrays<'_>,
        scaling: Scaling,
    ) -> PyResult<Outcome> {
        // A foreign rounding mode or flush-to-zero touches nothing, the reference neither.
        let _control = ControlGuard::new();
        if grads.len() != self.slots.len() {
            return Err(count_error("gradients", grads.len(), self.slots.len()));
        }
        self.check_home()?;
        self.check_groups(py)?;
        self.check_containers(py)?;
        self.check_slots(py)?;
        if let Some(outcome) = self.repeat(py, &grads, scaling)? {
            return Ok(outcome);
        }
        let mut parts = step::parts(&self.slots, grads)?;
        let maker = Maker::new(&self.settings, self.names.as_deref());
        let made = step::make_states(py, &mut self.slots, &self.groups, &mut parts, &maker)?;
        if !made.is_empty() {
            self.forget_memory();
        }
        let outcome = self.apply(py, &mut parts, &made, scaling);
        let applied = outcome.as_ref().is_ok_and(|outcome| outcome.skipped.is_none());
        if !applied && !made.is_empty() {
            // As if the step had never been asked for: the next one is the first again.
            for (slot, known) in &made {
                self.slots[*slot].drop_states(*known);
            }
            self.forget_memory();
        }
        outcome
    }

    /// The last checks, the run and the counts; not applied if the gradients are not finite and are
    /// skipped.
    fn apply(
        &mut self,
        py: Python<'_>,
        parts: &mut [Part<'_>],
        made: &[Grown],
        scaling: Scaling,
    ) -> PyResult<Outcome> {
        if !made.is_empty() {
            // Python code may have made it: what was known of any array is no longer sure.
            self.check_slots(py)?;
            step::find_again(&mut self.slots, &self.groups, parts)?;
        }
        self.check_overlap(parts)?;
        state::fill_on_devices(py, &self.slots, &self.groups, made)?;
        self.cuda.begin();
        let Settings { reference, rule, nonfinite, nonfinite_error, .. } = &self.settings;
        let Scaling { grad_scale, max_norm } = scaling;
        let grad_norm = match (max_norm, reference) {
            (None, _) => Norm::NotAsked,
            (Some(_), Some(module)) => {
                let norm = reference::global_norm(module.bind(py), &self.slots, parts)?;
                Norm::Known(norm * grad_scale.abs())
            }
            (Some(max_norm), None) => {
                let needed = *nonfinite != NonFinite::Propagate;
                let asked = (grad_scale, max_norm);
                norm::measure(py, &mut self.cuda, &self.slots, parts, asked, needed)?
            }
        };
        // A norm that is finite tells that every gradient is.
        if *nonfinite != NonFinite::Propagate && !grad_norm.is_finite() {
            let found = norm::find_nonfinite(py, &mut self.cuda, &self.slots, parts)?;
            if found.is_some() || matches!(grad_norm, Norm::Known(_)) {
                if *nonfinite == NonFinite::Skip {
                    let skipped = Some(self.skip(py, found));
                    return Ok(Outcome { grad_norm, skipped });
                }
                let message = self.not_finite(found);
                let error = calling::call(nonfinite_error.bind(py), (message,))?;
                return Err(PyErr::from_value(error));
            }
        }
        let (slots, groups) = (&mut self.slots, &self.groups);
        let scale = grad_norm.scale(grad_scale, max_norm);
        if let Some(module) = reference {
            step::check_unchanged(py, slots, parts)?;
            // SAFETY: what was made was checked to be writable and to share no memory, and is as it
            // was then.
            unsafe { state::fill(slots, groups, made)? };
            let results = reference::run(module.bind(py), rule, slots, groups, parts, scale)?;
            step::check_unchanged(py, slots, parts)?;
            // SAFETY: they are unchanged, and no Python code has run since that was seen.
            unsafe { results.write() };
            self.count(parts, made);
            return Ok(Outcome::applied(grad_norm));
        }
        let blocks = step::plan(slots, groups, &mut self.plan, parts, scale)?;
        let clip = match &grad_norm {
            Norm::OnDevice(clip) => Some(clip),
            _ => None,
        };
        let launches = self.cuda.plan(py, slots, groups, parts, scale, clip)?;
        let planned = Planned::new(blocks, slots, parts);
        // Otherwise no Python code has run since all was checked.
        let native = max_norm.is_none() && *nonfinite == NonFinite::Propagate;
        if !(native && made.is_empty() && launches.is_empty()) {
            step::check_unchanged(py, slots, parts)?;
        }
        // SAFETY: as above.
        unsafe { state::fill(slots, groups, made)? };
        // Devices first: they work while this processor does.
        launches.iter().try_for_each(|launch| launch.run(py))?;
        if launches.iter().any(Launch::copies) {
            step::check_unchanged(py, slots, parts)?;
        }
        // SAFETY: `parts` and slots hold the arrays, and no Python code has run since they were
        // compared with what the plan was made of.
        unsafe { step::run(py, &self.plan) };
        self.planned = planned;
        self.count(parts, made);
        Ok(Outcome::applied(grad_norm))
    }

    /// What was written is a step: no Python code runs between the two.
    fn count(&mut self, parts: &[Part<'_>], made: &[Grown]) {
        if !made.is_empty() {
            self.home = self.here().or(self.home);
        }
        for part in parts {
            self.slots[part.slot].step += 1;
        }
        self.skips_in_a_row = 0;
    }

    /// Counts a step that is left out, for the gradient of a slot or the norm of all.
    fn skip(&mut self, py: Python<'_>, found: Option<usize>) -> Skipped {
        self.skipped += 1;
        self.skips_in_a_row += 1;
        let key = found.map(|i| match self.names.as_ref().and_then(|names| names.get(i)) {
            Some(name) => Key::Name(name.clone_ref(py)),
            None => Key::Position(i),
        });
        let cause = self.not_finite(found);
        Skipped { key, cause, in_a_row: self.skips_in_a_row, total: self.skipped }
    }

    fn not_finite(&self, found: Option<usize>) -> String {
        match found {
            Some(i) => format!("the gradient of {} is not finite", self.slots[i].label),
            None => "the norm of the gradients overflows float64".to_owned(),
        }
    }

    fn check_overlap(&mut self, parts: &[Part<'_>]) -> PyResult<()> {
        let written = match self.written.take() {
            Some(written) => written,
            None => overlap::written(&self.slots)?,
        };
        let written = self.written.insert(written);
        for part in parts {
            // Where this gradient lay in place at the last step, none is written: the addresses
            // that are have not changed since.
            match &part.place {
                Gradient::InPlace(data, kind)
                    if self.slots[part.slot].clear_of == Some((*data, *kind)) => {}
                place => {
                    overlap::check_gradient(&self.slots, written, part)?;
                    if let Gradient::InPlace(data, kind) = place {
                        self.slots[part.slot].clear_of = Some((*data, *kind));
                    }
                }
            }
        }
        Ok(())
    }
}
