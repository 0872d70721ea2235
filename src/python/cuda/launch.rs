//! A launch that is ready: what a step runs on a device.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::backend;
use super::measuring::Sums;

/// A kernel with its grid, block and arguments.
pub(super) type Call = (Py<PyAny>, Py<PyTuple>);

/// Kernels with their arguments, ready to be launched one after the other.
pub(in crate::python) struct Launch {
    /// The device as a context.
    pub(super) device: Py<PyAny>,
    pub(super) calls: Vec<Call>,
    pub(super) copies: Vec<Copied>,
    /// What the arguments point to, if nobody else holds it.
    pub(super) held: Vec<Py<PyAny>>,
    /// The sums that the rule remembers something of.
    pub(super) sums: Option<Sums>,
}

/// The contiguous copy that a kernel runs on, of an array without a kernel for its layout.
pub(super) struct Copied {
    pub(super) copy: Py<PyAny>,
    /// Where the result belongs, if it is written.
    pub(super) back: Option<Py<PyAny>>,
}

impl Launch {
    pub(in crate::python) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.device)?;
        for (kernel, arguments) in &self.calls {
            visit.call(kernel)?;
            visit.call(arguments)?;
        }
        for Copied { copy, back } in &self.copies {
            visit.call(copy)?;
            back.iter().try_for_each(|array| visit.call(array))?;
        }
        self.held.iter().try_for_each(|held| visit.call(held))?;
        self.sums.iter().try_for_each(|sums| sums.traverse(visit))
    }

    /// The sums that its rule remembers something of.
    pub(in crate::python) fn sums(&self) -> Option<&Sums> {
        self.sums.as_ref()
    }

    /// Whether it runs on copies, which takes Python code.
    pub(in crate::python) fn copies(&self) -> bool {
        !self.copies.is_empty()
    }

    /// Launches the kernels on their device's current stream.
    ///
    /// Calls CuPy's compiled code alone, but for copies: where no Python code runs, no signal handler
    /// does, so that an interrupt waits until the step is whole.
    pub(in crate::python) fn run(&self, py: Python<'_>) -> PyResult<()> {
        let device = self.device.bind(py);
        device.call_method0(intern!(py, "__enter__"))?;
        let kernels = self.calls.iter().try_for_each(|(kernel, arguments)| {
            kernel.bind(py).call1(arguments.bind(py)).map(drop)
        });
        let launched = kernels.and_then(|()| {
            self.copies.iter().try_for_each(|Copied { copy, back }| match back {
                Some(array) => backend(py, "copy_back", (array, copy)).map(drop),
                None => Ok(()),
            })
        });
        let none = py.None();
        device.call_method1(intern!(py, "__exit__"), (&none, &none, &none))?;
        launched
    }
}
