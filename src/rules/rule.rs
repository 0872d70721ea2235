//! An update rule: a pure function of one element, generic over its number type.

use super::measure::{Added, Scope};
use super::scalars::Scalars;
use crate::number::Real;

/// The most state arrays a rule may have.
pub const MAX_STATES: usize = 4;

/// An update rule with `N` state arrays.
pub trait Rule<const N: usize>: 'static {
    type Scalars<R: Real>: Scalars<R>;
    /// What the formula calls its states: names in a printed kernel.
    const STATES: [&'static str; N];
    /// Whether it has loops of its own for all types that models are stored in (`engine/kernel.rs`). What is
    /// used less is gathered into tiles where arrays are float16, or of two NumPy types.
    const STORED_IN_ALL: bool = false;

    /// The new parameter and the new state, from the old ones and the gradient.
    fn update<R: Real>(k: &Self::Scalars<R>, p: R, g: R, state: [R; N]) -> (R, [R; N]);
}

/// A state that begins as the parameter is: NaN before its first step, whoever made it and however late.
#[inline(always)]
pub(super) fn begun<R: Real>(state: R, p: R) -> R {
    let infinity = R::constant(f64::INFINITY);
    let known = state.lt(infinity) | R::constant(f64::NEG_INFINITY).lt(state);
    R::select(known, state, p)
}

/// The most sums that a rule may take.
pub const MAX_SUMS: usize = 2;

/// A rule whose scalars hang on `M` sums over the whole tensor, taken before anything is written.
///
/// What an element adds comes from its old values; what the update will make of them is made once more,
/// in registers, and kept nowhere.
pub trait Measuring<const N: usize, const M: usize>: Rule<N> {
    const ADDED: [Added; M];
    /// What the sums are over. If over all gradients of a step, what is made of them is remembered of every
    /// parameter (`Method::remember`), also of those without a gradient, and the first `M` of these numbers
    /// are what `measured` is given in the sums' place.
    const SCOPE: Scope = Scope::Tensor;

    /// What an element adds to each sum: from its parameter and gradient after the prelude.
    fn terms<R: Real>(k: &Self::Scalars<R>, p: R, g: R, state: [R; N]) -> [R; M];

    /// The scalars of the update, from those of the terms and from the sums over so many elements: in
    /// float64, of scalars that are not rounded yet.
    fn measured<R: Real>(k: Self::Scalars<R>, sums: [R; M], size: R) -> Self::Scalars<R>;
}

/// Receives the rule that a method's options choose. The engine takes its compiled loops from
/// it; whatever else evaluates rules (a tracer) implements this too.
pub trait Visitor {
    type Output;
    fn visit<const N: usize, U: Rule<N>>(self) -> Self::Output;

    /// The same of a rule that measures first.
    fn visit_measuring<const N: usize, const M: usize, U: Measuring<N, M>>(self) -> Self::Output
    where
        Self: Sized,
    {
        self.visit::<N, U>()
    }
}

impl<A: Visitor, B: Visitor> Visitor for (A, B) {
    type Output = (A::Output, B::Output);

    fn visit<const N: usize, U: Rule<N>>(self) -> Self::Output {
        (self.0.visit::<N, U>(), self.1.visit::<N, U>())
    }

    fn visit_measuring<const N: usize, const M: usize, U: Measuring<N, M>>(self) -> Self::Output {
        (self.0.visit_measuring::<N, M, U>(), self.1.visit_measuring::<N, M, U>())
    }
}
