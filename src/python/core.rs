//! The engine of one optimizer as Python holds it: its lock, its parameters, and the step.

use std::panic::{AssertUnwindSafe, catch_unwind};

use numpy::PyUntypedArray;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::StepInfo;
use super::array::Array;
use super::gradients::collect;
use super::group::Group;
use super::lock::Lock;
use super::reference;
use super::slot::{Slot, StateArray};
use super::step::{self, Part};
use crate::engine::{Plan, Written};

#[derive(Clone, Copy, PartialEq)]
enum NonFinite {
    Propagate,
    Raise,
    Skip,
}

struct Inner {
    groups: Vec<Group>,
    slots: Vec<Slot>,
    written: Option<Written>,
    plan: Plan,
    weak: bool,
    skipped: u64,
}

#[pyclass(frozen, module = "ferrostep._native")]
pub(super) struct Core {
    rule: String,
    read: Py<PyAny>,
    nonfinite: NonFinite,
    nonfinite_error: Py<PyAny>,
    reference: Option<Py<PyAny>>,
    applied: Py<StepInfo>,
    not_applied: Py<StepInfo>,
    /// The optimizer's `param_groups`.
    param_groups: Py<PyList>,
    inner: Lock<Inner>,
}

#[pymethods]
impl Core {
    #[new]
    fn new(
        py: Python<'_>,
        rule: String,
        read: Py<PyAny>,
        param_groups: Py<PyList>,
        nonfinite: &str,
        reference: Option<Py<PyAny>>,
        nonfinite_error: Py<PyAny>,
    ) -> PyResult<Self> {
        let nonfinite = match nonfinite {
            "propagate" => NonFinite::Propagate,
            "raise" => NonFinite::Raise,
            "skip" => NonFinite::Skip,
            other => {
                return Err(PyValueError::new_err(format!(
                    "Invalid nonfinite value: {other:?} (wanted 'propagate', 'raise' or 'skip')"
                )));
            }
        };
        let inner = Inner {
            groups: Vec::new(),
            slots: Vec::new(),
            written: None,
            plan: Plan::new(),
            weak: false,
            skipped: 0,
        };
        let info = |applied| Py::new(py, StepInfo { applied, grad_norm: None });
        Ok(Core {
            rule,
            read,
            nonfinite,
            nonfinite_error,
            reference,
            applied: info(true)?,
            not_applied: info(false)?,
            param_groups,
            inner: Lock::new(inner),
        })
    }

    /// Adds a group's parameters, or nothing if one of them is refused.
    fn add_group(
        &self,
        group: &Bound<'_, PyDict>,
        arrays: &Bound<'_, PyAny>,
        labels: Vec<String>,
    ) -> PyResult<()> {
        let py = group.py();
        let mut locked = self.inner.lock(py)?;
        let inner = &mut *locked;
        let made = Group::new(group, arrays)?;
        let (known, number) = (inner.slots.len(), inner.groups.len());
        let mut labels = labels.into_iter();
        let mut slots = Vec::new();
        for array in arrays.try_iter()? {
            let label =
                labels.next().unwrap_or_else(|| format!("parameter {}", known + slots.len()));
            slots.push(Slot::new(&array?, label, number)?);
        }
        inner.slots.extend(slots);
        match step::written(py, &inner.slots) {
            Ok(written) => inner.written = Some(written),
            Err(error) => {
                inner.slots.truncate(known);
                inner.written = None;
                return Err(error);
            }
        }
        inner.groups.push(made);
        if inner.weak {
            inner.slots[known..].iter_mut().try_for_each(|slot| slot.weaken(py))?;
        }
        Ok(())
    }

    /// Whether arrays are held by weak references: they then come with each update.
    fn bind(&self, py: Python<'_>, weak: bool) -> PyResult<()> {
        let mut locked = self.inner.lock(py)?;
        let inner = &mut *locked;
        inner.weak = weak;
        if weak { inner.slots.iter_mut().try_for_each(|slot| slot.weaken(py)) } else { Ok(()) }
    }

    fn step(&self, py: Python<'_>, grads: &Bound<'_, PyAny>) -> PyResult<Py<StepInfo>> {
        guarded(|| {
            let grads = collect(grads, |i| self.label(py, i))?;
            let mut locked = self.inner.lock(py)?;
            let inner = &mut *locked;
            self.check_groups(py, inner)?;
            let arrays: Vec<Array<'_>> =
                inner.slots.iter().filter_map(|slot| slot.array(py)).collect();
            self.run(py, inner, arrays, grads)
        })
    }

