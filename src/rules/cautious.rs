//! Cautious steps. Liang, Chen, Liu & Liu 2024, arXiv:2411.16085, algorithm 1: what would move a parameter
//! against its gradient is left out, and the rest is made as much longer.
//!
//! `u = agree(u, g) ? u*factor : 0;  factor = 1/max(share of those that agree, 0.001)`, over the tensor.
//! Signs are compared, never multiplied. What is left out is multiplied by 0, which leaves a NaN.

use std::marker::PhantomData;

use super::measure::Added;
use super::rule::{Measuring, Rule};
use super::scalars::Scalars;
use crate::number::Real;

/// A rule that takes a step from the parameter.
pub trait Stepping<const N: usize>: 'static {
    type Scalars<R: Real>: Scalars<R>;
    const STATES: [&'static str; N];
    /// As of a rule.
    const STORED_IN_ALL: bool = false;

    /// The step and the new state.
    fn step<R: Real>(k: &Self::Scalars<R>, g: R, state: [R; N]) -> (R, [R; N]);

    #[inline(always)]
    fn moved<R: Real>(_: &Self::Scalars<R>, p: R, step: R) -> R {
        p - step
    }
}

impl<const N: usize, U: Stepping<N>> Rule<N> for U {
    type Scalars<R: Real> = U::Scalars<R>;
    const STATES: [&'static str; N] = U::STATES;
    const STORED_IN_ALL: bool = U::STORED_IN_ALL;

    #[inline(always)]
    fn update<R: Real>(k: &Self::Scalars<R>, p: R, g: R, state: [R; N]) -> (R, [R; N]) {
        let (step, state) = U::step(k, g, state);
        (U::moved(k, p, step), state)
    }
}

/// The rule with cautious steps.
pub(super) struct Cautious<U>(PhantomData<U>);

/// The rule's scalars and, behind them, the factor.
#[derive(Clone, Copy)]
pub(super) struct CautiousScalars<K, R> {
    rule: K,
    factor: R,
}

impl<R: Copy, K: Scalars<R>> Scalars<R> for CautiousScalars<K, R> {
    fn names() -> Vec<&'static str> {
        K::names().into_iter().chain(["factor"]).collect()
    }

    #[inline(always)]
    fn read(scalar: impl Fn(usize) -> R) -> Self {
        CautiousScalars { factor: scalar(K::COUNT), rule: K::read(scalar) }
    }

    #[inline(always)]
    fn write(self, mut write: impl FnMut(usize, R)) {
        write(K::COUNT, self.factor);
        self.rule.write(write);
    }

    const COUNT: usize = K::COUNT + 1;
}

impl<const N: usize, U: Stepping<N>> Rule<N> for Cautious<U> {
    type Scalars<R: Real> = CautiousScalars<U::Scalars<R>, R>;
    const STATES: [&'static str; N] = U::STATES;

    #[inline(always)]
    fn update<R: Real>(k: &Self::Scalars<R>, p: R, g: R, state: [R; N]) -> (R, [R; N]) {
        let (step, state) = U::step(&k.rule, g, state);
        let step = R::select(step.same_sign(g), step * k.factor, step * R::constant(0.0));
        (U::moved(&k.rule, p, step), state)
    }
}

impl<const N: usize, U: Stepping<N>> Measuring<N, 1> for Cautious<U> {
    const ADDED: [Added; 1] = [Added::AsItIs];

    #[inline(always)]
    fn terms<R: Real>(k: &Self::Scalars<R>, _: R, g: R, state: [R; N]) -> [R; 1] {
        let (step, _) = U::step(&k.rule, g, state);
        [R::select(step.same_sign(g), R::constant(1.0), R::constant(0.0))]
    }

    fn measured<R: Real>(mut k: Self::Scalars<R>, [agree]: [R; 1], size: R) -> Self::Scalars<R> {
        let (share, least) = (agree / size, R::constant(1e-3));
        k.factor = R::constant(1.0) / R::select(share.lt(least), least, share);
        k
    }
}
