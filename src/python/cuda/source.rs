//! The sources of GPU kernels, and a step's scalars as a kernel takes them.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::cuda::{self, Kernel, TraceKernel};
use crate::engine::ControlGuard;
use crate::number::{Kind, Kinds, Precision};
use crate::python::options::read_options;
use crate::python::state::remembered;
use crate::python::words::{kind, state_kind};
use crate::rules::{self, Clock, Extent, MAX_SUMS, Memory, Method, PreludeOptions, Scope, State};

fn traced(
    rule: &str,
    options: &Bound<'_, PyDict>,
) -> PyResult<(Box<dyn Method>, Kernel, PreludeOptions)> {
    let invalid = |error: rules::OptionError| PyValueError::new_err(error.to_string());
    let options = read_options(options)?;
    let (method, kernel) = rules::method(rule, &options, TraceKernel).map_err(invalid)?;
    let prelude = PreludeOptions::read(&options, &*method).map_err(invalid)?;
    Ok((method, kernel, prelude))
}

/// The update kernel of a rule with a group's options, for arrays of these types and a parameter of so many
/// axes; the states' default is the compute type.
#[pyfunction]
#[pyo3(signature = (rule, options, param, grad, state=None, ndim=1))]
pub(in crate::python) fn cuda_source(
    rule: &str,
    options: &Bound<'_, PyDict>,
    param: &str,
    grad: &str,
    state: Option<&str>,
    ndim: usize,
) -> PyResult<String> {
    let (method, kernel, prelude) = traced(rule, options)?;
    let kernel = match method.factored() {
        Some(_) if ndim >= 2 => rules::by_factors(TraceKernel).by_factors(),
        _ => kernel,
    };
    let of = match (method.whole(), method.sums_over()) {
        (Some(_), _) => Some("made of whole matrices"),
        (None, Scope::All) => Some("of sums over all parameters"),
        (None, Scope::Tensor) => None,
    };
    if let Some(of) = of {
        return Err(PyValueError::new_err(format!(
            "no kernel does the step of {rule}, which is {of}; choose another class"
        )));
    }
    let (p, g) = (kind("the parameter", param)?, kind("the gradient", grad)?);
    let state = state.map_or(Ok(Precision::of(p).kind()), |state| kind("the state", state))?;
    if (state == Kind::F64) != (p == Kind::F64) {
        return Err(PyValueError::new_err(state_kind("the state", "a parameter", p, state)));
    }
    Ok(kernel.source(Kinds { p, g, state }, prelude.coupled_decay()))
}

/// The state arrays of a rule beside a parameter of this shape: names, first values, shapes.
#[pyfunction]
pub(in crate::python) fn rule_states<'py>(
    rule: &str,
    options: &Bound<'py, PyDict>,
    shape: Vec<isize>,
) -> PyResult<Vec<(&'static str, f64, Bound<'py, PyTuple>)>> {
    let (method, ..) = traced(rule, options)?;
    let of = |state: State, shape: &[isize]| {
        Ok((state.name, state.initial, PyTuple::new(options.py(), shape)?))
    };
    match method.factored().filter(|_| shape.len() >= 2) {
        None => method.states().into_iter().map(|state| of(state, &shape)).collect(),
        Some(factored) => {
            let cut = |(state, extent): (State, Extent)| {
                let mut shape = shape.clone();
                extent.cut(&mut shape);
                of(state, &shape)
            };
            factored.factors().into_iter().map(cut).collect()
        }
    }
}

/// The numbers that a rule remembers: names, and the values they start with.
#[pyfunction]
pub(in crate::python) fn rule_memory(
    rule: &str,
    options: &Bound<'_, PyDict>,
) -> PyResult<Vec<(&'static str, f64)>> {
    let (method, ..) = traced(rule, options)?;
    Ok(method.memory().iter().map(|number| (number.name, number.initial)).collect())
}

/// The kernels of the gradients' norm and of the search for what is not finite.
#[pyfunction]
pub(in crate::python) fn cuda_norm_source() -> String {
    cuda::norm_source()
}

/// What an update kernel of a rule that measures takes for itself: how many sums, the bytes of each
/// tensor's scalars, and those of the scalars that they follow from, at step `t`. None of other rules.
#[pyfunction]
pub(in crate::python) fn rule_measuring<'py>(
    rule: &str,
    options: &Bound<'py, PyDict>,
    param: &str,
    t: u64,
    fresh: bool,
    memory: &Bound<'py, PyDict>,
) -> PyResult<Option<(usize, usize, Bound<'py, PyBytes>)>> {
    let (method, kernel, _) = traced(rule, options)?;
    let kind = kind("the parameter", param)?;
    let precision = Precision::of(kind);
    let Some(measuring) = kernel.measuring() else { return Ok(None) };
    let _control = ControlGuard::new();
    let clock = clock(&*method, t, fresh, kind, Some(memory))?;
    let unrounded = measuring.unrounded(&method.scalars(clock));
    let unrounded = PyBytes::new(options.py(), &unrounded);
    Ok(Some((measuring.sums(), measuring.own(precision), unrounded)))
}

fn clock(
    method: &dyn Method,
    t: u64,
    fresh: bool,
    kind: Kind,
    memory: Option<&Bound<'_, PyDict>>,
) -> PyResult<Clock> {
    let numbers = method.memory();
    let memory = memory.map(|values| remembered(values, &numbers)).transpose()?.flatten();
    Ok(Clock { t, fresh, kind, memory: memory.unwrap_or(Memory::first(&numbers)) })
}

/// The bytes of an update kernel's `Scalars` at step `t`, and what is remembered after it, of a rule that
/// measures with its sums; `fresh` as in `rules::Clock`.
#[pyfunction]
#[pyo3(signature = (rule, options, param, t, fresh, grad_scale, memory=None, sums=None))]
#[allow(clippy::too_many_arguments)] // of Python
pub(in crate::python) fn rule_scalars<'py>(
    rule: &str,
    options: &Bound<'py, PyDict>,
    param: &str,
    t: u64,
    fresh: bool,
    grad_scale: f64,
    memory: Option<&Bound<'py, PyDict>>,
    sums: Option<[f64; MAX_SUMS]>,
) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyDict>)> {
    let py = options.py();
    let (method, kernel, prelude) = traced(rule, options)?;
    let kind = kind("the parameter", param)?;
    let precision = Precision::of(kind);
    let _control = ControlGuard::new();
    let mut prelude = prelude.scalars(precision.smallest_normal());
    prelude.grad_scale *= grad_scale;
    let clock = clock(&*method, t, fresh, kind, memory)?;
    let bytes = kernel.scalars(&method.scalars(clock), &prelude, precision);
    let after = PyDict::new(py);
    let remembered = method.remember(clock, &sums.unwrap_or_default());
    for (number, value) in method.memory().iter().zip(remembered.0) {
        after.set_item(number.name, value)?;
    }
    Ok((PyBytes::new(py, &bytes), after))
}
