//! The keys of parameters that come one by one.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::memory;
use crate::engine::OutOfMemory;

/// The keys of parameters, by which a call finds its own.
pub(super) struct Keys {
    /// The number of each key's parameter. It is never written: who adds a key puts another in its place.
    numbers: Py<PyDict>,
    /// Each key, in the order of their parameters, and the number of the one that came after it last
    /// time. Layers come in the same order again and again.
    order: Vec<(Py<PyAny>, usize)>,
    /// The number of the key that came last.
    latest: usize,
}

impl Keys {
    /// Of a dict that has the keys in the order of their parameters.
    pub(super) fn new(numbers: Bound<'_, PyDict>) -> PyResult<Self> {
        let keys = numbers.iter().enumerate().map(|(i, (key, _))| Ok((key.unbind(), i + 1)));
        let order = memory::all(numbers.len(), keys)?;
        Ok(Keys { numbers: numbers.unbind(), order, latest: 0 })
    }

    pub(super) fn numbers(&self) -> &Py<PyDict> {
        &self.numbers
    }

    /// The number of the key that comes next as it did last time, if this is that very object: to look
    /// it up in a dict could run Python code.
    #[inline]
    pub(super) fn next(&mut self, key: &Bound<'_, PyAny>) -> Option<usize> {
        let (_, next) = *self.order.get(self.latest)?;
        let (expected, _) = self.order.get(next)?;
        if !expected.is(key) {
            return None;
        }
        self.latest = next;
        Some(next)
    }

    /// Remembers the number of a key that was looked up.
    pub(super) fn found(&mut self, number: usize) {
        if let Some((_, next)) = self.order.get_mut(self.latest) {
            *next = number;
        }
        self.latest = number;
    }

    /// Makes room for one more.
    pub(super) fn reserve(&mut self) -> Result<(), OutOfMemory> {
        Ok(self.order.try_reserve(1)?)
    }

    /// Takes one more, for which there is room, and the `numbers` that it is the last of; returns those
    /// before.
    pub(super) fn add(&mut self, key: Py<PyAny>, numbers: Py<PyDict>) -> Py<PyDict> {
        self.order.push((key, 0));
        std::mem::replace(&mut self.numbers, numbers)
    }

    /// Gives the last one back, and the `numbers` with it.
    pub(super) fn give_back(&mut self, before: Py<PyDict>) -> (Option<Py<PyAny>>, Py<PyDict>) {
        let key = self.order.pop().map(|(key, _)| key);
        (key, std::mem::replace(&mut self.numbers, before))
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.numbers)?;
        self.order.iter().try_for_each(|(key, _)| visit.call(key))
    }
}
