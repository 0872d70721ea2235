//! The only place that knows Python: checked arrays, the step, error mapping, the module.

mod absorb;
mod adding;
mod array;
mod caller;
mod calling;
mod choose;
mod clip;
mod container;
mod core;
mod cuda;
mod elsewhere;
mod entries;
mod followed;
mod given;
mod gradient;
mod gradients;
mod group;
mod guard;
mod holder;
mod imported;
mod inner;
mod keys;
mod lock;
mod logged;
mod memory;
mod methods;
mod missing;
mod more;
mod one;
mod options;
mod owner;
mod parameters;
mod plain;
mod prepared;
mod python_arrays;
mod raw;
mod rebind;
mod reference;
mod replace;
mod rows;
mod scaling;
mod settings;
mod shared;
mod shown;
mod skipped;
mod state;
mod step;
mod step_info;
mod structure;
mod tensors;
mod update;
mod updated;
mod words;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::engine::{threads, tier};
use crate::{number, rules};

/// `beta**t`, rounded to nearest, the same on every platform.
#[pyfunction]
fn power(beta: f64, t: u64) -> f64 {
    number::Powers::new(beta).power(t)
}

/// `x**y` as C's `pow`, less than 1 ULP off, the same on every platform.
#[pyfunction]
fn real_power(x: f64, y: f64) -> f64 {
    number::real_power(x, y)
}

/// `e**x`, less than 1 ULP off, the same on every platform.
#[pyfunction]
fn exp(x: f64) -> f64 {
    number::exp(x)
}

/// The natural logarithm, less than 1 ULP off, the same on every platform.
#[pyfunction]
fn log(x: f64) -> f64 {
    number::log(x)
}

/// The SIMD tiers that this machine has, narrowest first.
#[pyfunction]
fn simd_tiers() -> Vec<&'static str> {
    tier::available()
}

/// The SIMD tier in use.
#[pyfunction]
fn simd_tier() -> &'static str {
    tier::current()
}

/// Uses another SIMD tier from now on: for tests.
#[pyfunction]
fn set_simd_tier(name: &str) -> PyResult<()> {
    tier::force(name).map_err(PyValueError::new_err)
}

/// The number of threads that affinity and cgroup leave us.
#[pyfunction]
fn default_num_threads() -> usize {
    threads::default_count()
}

/// The number of threads that a step of the calling thread uses.
#[pyfunction]
fn num_threads() -> usize {
    threads::count()
}

/// Sets the number for the process.
#[pyfunction]
fn set_num_threads(n: usize) {
    threads::set_process(n);
}

/// Sets or lifts the number of the calling thread, and returns what it was.
#[pyfunction]
fn set_local_num_threads(n: Option<usize>) -> Option<usize> {
    threads::set_local(n)
}

#[pymodule(gil_used = true)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    tier::init().and_then(|()| threads::init()).map_err(PyValueError::new_err)?;
    array::take_c_api(module.py())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("RULES", pyo3::types::PyTuple::new(module.py(), rules::NAMES)?)?;
    module.add_class::<core::Core>()?;
    module.add_class::<shown::Shown>()?;
    module.add_class::<rows::Rows>()?;
    step_info::add_to(module)?;
    module.add_function(wrap_pyfunction!(power, module)?)?;
    module.add_function(wrap_pyfunction!(real_power, module)?)?;
    module.add_function(wrap_pyfunction!(exp, module)?)?;
    module.add_function(wrap_pyfunction!(log, module)?)?;
    module.add_function(wrap_pyfunction!(clip::global_norm, module)?)?;
    module.add_function(wrap_pyfunction!(clip::leaf_sums, module)?)?;
    module.add_function(wrap_pyfunction!(clip::norm_of_leaf_sums, module)?)?;
    module.add_function(wrap_pyfunction!(clip::writable, module)?)?;
    module.add_function(wrap_pyfunction!(shared::first_of_told, module)?)?;
    module.add_function(wrap_pyfunction!(tensors::step_tensors, module)?)?;
    module.add_function(wrap_pyfunction!(followed::followed, module)?)?;
    module.add_function(wrap_pyfunction!(clip::factor, module)?)?;
    module.add("CUDA_CHUNK", crate::cuda::CHUNK)?;
    module.add("CUDA_STATES", rules::MAX_STATES)?;
    module.add("CUDA_THREADS", crate::cuda::THREADS)?;
    module.add("LEAF", rules::LEAF)?;
    module.add("LANES", rules::LANES)?;
    module.add("CUDA_FOLD", crate::cuda::FOLD)?;
    module.add_function(wrap_pyfunction!(cuda::source::cuda_source, module)?)?;
    module.add_function(wrap_pyfunction!(cuda::source::cuda_norm_source, module)?)?;
    module.add_function(wrap_pyfunction!(cuda::source::rule_measuring, module)?)?;
    module.add_function(wrap_pyfunction!(cuda::source::rule_scalars, module)?)?;
    module.add_function(wrap_pyfunction!(cuda::source::rule_memory, module)?)?;
    module.add_function(wrap_pyfunction!(cuda::source::rule_states, module)?)?;
    module.add_function(wrap_pyfunction!(state::check_memory, module)?)?;
    module.add_function(wrap_pyfunction!(simd_tiers, module)?)?;
    module.add_function(wrap_pyfunction!(simd_tier, module)?)?;
    module.add_function(wrap_pyfunction!(set_simd_tier, module)?)?;
    module.add_function(wrap_pyfunction!(default_num_threads, module)?)?;
    module.add_function(wrap_pyfunction!(num_threads, module)?)?;
    module.add_function(wrap_pyfunction!(set_num_threads, module)?)?;
    module.add_function(wrap_pyfunction!(set_local_num_threads, module)?)
}
