//! Arrays that show other values within a `with` block, and then their own again.
//!
//! In native code, since an interrupt may come before the first line of an `__exit__` in Python, and
//! between two lines of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::array::{Array, Held, Seen};
use super::calling;
use super::cuda::backend;
use super::guard::guarded;
use super::memory;
use crate::engine;
use crate::optimizer::Place;

/// An array, and one of its shape, type and place with values for it.
struct Pair {
    array: Held,
    to: Seen,
    values: Held,
    from: Seen,
}

impl Pair {
    fn new(array: &Bound<'_, PyAny>, values: &Bound<'_, PyAny>, label: &String) -> PyResult<Self> {
        let wanted = "wanted an array that can be written in place";
        let array = Array::plain(array, label, wanted)?;
        let to = Seen::of_written(&array, label)?;
        let values = Array::plain(values, label, wanted)?;
        let from = Seen::of_read(&values, label)?;
        if to.shape != from.shape || to.format != from.format || to.place != from.place {
            let message = "values of another shape, type or place than their array";
            return Err(PyRuntimeError::new_err(message));
        }
        Ok(Pair { array: array.hold(), to, values: values.hold(), from })
    }

    /// The array with the values that it has now.
    fn kept(&self, py: Python<'_>) -> PyResult<Self> {
        let array = self.array.bind(py);
        let to = Seen::of_copy(&array)?;
        let values = Array::plain(&array.copy()?, &"a copy", "")?;
        let from = Seen::of_copy(&values)?;
        Ok(Pair { array: array.hold(), to, values: values.hold(), from })
    }

    fn write(&self, py: Python<'_>) -> PyResult<()> {
        if self.to.place == Place::Host {
            // SAFETY: `prepare` gives arrays that nobody else has, so that they are as they were when
            // they were looked at. They are held, of one shape and format, and share no memory.
            unsafe { engine::copy(&self.from.view(), &self.to.view()) };
            return Ok(());
        }
        let (array, values) = (self.array.bind(py), self.values.bind(py));
        backend(py, "copy_back", (array.object(), values.object())).map(drop)
    }
}

/// Writes all of them, those on the host first: that takes no Python code. One that fails, as where an
/// interrupt comes, is tried once more, and keeps no other from being written. An error: not all is
/// written. What came in between although all is written, is within.
fn write(py: Python<'_>, pairs: &[Pair]) -> PyResult<PyResult<()>> {
    let (mut written, mut between) = (Ok(()), Ok(()));
    for on_host in [true, false] {
        for pair in pairs.iter().filter(|pair| (pair.to.place == Place::Host) == on_host) {
            if let Err(error) = pair.write(py) {
                between = Err(error);
                written = pair.write(py).and(written);
            }
        }
    }
    written.map(|()| between)
}

#[pyclass(frozen, module = "ferrostep._native")]
pub(super) struct Shown {
    /// Returns the arrays, what they are to show, and what errors call them: arrays that are
    /// referred to from nowhere else.
    prepare: Py<PyAny>,
    /// Raises if an array within the block was put in the place of one that has its own values back.
    check: Py<PyAny>,
    /// What the arrays held before, within the block.
    own: Mutex<Option<Vec<Pair>>>,
}

impl Shown {
    fn own(&self) -> MutexGuard<'_, Option<Vec<Pair>>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, py: Python<'_>) -> PyResult<()> {
        type Prepared<'py> = (Vec<Bound<'py, PyAny>>, Vec<Bound<'py, PyAny>>, Vec<String>);
        let prepared: Prepared<'_> = calling::call(self.prepare.bind(py), ())?.extract()?;
        let (arrays, values, labels) = prepared;
        let pairs = arrays.iter().zip(&values).zip(&labels);
        let pairs = pairs.map(|((array, values), label)| Pair::new(array, values, label));
        let pairs = memory::all(arrays.len(), pairs)?;
        let own = memory::all(pairs.len(), pairs.iter().map(|pair| pair.kept(py)))?;
        let mut place = self.own();
        if place.is_some() {
            return Err(PyValueError::new_err(
                "the averages are applied already: leave that block first",
            ));
        }
        *place = Some(own);
        drop(place); // to write may run Python code
        write(py, &pairs).flatten().inspect_err(|_| drop(self.leave(py)))
    }

    /// Gives the arrays their own values back.
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        let own = self.own().take();
        let own = own.ok_or_else(|| PyRuntimeError::new_err("the averages are not applied"))?;
        write(py, &own).inspect_err(|_| *self.own() = Some(own))?
    }
}

#[pymethods]
impl Shown {
    #[new]
    fn new(prepare: Py<PyAny>, check: Py<PyAny>) -> Self {
        Shown { prepare, check, own: Mutex::new(None) }
    }

    /// Whether the arrays show the other values now.
    #[getter]
    fn active(&self) -> bool {
        self.own().is_some()
    }

    fn __enter__(&self, py: Python<'_>) -> PyResult<()> {
        guarded(|| self.enter(py))
    }

    #[pyo3(signature = (*error))]
    fn __exit__(&self, py: Python<'_>, error: &Bound<'_, PyTuple>) -> PyResult<()> {
        guarded(|| {
            self.leave(py)?;
            match error.iter().all(|part| part.is_none()) {
                true => calling::call(self.check.bind(py), ()).map(drop),
                false => Ok(()), // one error is enough
            }
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.prepare)?;
        visit.call(&self.check)?;
        // What is in use is alive.
        let Ok(own) = self.own.try_lock() else { return Ok(()) };
        own.iter().flatten().try_for_each(|pair| {
            pair.array.traverse(&visit)?;
            pair.values.traverse(&visit)
        })
    }
}
