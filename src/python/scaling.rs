//! What is asked of the gradients within a step: a factor, and a bound of their joint norm.

use pyo3::prelude::*;

use super::calling;
use super::plain;

/// `grad_scale` (1 if there is none) and `max_norm`.
#[derive(Clone, Copy)]
pub(super) struct Scaling {
    pub(super) grad_scale: f64,
    pub(super) max_norm: Option<f64>,
}

impl Scaling {
    /// Numbers within their bounds are taken as they are; whatever else came, Python judges, which
    /// may run the user's code: no lock may be held.
    pub(super) fn read(
        slf: &Bound<'_, PyAny>,
        grad_scale: Option<&Bound<'_, PyAny>>,
        max_norm: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let scale = grad_scale.map_or(Some(1.0), plain::number);
        let scale = scale.filter(|x| x.is_finite() && *x != 0.0);
        let bound = max_norm.map(|x| plain::number(x).filter(|x| *x >= 0.0));
        if let (Some(grad_scale), None | Some(Some(_))) = (scale, bound) {
            return Ok(Scaling { grad_scale, max_norm: bound.flatten() });
        }
        let scaling = calling::method(slf, "_read_scaling", (grad_scale, max_norm))?;
        let (grad_scale, max_norm) = scaling.extract()?;
        Ok(Scaling { grad_scale, max_norm })
    }
}