    fn update(
        &self,
        py: Python<'_>,
        arrays: Vec<Bound<'_, PyUntypedArray>>,
        grads: &Bound<'_, PyAny>,
    ) -> PyResult<Py<StepInfo>> {
        guarded(|| {
            let grads = collect(grads, |i| self.label(py, i))?;
            let mut locked = self.inner.lock(py)?;
            let inner = &mut *locked;
            if arrays.len() != inner.slots.len() {
                return Err(count_error("parameters", arrays.len(), inner.slots.len()));
            }
            self.check_groups(py, inner)?;
            for (slot, array) in inner.slots.iter_mut().zip(&arrays) {
                slot.rebind(array)?;
            }
            self.run(py, inner, arrays, grads)
        })
    }

    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Vec<Option<Array<'py>>>> {
        Ok(self.inner.lock(py)?.slots.iter().map(|slot| slot.array(py)).collect())
    }

    /// One parameter's state, its live arrays; None before its first step.
    fn state<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Option<Bound<'py, PyDict>>> {
        let locked = self.inner.lock(py)?;
        let Some(slot) = locked.slots.get(index) else { return Ok(None) };
        if slot.step == 0 && slot.states.is_empty() {
            return Ok(None);
        }
        let state = PyDict::new(py);
        state.set_item("step", slot.step)?;
        for array in &slot.states {
            state.set_item(&array.name, array.array.bind(py))?;
        }
        Ok(Some(state))
    }

    /// Replaces every parameter's state, or nothing if one array is refused.
    fn load(
        &self,
        py: Python<'_>,
        steps: Vec<Option<u64>>,
        arrays: Vec<Option<Bound<'_, PyDict>>>,
    ) -> PyResult<()> {
        let mut locked = self.inner.lock(py)?;
        let inner = &mut *locked;
        if steps.len() != inner.slots.len() || arrays.len() != inner.slots.len() {
            return Err(count_error("states", arrays.len(), inner.slots.len()));
        }
        let mut loaded = Vec::new();
        for (slot, arrays) in inner.slots.iter().zip(arrays) {
            let states = arrays.iter().flatten();
            let states =
                states.map(|(name, array)| StateArray::new(name.extract()?, array, &slot.label));
            loaded.push(states.collect::<PyResult<Vec<_>>>()?);
        }
        for ((slot, states), step) in inner.slots.iter_mut().zip(loaded).zip(steps) {
            slot.states = states;
            slot.step = step.unwrap_or(0);
        }
        inner.written = None;
        Ok(())
    }

    #[getter]
    fn get_skipped_steps(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.inner.lock(py)?.skipped)
    }

    #[setter]
    fn set_skipped_steps(&self, py: Python<'_>, skipped: u64) -> PyResult<()> {
        self.inner.lock(py)?.skipped = skipped;
        Ok(())
    }
}

/// No panic reaches Python: it would be a bug of ours, in the middle of a step.
fn guarded<T>(body: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        Err(PyRuntimeError::new_err(
            "internal error in ferrostep (please report it); the contents of the parameters and \
             their state are undefined",
        ))
    })
}

fn count_error(what: &str, found: usize, wanted: usize) -> PyErr {
    PyValueError::new_err(format!("found {found} {what}, wanted {wanted}: one for each parameter"))
}

impl Core {
    fn label(&self, py: Python<'_>, i: usize) -> String {
        let slot = self.inner.lock(py).ok().and_then(|l| l.slots.get(i).map(|s| s.label.clone()));
        slot.unwrap_or_else(|| format!("parameter {i}"))
    }

    /// Refuses groups that came, went or were replaced behind our back.
    fn check_groups(&self, py: Python<'_>, inner: &Inner) -> PyResult<()> {
        let now = self.param_groups.bind(py);
        let same = now.len() == inner.groups.len()
            && now.iter().zip(&inner.groups).all(|(now, group)| now.is(&group.dict));
        if !same {
            return Err(PyValueError::new_err(
                "param_groups itself was changed: edit the options inside its dicts, and use \
                 add_param_group for new parameters",
            ));
        }
        // An unbound optimizer's parameters come with the call.
        if inner.weak { Ok(()) } else { inner.groups.iter().try_for_each(|g| g.check_params(py)) }
    }

    fn run<'py>(
        &self,
        py: Python<'py>,
        inner: &mut Inner,
        arrays: Vec<Array<'py>>,
        grads: Vec<Option<Array<'py>>>,
    ) -> PyResult<Py<StepInfo>> {
        if grads.len() != inner.slots.len() {
            return Err(count_error("gradients", grads.len(), inner.slots.len()));
        }
        let compiled = inner.groups.iter_mut().map(|g| g.compiled(py, &self.rule, &self.read));
        let compiled = compiled.collect::<PyResult<Vec<_>>>()?;
        for (slot, array) in inner.slots.iter_mut().zip(&arrays) {
            if slot.check(array)? {
                inner.written = None;
            }
        }
        let mut parts = step::parts(&inner.slots, arrays, grads, &compiled)?;
        let made = step::make_states(&mut inner.slots, &mut parts)?;
        if !made.is_empty() {
            inner.written = None;
        }
        let outcome = self.apply(py, inner, &parts);
        if !matches!(outcome, Ok(true)) && !made.is_empty() {
            // As if the step had never been asked for: the next one is the first again.
            for (slot, known) in made {
                inner.slots[slot].states.truncate(known);
            }
            inner.written = None;
        }
        if !outcome? {
            inner.skipped += 1;
            return Ok(self.not_applied.clone_ref(py));
        }
        for part in &parts {
            inner.slots[part.slot].step += 1;
        }
        Ok(self.applied.clone_ref(py))
    }

    /// The last checks and the run. False if the gradients are not finite and the step is skipped.
    fn apply(&self, py: Python<'_>, inner: &mut Inner, parts: &[Part<'_>]) -> PyResult<bool> {
        let written = match inner.written.take() {
            Some(written) => written,
            None => step::written(py, &inner.slots)?,
        };
        let written = inner.written.insert(written);
        for part in parts {
            step::check_overlap(py, &inner.slots, written, part)?;
        }
        if self.nonfinite != NonFinite::Propagate
            && let Some(found) = step::find_nonfinite(&inner.slots, parts)
        {
            if self.nonfinite == NonFinite::Skip {
                return Ok(false);
            }
            let message = format!("the gradient of {} is not finite", inner.slots[found].label);
            return Err(PyErr::from_value(self.nonfinite_error.bind(py).call1((message,))?));
        }
        match &self.reference {
            Some(reference) => {
                reference::run(reference.bind(py), &self.rule, &inner.slots, parts)?;
            }
            None => step::run(py, &inner.slots, &mut inner.plan, parts)?,
        }
        Ok(true)
    }
}
