//! Updates that are made of a whole matrix, which no rule of one element can make.
//!
//! They have three parts. The rule's formula runs with `u` in the place of the parameter: what it makes
//! of the gradient and the state. Of the matrix `u` the engine makes another one, `x`. Then
//! `p = p - step*x`, after weight decay: SGD's formula (`sgd::descent`).

/// What the engine makes of `u`: see `engine/matrix/orthogonal.rs`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewtonSchulz {
    pub coefficients: [f64; 3],
    /// What `u` is divided by at least.
    pub eps: f64,
    pub steps: usize,
}

/// What a method of such updates has beside its formula.
pub trait Whole {
    fn iteration(&self) -> NewtonSchulz;
    /// The size of the step, of a parameter of this shape.
    fn step(&self, shape: [usize; 2]) -> f64;
}
