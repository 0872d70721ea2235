//! Stochastic gradient descent as torch has it: the learning rate stays outside the buffer.
//! Polyak 1964 (momentum); Sutskever et al. 2013 (Nesterov's form).
//!
//! `buf = mu*buf + (1-damp)*g;  d = buf, or g + mu*buf with Nesterov;  p = p - lr*d`. An average
//! of gradients is the same with `damp = mu`, from the first step on.

use super::method::{Clock, Method, State};
use super::options::{Factor, options};
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(SgdScalars { lr, momentum, carry, one_minus_dampening });

struct Plain;

impl Rule<0> for Plain {
    type Scalars<R: Real> = SgdScalars<R>;
    const STATES: [&'static str; 0] = [];
    const STORED_IN_ALL: bool = true;

    #[inline(always)]
    fn update<R: Real>(k: &SgdScalars<R>, p: R, g: R, []: [R; 0]) -> (R, [R; 0]) {
        (p - k.lr * g, [])
    }
}

struct WithMomentum<const NESTEROV: bool>;

impl<const NESTEROV: bool> Rule<1> for WithMomentum<NESTEROV> {
    type Scalars<R: Real> = SgdScalars<R>;
    const STATES: [&'static str; 1] = ["buf"];
    const STORED_IN_ALL: bool = true;

    #[inline(always)]
    fn update<R: Real>(k: &SgdScalars<R>, p: R, g: R, [buf]: [R; 1]) -> (R, [R; 1]) {
        let buf = k.carry * buf + k.one_minus_dampening * g;
        let d = if NESTEROV { g + k.momentum * buf } else { buf };
        (p - k.lr * d, [buf])
    }
}

/// The formula without momentum, for whoever has something else in the gradient's place, and its
/// scalars.
pub fn descent<V: Visitor>(lr: f64, visitor: V) -> (V::Output, ScalarBlock) {
    let scalars = SgdScalars { lr, momentum: 0.0, carry: 0.0, one_minus_dampening: 0.0 };
    (visitor.visit::<0, Plain>(), scalars.block())
}

options!(pub(super) Sgd {
    lr: f64,
    momentum: Factor,
    dampening: f64,
    nesterov: bool,
    average: bool,
});

impl Method for Sgd {
    /// A buffer's first value is the gradient itself. It starts at -0.0, of which nothing is kept,
    /// and its first step is not dampened: `0.0 * -0.0 + 1.0 * g` is `g` to the bit, `-0.0`
    /// included. (`mu * -0.0` would be NaN where `mu` is beyond float32.) An average starts at 0.
    fn states(&self) -> Vec<State> {
        let initial = if self.average { 0.0 } else { -0.0 };
        let buffer = State { name: "momentum_buffer", initial };
        if self.momentum.0 == 0.0 { vec![] } else { vec![buffer] }
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let Sgd { lr, momentum: Factor(momentum), dampening, average, .. } = *self;
        let (carry, one_minus_dampening) = match (average, clock.fresh) {
            (true, _) => (momentum, 1.0 - momentum),
            (false, true) => (0.0, 1.0),
            (false, false) => (momentum, 1.0 - dampening),
        };
        SgdScalars { lr, momentum, carry, one_minus_dampening }.block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        match (self.momentum.0 == 0.0, self.nesterov) {
            (true, _) => visitor.visit::<0, Plain>(),
            (false, false) => visitor.visit::<1, WithMomentum<false>>(),
            (false, true) => visitor.visit::<1, WithMomentum<true>>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    fn sgd(momentum: f64, nesterov: bool, average: bool) -> Vec<(&'static str, Value)> {
        vec![
            ("lr", Value::Number(0.5)),
            ("momentum", Value::Number(momentum)),
            ("dampening", Value::Number(0.25)),
            ("nesterov", Value::Flag(nesterov)),
            ("average", Value::Flag(average)),
        ]
    }

    #[test]
    fn worked_numbers() {
        let (p, _) = run("SGD", &sgd(0.0, false, false), 1.0, &[2.0]);
        close(p[0], 0.0);
        // The first gradient enters whole, the second dampened: 0.5*2 + 0.75*4 = 4.
        let (p, state) = run("SGD", &sgd(0.5, false, false), 1.0, &[2.0, 4.0]);
        close(p[0], 0.0);
        close(p[1], -2.0);
        close(state[0], 4.0);
    }

    #[test]
    fn nesterov_looks_ahead() {
        let (p, _) = run("SGD", &sgd(0.5, true, false), 1.0, &[2.0]);
        close(p[0], 1.0 - 0.5 * (2.0 + 0.5 * 2.0));
    }

    #[test]
    fn an_average_dampens_the_first_gradient_too() {
        // The averages are 0.5 and 0.5*0.5 + 0.5*4 = 2.25.
        let (p, state) = run("SGD", &sgd(0.5, false, true), 1.0, &[1.0, 4.0]);
        close(p[0], 0.75);
        close(p[1], 0.75 - 1.125);
        close(state[0], 2.25);
    }

    #[test]
    fn a_first_buffer_is_the_gradient_to_the_bit() {
        let (_, state) = run("SGD", &sgd(0.9, false, false), 1.0, &[-0.0]);
        assert_eq!(state[0].to_bits(), (-0.0_f64).to_bits());
    }
}
