//! What a norm on a device leaves there.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::backend;
use super::scales::OnDevice;

/// A norm and the scales that follow from it, or from the norm of each gradient, on a device: nobody
/// has waited for them.
pub(in crate::python) struct DeviceNorm {
    /// What the backend reads the norm from: a record and the stream that it is made on.
    result: Py<PyAny>,
    scales: OnDevice,
}

impl DeviceNorm {
    pub(super) fn new(result: Py<PyAny>, scales: OnDevice) -> Self {
        DeviceNorm { result, scales }
    }

    pub(in crate::python) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.result)
    }

    /// Waits for the norm.
    pub(in crate::python) fn norm(&self, py: Python<'_>) -> PyResult<f64> {
        backend(py, "read_norm", (&self.result,))?.extract()
    }

    pub(super) fn scales(&self) -> OnDevice {
        self.scales
    }
}
