//! Averages of weights. What is updated is the average `e`, and in the gradient's place stands the
//! weight `p` itself. The first update copies it.
//!
//! EMA is torch's `lerp` with `w = 1 - decay`: `e = e + w*(p - e)` below a half, else
//! `e = p + (w - 1)*(p - e)`, which is exact at both ends. With warmup the decay is at most
//! `(1 + t)/(10 + t)` (TensorFlow's ExponentialMovingAverage).
//!
//! Mean is stochastic weight averaging, Izmailov et al. 2018, arXiv:1803.05407, in torch's form:
//! `e = e + (p - e)/t`.

use super::method::{Clock, Method, State};
use super::options::{Declared, OptionError, Options, options};
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(EmaScalars { weight });

struct Moving;

impl Rule<0> for Moving {
    type Scalars<R: Real> = EmaScalars<R>;
    const STATES: [&'static str; 0] = [];
    const STORED_IN_ALL: bool = true;

    #[inline(always)]
    fn update<R: Real>(k: &EmaScalars<R>, e: R, p: R, []: [R; 0]) -> (R, [R; 0]) {
        let one = R::constant(1.0);
        let small = k.weight.lt(R::constant(0.5));
        let factor = R::select(small, k.weight, k.weight - one);
        let mixed = R::select(small, e, p) + factor * (p - e);
        // All of the weight is a copy, also of what is infinite or -0.
        (R::select(k.weight.lt(one), mixed, p), [])
    }
}

options!(pub(super) Ema { decay: f64, warmup: bool });

impl Method for Ema {
    fn states(&self) -> Vec<State> {
        vec![]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let t = clock.t as f64;
        let ramp = (1.0 + t) / (10.0 + t);
        let decay = if self.warmup && ramp < self.decay { ramp } else { self.decay };
        EmaScalars { weight: if clock.t == 1 { 1.0 } else { 1.0 - decay } }.block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<0, Moving>()
    }
}

scalars!(MeanScalars { count });

struct Running;

impl Rule<0> for Running {
    type Scalars<R: Real> = MeanScalars<R>;
    const STATES: [&'static str; 0] = [];
    const STORED_IN_ALL: bool = true;

    #[inline(always)]
    fn update<R: Real>(k: &MeanScalars<R>, e: R, p: R, []: [R; 0]) -> (R, [R; 0]) {
        let mixed = e + (p - e) / k.count;
        (R::select(R::constant(1.0).lt(k.count), mixed, p), [])
    }
}

/// It has no options, and no number that could be set.
pub(super) struct Mean;

impl Declared for Mean {
    fn read(_options: &Options) -> Result<Self, OptionError> {
        Ok(Mean)
    }

    fn set(&mut self, _name: &str, _value: f64) -> bool {
        false
    }
}

impl Method for Mean {
    fn states(&self) -> Vec<State> {
        vec![]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        MeanScalars { count: clock.t as f64 }.block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<0, Running>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    fn ema(decay: f64, warmup: bool) -> Vec<(&'static str, Value)> {
        vec![
            ("lr", Value::Number(1.0)),
            ("decay", Value::Number(decay)),
            ("warmup", Value::Flag(warmup)),
        ]
    }

    #[test]
    fn an_average_follows_and_forgets() {
        let (e, _) = run("EMA", &ema(0.75, false), 9.0, &[1.0, 5.0, 2.0]);
        assert_eq!(e, [1.0, 2.0, 2.0]);
        let (e, _) = run("EMA", &ema(0.25, false), 9.0, &[1.0, 5.0]);
        assert_eq!(e, [1.0, 4.0]);
        let (e, _) = run("EMA", &ema(0.0, false), 9.0, &[1.0, f64::INFINITY, 3.0]);
        assert_eq!(e, [1.0, f64::INFINITY, 3.0]);
    }

    #[test]
    fn warmup_ends_at_the_decay() {
        // 3/12 at the second update, then a half instead of 4/13.
        let (e, _) = run("EMA", &ema(0.3, true), 9.0, &[0.0, 1.0, 1.0]);
        close(e[1], 0.75);
        close(e[2], 0.75 * 0.3 + 0.7);
    }

    #[test]
    fn a_mean_counts() {
        let (e, _) = run("Mean", &[("lr", Value::Number(1.0))], 9.0, &[1.0, 3.0, 8.0]);
        assert_eq!(e, [1.0, 2.0, 4.0]);
    }

    #[test]
    fn the_first_update_copies_to_the_bit() {
        for (name, options) in [("EMA", ema(0.9, true)), ("Mean", ema(0.9, true))] {
            let (e, _) = run(name, &options, f64::INFINITY, &[-0.0]);
            assert_eq!(e[0].to_bits(), (-0.0_f64).to_bits());
        }
    }
}
