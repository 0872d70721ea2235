//! A reduction is a rule too: what each element adds to a sum, before anything is written.
//!
//! The sum has one shape, part of the numerical contract, that depends on lengths only. Each array,
//! in C order of its index, is cut into leaves of [`LEAF`] elements. In a leaf, what element `i` adds
//! goes to accumulator `i mod LANES`, from +0.0, `i` ascending; the accumulators fold by halves. The
//! leaves of one array, or those of all arrays numbered through, fold pairwise, level by level, an
//! odd last one passing up. So every SIMD tier, thread count, memory layout and device has the same
//! bits, and so have several machines that exchange the leaves' sums.

use crate::number::Real;

/// Elements of a leaf.
pub const LEAF: usize = 4096;
/// Accumulators of a leaf. In the widest registers of a CPU they are as many independent sums as
/// hide the latency of an addition.
pub const LANES: usize = 32;

/// What is one sum: that of each tensor, or that of all tensors together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Tensor,
    All,
}

/// How a term enters the sum. It is widened to float64 first, so that a float32's square is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    AsItIs,
    Squared,
}

/// A term of each element of a gradient, as it comes, made in the compute type of its parameter.
pub trait Measure: 'static {
    const ADDED: Added;
    /// Whether the sum depends on the order of the elements; else they are taken as they lie.
    const ORDERED: bool;

    fn term<R: Real>(g: R) -> R;
}

/// What is squared and added up for the norm of gradients.
pub struct GradientNorm;

impl Measure for GradientNorm {
    const ADDED: Added = Added::Squared;
    const ORDERED: bool = true;

    #[inline(always)]
    fn term<R: Real>(g: R) -> R {
        g
    }
}

/// A zero, or NaN if the element is infinite or NaN: a search without a branch per element.
pub struct Finite;

impl Measure for Finite {
    const ADDED: Added = Added::AsItIs;
    const ORDERED: bool = false;

    #[inline(always)]
    fn term<R: Real>(g: R) -> R {
        g * R::constant(0.0)
    }
}
