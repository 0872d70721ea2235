//! What is asked of a step, and what it did.

use crate::engine::{ControlGuard, clip_factor};

/// What becomes of a step with a gradient that is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonFinite {
    Propagate,
    Raise,
    Skip,
}

#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// What gradients are multiplied by.
    pub grad_scale: f64,
    /// The bound of their joint norm.
    pub max_norm: Option<f64>,
    /// That norm, where somebody else has taken it; it may be anything.
    pub norm: Option<f64>,
    pub nonfinite: NonFinite,
}

/// The norm of the gradients before clipping.
#[derive(Debug)]
pub enum Norm<E> {
    NotAsked,
    Known(f64),
    /// Where it was taken, with what follows from it.
    Elsewhere(E),
}

impl<E> Norm<E> {
    /// Whether it tells, now, that every gradient is finite.
    pub(super) fn is_finite(&self) -> bool {
        matches!(self, Norm::Known(norm) if norm.is_finite())
    }

    /// What gradients are multiplied by: `scale`, and the clipping factor if it is known here.
    pub(super) fn scale(&self, asked: &Asked) -> f64 {
        match (self, asked.max_norm) {
            (Norm::Known(norm), Some(max_norm)) => {
                // A foreign rounding mode or flush-to-zero touches no scalar.
                let _control = ControlGuard::new();
                asked.grad_scale * clip_factor(*norm, max_norm)
            }
            _ => asked.grad_scale,
        }
    }
}

/// A step that was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The first parameter whose gradient is not finite; None if the norm of all overflowed.
    pub cause: Option<usize>,
    pub in_a_row: u64,
    pub total: u64,
}

/// What a step did.
#[derive(Debug)]
pub struct Outcome<E> {
    pub grad_norm: Norm<E>,
    /// What it did not do.
    pub skipped: Option<Skipped>,
}
