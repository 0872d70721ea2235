//! The sources of GPU kernels, and a step's scalars as a kernel takes them.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::cuda;
use crate::engine::ControlGuard;
use crate::number::{Kind, Kinds, Precision};
use crate::optimizer::Compiled;
use crate::python::options::read_options;
use crate::python::state::remembered;
use crate::python::words::{kind, state_kind};
use crate::rules::{Clock, Extent, MAX_SUMS, Memory, Method, OptionError, State};

fn compiled(rule: &str, options: &Bound<'_, PyDict>) -> PyResult<Compiled> {
    let invalid = |error: OptionError| PyValueError::new_err(error.to_string());
    Compiled::new(rule, &read_options(options)?).map_err(invalid)
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
    let compiled = compiled(rule, options)?;
    let formula = match &compiled.by_factors {
        Some(by_factors) if ndim >= 2 => by_factors,
        _ => &compiled.plain,
    };
    let (p, g) = (kind("the parameter", param)?, kind("the gradient", grad)?);
    let state = state.map_or(Ok(Precision::of(p).kind()), |state| kind("the state", state))?;
    if (state == Kind::F64) != (p == Kind::F64) {
        return Err(PyValueError::new_err(state_kind("the state", "a parameter", p, state)));
    }
    Ok(formula.traced.source(Kinds { p, g, state }, compiled.prelude.coupled_decay()))
}

/// The state arrays of a rule beside a parameter of this shape: names, first values, shapes.
#[pyfunction]
pub(in crate::python) fn rule_states<'py>(
    rule: &str,
    options: &Bound<'py, PyDict>,
    shape: Vec<isize>,
) -> PyResult<Vec<(&'static str, f64, Bound<'py, PyTuple>)>> {
    let method = compiled(rule, options)?.method;
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
    let method = compiled(rule, options)?.method;
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
    let Compiled { method, plain, .. } = compiled(rule, options)?;
    let kind = kind("the parameter", param)?;
    let precision = Precision::of(kind);
    let Some(measuring) = plain.traced.measuring() else { return Ok(None) };
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
/// measures with its sums; `fresh` as in `rules::Clock`. Without sums they are those of the terms.
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
    let compiled = compiled(rule, options)?;
    let (method, kind) = (&*compiled.method, kind("the parameter", param)?);
    let precision = Precision::of(kind);
    let _control = ControlGuard::new();
    let mut prelude = compiled.prelude.scalars(precision.smallest_normal());
    prelude.grad_scale *= grad_scale;
    let clock = clock(method, t, fresh, kind, memory)?;
    let after = PyDict::new(py);
    let remembered = method.remember(clock, &sums.unwrap_or_default());
    let mut block = method.scalars(clock);
    if sums.is_some() {
        block = compiled.over_all(block, &std::array::from_fn(|m| remembered.0[m]));
    }
    let bytes = compiled.plain.traced.scalars(&block, &prelude, precision);
    for (number, value) in method.memory().iter().zip(remembered.0) {
        after.set_item(number.name, value)?;
    }
    Ok((PyBytes::new(py, &bytes), after))
}
