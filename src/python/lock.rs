//! One optimizer's lock. Waiting for it releases the GIL; a wait that could never end is an error.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use crate::engine::process;

pub(super) struct Lock<T> {
    mutex: Mutex<()>,
    value: UnsafeCell<T>,
    /// The thread and the process that use the value; 0 for none. They change only while their
    /// thread holds the GIL, unlike the mutex, which is waited for without it.
    owner: AtomicUsize,
    process: AtomicU32,
}

// SAFETY: the value is reached through `Locked`, whose thread has the mutex, and through `idle`, which
// gives it out while no thread uses it and none can begin to.
unsafe impl<T: Send> Sync for Lock<T> {}

pub(super) struct Locked<'a, T> {
    lock: &'a Lock<T>,
    _mutex: MutexGuard<'a, ()>,
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this thread has the mutex.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Locked<'_, T> {
    fn drop(&mut self) {
        self.lock.owner.store(0, Ordering::Relaxed);
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
    pub(super) fn new(value: T) -> Self {
        let (owner, process) = (AtomicUsize::new(0), AtomicU32::new(0));
        Lock { mutex: Mutex::new(()), value: UnsafeCell::new(value), owner, process }
    }

    /// The value if no thread uses it. For the garbage collector, which must get one answer in all of
    /// its passes: it holds the GIL, so nobody begins or ends to use it meanwhile.
    ///
    /// # Safety
    /// The GIL is held as long as the reference lives, and no Python code runs.
    pub(super) unsafe fn idle(&self) -> Option<&T> {
        // SAFETY: no thread uses it, and to begin takes the GIL.
        (self.owner.load(Ordering::Relaxed) == 0).then(|| unsafe { &*self.value.get() })
    }

    /// The lock, if nobody has it; waits for nothing.
    pub(super) fn try_lock(&self) -> Option<Locked<'_, T>> {
        let mutex = match self.mutex.try_lock() {
            Ok(mutex) => mutex,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(self.taken(mutex))
    }

    fn taken<'a>(&'a self, mutex: MutexGuard<'a, ()>) -> Locked<'a, T> {
        self.owner.store(this_thread(), Ordering::Relaxed);
        self.process.store(process::id(), Ordering::Relaxed);
        Locked { lock: self, _mutex: mutex }
    }

    pub(super) fn lock(&self, py: Python<'_>) -> PyResult<Locked<'_, T>> {
        let mutex = match self.mutex.try_lock() {
            Ok(mutex) => mutex,
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
                self.mutex.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
            }
        };
        Ok(self.taken(mutex))
    }
}
