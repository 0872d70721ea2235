//! An update rule: a pure function of one element, generic over its number type.

use super::measure::Measuring;
use super::scalars::Scalars;
use crate::number::Real;

/// The most state arrays a rule may have.
pub const MAX_STATES: usize = 4;

/// An update rule with `N` state arrays.
pub trait Rule<const N: usize>: 'static {
    type Scalars<R: Real>: Scalars<R>;
    /// What the formula calls its states: names in a printed kernel.
    const STATES: [&'static str; N];

    /// The new parameter and the new state, from the old ones and the gradient.
    fn update<R: Real>(k: &Self::Scalars<R>, p: R, g: R, state: [R; N]) -> (R, [R; N]);
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
