//! One optimizer's lock: waits without the interpreter, and says who can never get it.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use crate::engine::process;

pub(super) struct Lock<T> {
    inner: Mutex<T>,
    /// The thread and the process that have the lock; 0 for none.
    owner: AtomicUsize,
    process: AtomicU32,
}

pub(super) struct Locked<'a, T> {
    inner: MutexGuard<'a, T>,
    owner: &'a AtomicUsize,
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T> Drop for Locked<'_, T> {
    fn drop(&mut self) {
        self.owner.store(0, Ordering::Relaxed);
    }
}

/// Whether the interpreter is ending: then no other thread runs Python code any more, and one that
/// has the lock keeps it.
fn ending(py: Python<'_>) -> bool {
    let asked = py.import("sys").and_then(|sys| sys.call_method0("is_finalizing")?.extract());
    asked.unwrap_or(true) // late in the end there is no such function
}

/// A number of the calling thread's own.
fn this_thread() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here) as usize)
}

impl<T> Lock<T> {
    pub(super) fn new(inner: T) -> Self {
        Lock { inner: Mutex::new(inner), owner: AtomicUsize::new(0), process: AtomicU32::new(0) }
    }

    /// The inside if nobody has the lock; waits for nothing and runs no Python code.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.inner.try_lock() {
            Ok(inner) => Some(inner),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(super) fn lock(&self, py: Python<'_>) -> PyResult<Locked<'_, T>> {
        let inner = match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                if self.process.load(Ordering::Relaxed) != process::id() {
                    return Err(PyRuntimeError::new_err(
                        "another thread was in this optimizer's step when the process was forked: \
                         its parameters and state are torn here; make a new optimizer",
                    ));
                }
                if self.owner.load(Ordering::Relaxed) == this_thread() {
                    return Err(PyRuntimeError::new_err(
                        "this optimizer was called from within its own step",
                    ));
                }
                if ending(py) {
                    return Err(PyRuntimeError::new_err(
                        "the interpreter is ending, and has stopped a thread in the middle of \
                         this optimizer's step",
                    ));
                }
                self.inner.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
            }
        };
        self.owner.store(this_thread(), Ordering::Relaxed);
        self.process.store(process::id(), Ordering::Relaxed);
        Ok(Locked { inner, owner: &self.owner })
    }
}
