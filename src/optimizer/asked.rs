//! What is asked of a step, and what it did.

use super::refusal::Cause;
use crate::rules::Scope;

/// What becomes of a step with a gradient that is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonFinite {
    Propagate,
    Raise,
    Skip,
}

/// As many gradients as parameters; None skips one.
pub trait Gradients<G>: AsRef<[Option<G>]> + IntoIterator<Item = Option<G>> {}

impl<G, T: AsRef<[Option<G>]> + IntoIterator<Item = Option<G>>> Gradients<G> for T {}

#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// What gradients are multiplied by.
    pub grad_scale: f64,
    /// The bound of their norm.
    pub max_norm: Option<f64>,
    /// Whether it bounds their joint norm or that of each.
    pub clip: Scope,
    /// The joint norm, where somebody else has taken it; it may be anything.
    pub norm: Option<f64>,
    pub nonfinite: NonFinite,
    /// Whether to measure what the step moves: over all parameters, or of each.
    pub measure: Option<Scope>,
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
}

/// The norms of what was added to parameters and of their old values.
#[derive(Clone, Debug, PartialEq)]
pub enum Moves {
    All(Move),
    Each(Vec<Move>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move {
    pub update_norm: f64,
    pub param_norm: f64,
}

/// A step that was left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skipped {
    pub cause: Cause,
    pub in_a_row: u64,
    pub total: u64,
}

/// What a step did.
#[derive(Debug)]
pub struct Outcome<E> {
    pub grad_norm: Norm<E>,
    /// What it did not do.
    pub skipped: Option<Skipped>,
    /// If it was asked for, and there was a step.
    pub moves: Option<Moves>,
}
