//! What is asked of the gradients within a step: a factor, and a bound of their norm.

use std::convert::Infallible;

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::calling;
use super::plain;
use crate::rules::Scope;

/// `grad_scale` (1 if there is none), `max_norm`, and what it bounds.
#[derive(Clone, Copy)]
pub(super) struct Scaling {
    pub(super) grad_scale: f64,
    pub(super) max_norm: Option<f64>,
    pub(super) clip: Scope,
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

impl Clip<'_> {
    /// None of what Python has to judge.
    fn plain(&self) -> Option<Scope> {
        match self {
            Clip::LeftOut => Some(Scope::All),
            Clip::Given(word) => match word.cast_exact::<PyString>() {
                Ok(word) if word == "global" => Some(Scope::All),
                Ok(word) if word == "parameter" => Some(Scope::Tensor),
                _ => None,
            },
        }
    }
}

impl Scaling {
    /// Numbers within their bounds are taken as they are, and so are plain words; whatever else came,
    /// Python judges, which may run the user's code: no lock may be held.
    pub(super) fn read(
        slf: &Bound<'_, PyAny>,
        grad_scale: Option<&Bound<'_, PyAny>>,
        max_norm: Option<&Bound<'_, PyAny>>,
        clip: &Clip<'_>,
    ) -> PyResult<Self> {
        let scale = grad_scale.map_or(Some(1.0), plain::number);
        let scale = scale.filter(|x| x.is_finite() && *x != 0.0);
        let bound = max_norm.map(|x| plain::number(x).filter(|x| *x >= 0.0));
        if let (Some(grad_scale), None | Some(Some(_)), Some(clip)) = (scale, bound, clip.plain()) {
            return Ok(Scaling { grad_scale, max_norm: bound.flatten(), clip });
        }
        let clip = match clip {
            Clip::LeftOut => PyString::intern(slf.py(), "global").into_any(),
            Clip::Given(word) => word.clone(),
        };
        let scaling = calling::method(slf, "_read_scaling", (grad_scale, max_norm, clip))?;
        let (grad_scale, max_norm, each) = scaling.extract()?;
        let clip = if each { Scope::Tensor } else { Scope::All };
        Ok(Scaling { grad_scale, max_norm, clip })
    }
}
