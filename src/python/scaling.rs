//! What is asked of the gradients within a step: a factor, and a bound of their norm.

use std::convert::Infallible;

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::calling;
use super::plain;
use crate::rules::Scope;

/// `grad_scale` (1 if there is none), `max_norm` and what it bounds, and what of the step is measured.
#[derive(Clone, Copy)]
pub(super) struct Scaling {
    pub(super) grad_scale: f64,
    pub(super) max_norm: Option<f64>,
    pub(super) clip: Scope,
    pub(super) measure: Option<Scope>,
}

/// The argument `clip`: it may be left out, but not be None.
pub(super) enum Clip<'py> {
    LeftOut,
    Given(Bound<'py, PyAny>),
}

impl<'py> FromPyObject<'_, 'py> for Clip<'py> {
    type Error = Infallible;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> Result<Self, Infallible> {
        Ok(Clip::Given(object.to_owned()))
    }
}

/// All parameters together or each alone, by the plain words for it; None of what Python has to judge.
fn scope(word: &Bound<'_, PyAny>, together: &str) -> Option<Scope> {
    match word.cast_exact::<PyString>() {
        Ok(word) if word == together => Some(Scope::All),
        Ok(word) if word == "parameter" => Some(Scope::Tensor),
        _ => None,
    }
}

/// The arguments of a step as they came, besides its arrays.
pub(super) struct Arguments<'a, 'py> {
    pub(super) grad_scale: Option<&'a Bound<'py, PyAny>>,
    pub(super) max_norm: Option<&'a Bound<'py, PyAny>>,
    pub(super) clip: Clip<'py>,
    pub(super) measure: Option<&'a Bound<'py, PyAny>>,
}

impl Arguments<'_, '_> {
    /// None if Python has to judge one of them.
    #[inline]
    fn plain(&self) -> Option<Scaling> {
        let Arguments { grad_scale, max_norm, clip, measure } = self;
        let finite = |x| plain::number(x).filter(|x| x.is_finite() && *x != 0.0);
        let scale = grad_scale.map_or(Some(1.0), finite);
        let bound = max_norm.map(|x| plain::number(x).filter(|x| *x >= 0.0));
        let clipped = match clip {
            Clip::LeftOut => Some(Scope::All),
            Clip::Given(word) => scope(word, "global"),
        };
        let measured = measure.map(|word| scope(word, "total"));
        if matches!(bound, Some(None)) || matches!(measured, Some(None)) {
            return None;
        }
        let (max_norm, measure) = (bound.flatten(), measured.flatten());
        Some(Scaling { grad_scale: scale?, max_norm, clip: clipped?, measure })
    }

    #[cold]
    fn judged(&self, slf: &Bound<'_, PyAny>) -> PyResult<Scaling> {
        let Arguments { grad_scale, max_norm, clip, measure } = self;
        let clip = match clip {
            Clip::LeftOut => PyString::intern(slf.py(), "global").into_any(),
            Clip::Given(word) => word.clone(),
        };
        let arguments = (*grad_scale, *max_norm, clip, *measure);
        let scaling = calling::method(slf, "_read_scaling", arguments)?;
        let (grad_scale, max_norm, each, measure): (_, _, bool, Option<bool>) =
            scaling.extract()?;
        let scope = |each| if each { Scope::Tensor } else { Scope::All };
        Ok(Scaling { grad_scale, max_norm, clip: scope(each), measure: measure.map(scope) })
    }
}

impl Scaling {
    /// Numbers within their bounds are taken as they are, and so are plain words; whatever else came,
    /// Python judges, which may run the user's code: no lock may be held.
    #[inline(always)] // nearly always no more than a few comparisons
    pub(super) fn read(slf: &Bound<'_, PyAny>, given: &Arguments<'_, '_>) -> PyResult<Self> {
        given.plain().map_or_else(|| given.judged(slf), Ok)
    }
}
