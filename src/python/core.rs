//! The native half of an optimizer, which the Python classes inherit from: what its lock protects, and
//! how a call gets at it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use super::given::GivenArrays;
use super::gradients;
use super::guard::guarded;
use super::inner::Inner;
use super::lock::{Lock, Locked};
use super::scaling::{Arguments, Scaling};
use super::step::Done;
use super::step_info::StepInfo;
use crate::engine::memory::with_room;

#[pyclass(frozen, subclass, module = "ferrostep._native")]
pub(super) struct Core {
    pub(super) inner: Lock<Option<Inner>>,
    /// What the last call of `updated` did.
    pub(super) last: Mutex<Option<Py<StepInfo>>>,
}

fn unmade() -> PyErr {
    PyRuntimeError::new_err("this optimizer was never made; call super().__init__()")
}

pub(super) fn started<'a>(inner: &'a mut Locked<'_, Option<Inner>>) -> PyResult<&'a mut Inner> {
    inner.as_mut().ok_or_else(unmade)
}

/// What a step returns. What there is to tell is told first, so the lock must be free.
pub(super) fn info(py: Python<'_>, Done(results): Done) -> PyResult<Py<StepInfo>> {
    let Some(results) = results else { return StepInfo::plain(py) };
    if let Some(neglected) = &results.neglected {
        neglected.tell(py)?;
    }
    match results.skipped {
        None => StepInfo::applied(py, results.grad_norm, results.moves),
        Some(skipped) => {
            skipped.tell(py)?;
            StepInfo::skipped(py, results.grad_norm, skipped.key)
        }
    }
}

impl Core {
    pub(super) fn last_info(&self) -> MutexGuard<'_, Option<Py<StepInfo>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in a core that was made to be taken over.
    pub(super) fn contents(&self, py: Python<'_>) -> PyResult<Inner> {
        self.inner.lock(py)?.take().ok_or_else(unmade)
    }

    /// Puts something in the place of something else, which `work` returns: to drop that may run
    /// Python code, so the lock is free by then.
    pub(super) fn exchange<T>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Inner) -> PyResult<T>,
    ) -> PyResult<()> {
        guarded(|| {
            let mut locked = self.inner.lock(py)?;
            let before = work(started(&mut locked)?)?;
            drop(locked);
            drop(before);
            Ok(())
        })
    }

    /// The second half of a step.
    pub(super) fn commit(&self, py: Python<'_>) -> PyResult<Py<StepInfo>> {
        let mut locked = self.inner.lock(py)?;
        let (done, held) = started(&mut locked)?.commit(py);
        drop(locked);
        drop(held); // may run Python code, so after the lock is free
        info(py, done?)
    }

    /// Has parameters moved, and remembers where they are.
    pub(super) fn turn(
        &self,
        py: Python<'_>,
        moved: Option<&Bound<'_, Core>>,
        numbers: &[usize],
        averaged: bool,
    ) -> PyResult<()> {
        let mut locked = self.inner.lock(py)?;
        let optimizer = &mut started(&mut locked)?.optimizer;
        let count = optimizer.slots().len();
        if numbers.iter().any(|i| *i >= count || optimizer.is_away(*i) == averaged) {
            return Err(PyRuntimeError::new_err(
                "another thread has called eval() or train() meanwhile",
            ));
        }
        if let Some(moved) = moved {
            moved.get().commit(py)?;
        }
        optimizer.set_away(averaged);
        Ok(())
    }

    pub(super) fn abandon(&self, py: Python<'_>) -> PyResult<()> {
        self.exchange(py, |inner| Ok(inner.abandon()))
    }

    /// A whole step.
    #[inline]
    pub(super) fn stepped(
        slf: &Bound<'_, Self>,
        grads: &Bound<'_, PyAny>,
        given: &Arguments<'_, '_>,
    ) -> PyResult<Py<StepInfo>> {
        let py = slf.py();
        let scaling = Scaling::read(slf, given)?;
        let (grads, mut locked) = slf.get().read(py, grads, false)?;
        let outcome = started(&mut locked)?.step(py, grads, scaling)?;
        drop(locked);
        info(py, outcome)
    }

    /// The gradients as arrays, and the lock. What takes Python code runs without it. `unbound`: they
    /// came with parameters.
    pub(super) fn read<'py>(
        &self,
        py: Python<'py>,
        grads: &Bound<'py, PyAny>,
        unbound: bool,
    ) -> PyResult<(GivenArrays<'py>, Locked<'_, Option<Inner>>)> {
        let mut locked = self.inner.lock(py)?;
        let inner = started(&mut locked)?;
        if inner.unbound != unbound {
            return Err(PyValueError::new_err(
                "this optimizer is unbound (made without params); use update(params, grads)",
            ));
        }
        if let Some(plain) = inner.plain_gradients(grads)? {
            return Ok((plain, locked));
        }
        let (names, likes) = (inner.names(py)?, inner.likes(py)?);
        let skip = inner.settings.skips_missing;
        let mut single = with_room(inner.slots().len())?;
        single.extend(inner.slots().iter().map(|slot| slot.header.shape.is_empty()));
        drop(locked);
        let single = |i: usize| single.get(i) == Some(&true);
        let arrays = gradients::read((names.as_deref(), &likes), grads, skip, single)?;
        Ok((arrays, self.inner.lock(py)?))
    }
}
