//! Steps of arrays on CUDA devices: what to launch is decided here, and launched through CuPy by
//! `ferrostep.backends.cuda`.

mod clip;
mod factors;
mod growing;
mod kept;
mod launch;
mod measuring;
mod moved;
mod norm;
mod plan;
mod rows;
mod scales;
pub(super) mod source;
mod tables;
mod whole;

pub(super) use clip::DeviceNorm;
pub(super) use kept::Cuda;
pub(super) use launch::Launch;
pub(super) use moved::{Old, keep, moved};
pub(super) use norm::{first_nonfinite, leaf_sums, norm};
pub(super) use rows::add_rows;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::calling;

/// `ferrostep.backends.cuda.name(*args)`.
pub(super) fn backend<'py>(
    py: Python<'py>,
    name: &str,
    args: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
) -> PyResult<Bound<'py, PyAny>> {
    let module = py.import(intern!(py, "ferrostep.backends.cuda"))?;
    calling::method(&module, name, args)
}
