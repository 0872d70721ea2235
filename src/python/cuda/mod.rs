//! Steps of arrays on CUDA devices: what to launch is decided here, and launched through CuPy by
//! `ferrostep.backends.cuda`.

mod launch;
mod norm;
pub(super) mod source;
mod tables;

pub(super) use launch::Cuda;
pub(super) use norm::{Clip, PartSums, find_nonfinite, leaf_sums, measure};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyModule;

pub(super) fn backend(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import(intern!(py, "ferrostep.backends.cuda"))
}
