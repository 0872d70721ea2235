//! Signum and SignSGD. Bernstein et al. 2018, arXiv:1802.04434, algorithms 1 and 2: a step of one size
//! along the signs of an average of gradients.
//!
//! `m = b*m + c*g;  p = p - lr*sign(m)`, and without momentum `p = p - lr*sign(g)`

use super::method::{Clock, Method, State};
use super::options::{Factor, options};
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(SignumScalars { lr, momentum, one_minus_momentum });

struct OfGradient;

impl Rule<0> for OfGradient {
    type Scalars<R: Real> = SignumScalars<R>;
    const STATES: [&'static str; 0] = [];

    #[inline(always)]
    fn update<R: Real>(k: &SignumScalars<R>, p: R, g: R, []: [R; 0]) -> (R, [R; 0]) {
        (p - k.lr * g.sign(), [])
    }
}

struct OfAverage;

impl Rule<1> for OfAverage {
    type Scalars<R: Real> = SignumScalars<R>;
    const STATES: [&'static str; 1] = ["m"];

    #[inline(always)]
    fn update<R: Real>(k: &SignumScalars<R>, p: R, g: R, [m]: [R; 1]) -> (R, [R; 1]) {
        let m = k.momentum * m + k.one_minus_momentum * g;
        (p - k.lr * m.sign(), [m])
    }
}

options!(pub(super) Signum { lr: f64, momentum: Factor });

impl Method for Signum {
    fn states(&self) -> Vec<State> {
        let average = State { name: "exp_avg", initial: 0.0 };
        if self.momentum.0 == 0.0 { vec![] } else { vec![average] }
    }

    fn scalars(&self, _clock: Clock) -> ScalarBlock {
        let Signum { lr, momentum: Factor(momentum) } = *self;
        SignumScalars { lr, momentum, one_minus_momentum: 1.0 - momentum }.block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        if self.momentum.0 == 0.0 {
            visitor.visit::<0, OfGradient>()
        } else {
            visitor.visit::<1, OfAverage>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        let options =
            |momentum| [("lr", Value::Number(0.5)), ("momentum", Value::Number(momentum))];
        let (p, _) = run("Signum", &options(0.0), 1.0, &[4.0, -0.5, 0.0]);
        assert_eq!(p, [0.5, 1.0, 1.0]);
        // The averages are 2, 0.75 and 0.375 - 1.
        let (p, state) = run("Signum", &options(0.5), 1.0, &[4.0, -0.5, -2.0]);
        assert_eq!(p, [0.5, 0.0, 0.5]);
        close(state[0], -0.625);
    }
}
