//! What the gradients of a step are multiplied by.

use super::asked::Asked;
use crate::engine::{ControlGuard, norm_of_leaves};
use crate::rules::clip_scale;

/// `grad_scale`, with the clipping factor unless that lies elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub enum Scales {
    Same(f64),
    /// By part, where each is clipped by its own norm.
    Each(Vec<f64>),
}

impl Scales {
    /// That of a part.
    pub fn of(&self, part: usize) -> f64 {
        match self {
            Scales::Same(scale) => *scale,
            Scales::Each(scales) => scales[part],
        }
    }
}

/// The scale of gradients that have this norm once they are multiplied by `grad_scale`.
pub(super) fn scale_of_norm(norm: f64, asked: &Asked, max_norm: f64) -> f64 {
    // A foreign rounding mode or flush-to-zero touches no scalar.
    let _control = ControlGuard::new();
    clip_scale(norm, asked.grad_scale, max_norm)
}

/// The same, from the sums of the squares of leaves before that.
pub(super) fn scale_of_leaves(sums: &[f64], asked: &Asked, max_norm: f64) -> f64 {
    scale_of_norm(norm_of_leaves(sums.iter().copied(), asked.grad_scale), asked, max_norm)
}
