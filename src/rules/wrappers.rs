//! What wrapped optimizers do beside the steps.
//!
//! Slow is Lookahead's, Zhang, Lucas, Hinton & Ba 2019, arXiv:1907.08610, algorithm 1: what is updated is
//! the slow weight `s`, and in the gradient's place stands the fast one: `s = s + alpha*(p - s)`.
//!
//! Sum adds up gradients: `a = 0 + g`, then `a = a + g`. So no sum is -0, and to add nothing is to add 0.

use super::method::{Clock, Method, State};
use super::options::{Declared, OptionError, Options, options};
use super::rule::{Rule, Visitor, begun};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(SlowScalars { alpha });

struct Follows;

impl Rule<0> for Follows {
    type Scalars<R: Real> = SlowScalars<R>;
    const STATES: [&'static str; 0] = [];

    #[inline(always)]
    fn update<R: Real>(k: &SlowScalars<R>, s: R, p: R, []: [R; 0]) -> (R, [R; 0]) {
        (s + k.alpha * (p - s), [])
    }
}

options!(pub(super) Slow { alpha: f64 });

impl Method for Slow {
    fn states(&self) -> Vec<State> {
        vec![]
    }

    fn scalars(&self, _clock: Clock) -> ScalarBlock {
        SlowScalars { alpha: self.alpha }.block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<0, Follows>()
    }
}

/// From a schedule-free rule's `y` to its `x`, and back: the gradient is `z`, or NaN where it has not begun.
struct Moves;

impl Rule<0> for Moves {
    type Scalars<R: Real> = SlowScalars<R>;
    const STATES: [&'static str; 0] = [];

    #[inline(always)]
    fn update<R: Real>(k: &SlowScalars<R>, p: R, z: R, []: [R; 0]) -> (R, [R; 0]) {
        (p + k.alpha * (begun(z, p) - p), [])
    }
}

options!(pub(super) Towards { alpha: f64 });

impl Method for Towards {
    fn states(&self) -> Vec<State> {
        vec![]
    }

    fn scalars(&self, _clock: Clock) -> ScalarBlock {
        SlowScalars { alpha: self.alpha }.block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<0, Moves>()
    }
}

scalars!(SumScalars { more });

struct Added;

impl Rule<0> for Added {
    type Scalars<R: Real> = SumScalars<R>;
    const STATES: [&'static str; 0] = [];

    #[inline(always)]
    fn update<R: Real>(k: &SumScalars<R>, a: R, g: R, []: [R; 0]) -> (R, [R; 0]) {
        let zero = R::constant(0.0);
        (R::select(zero.lt(k.more), a, zero) + g, [])
    }
}

/// It has no options, and no number that could be set.
pub(super) struct Sum;

impl Declared for Sum {
    fn read(_options: &Options) -> Result<Self, OptionError> {
        Ok(Sum)
    }

    fn set(&mut self, _name: &str, _value: f64) -> bool {
        false
    }
}

impl Method for Sum {
    fn states(&self) -> Vec<State> {
        vec![]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        SumScalars { more: if clock.t == 1 { 0.0 } else { 1.0 } }.block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<0, Added>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, run};

    #[test]
    fn slow_weights_follow() {
        let options = [("lr", Value::Number(1.0)), ("alpha", Value::Number(0.25))];
        let (s, _) = run("Slow", &options, 1.0, &[5.0, 2.0]);
        assert_eq!(s, [2.0, 2.0]);
    }

    #[test]
    fn a_sum_begins_at_zero_whatever_was_there() {
        let (a, _) = run("Sum", &[("lr", Value::Number(1.0))], f64::NAN, &[-0.0, 3.0, -5.0]);
        assert_eq!(a, [0.0, 3.0, -2.0]);
        assert!(a[0].is_sign_positive());
    }
}
