//! ASGD. Polyak & Juditsky 1992, "Acceleration of stochastic approximation by averaging": SGD whose rate
//! falls, and the average of where it has been; as torch has it.
//!
//! `p = p*(1 - lambd*eta) - eta*g;  ax = ax + mu*(p - ax)`, or `ax = p` where `mu` is 1. For the next
//! step `eta = lr/(1 + lambd*lr*t)^alpha`, `mu = 1/max(1, t - t0)`.

use super::method::{Clock, Memory, Method, State};
use super::options::options;
use super::remembered::{Number, Wanted};
use super::rule::{MAX_SUMS, Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::{Real, real_power};

scalars!(AsgdScalars { stays, eta, mu });

struct Averaged;

impl Rule<1> for Averaged {
    type Scalars<R: Real> = AsgdScalars<R>;
    const STATES: [&'static str; 1] = ["ax"];

    #[inline(always)]
    fn update<R: Real>(k: &AsgdScalars<R>, p: R, g: R, [ax]: [R; 1]) -> (R, [R; 1]) {
        let p = p * k.stays - k.eta * g;
        let mean = ax + k.mu * (p - ax);
        (p, [R::select(k.mu.lt(R::constant(1.0)), mean, p)])
    }
}

options!(pub(super) Asgd { lr: f64, lambd: f64, alpha: f64, t0: f64 });

impl Method for Asgd {
    fn states(&self) -> Vec<State> {
        vec![State { name: "ax", initial: 0.0 }]
    }

    fn memory(&self) -> Vec<Number> {
        vec![
            Number { name: "eta", initial: self.lr, wanted: Wanted::Rate },
            Number { name: "mu", initial: 1.0, wanted: Wanted::Share },
        ]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let [eta, mu, ..] = clock.memory.0;
        AsgdScalars { stays: 1.0 - self.lambd * eta, eta, mu }.block()
    }

    fn remember(&self, clock: Clock, _: &[f64; MAX_SUMS]) -> Memory {
        let t = clock.t as f64;
        let eta = self.lr / real_power(1.0 + self.lambd * self.lr * t, self.alpha);
        let mut memory = clock.memory;
        (memory.0[0], memory.0[1]) = (eta, 1.0 / (t - self.t0).max(1.0));
        memory
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<1, Averaged>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        let options = [
            ("lr", Value::Number(0.5)),
            ("lambd", Value::Number(0.25)),
            ("alpha", Value::Number(2.0)),
            ("t0", Value::Number(1.0)),
        ];
        // eta = 0.5, 0.5/1.125^2, 0.5/1.25^2, and so on; mu = 1, 1, 1, 1/2.
        let (p, state) = run("ASGD", &options, 1.0, &[1.0, 0.0, 0.0, 0.0]);
        let eta = |t: f64| 0.5 / (1.0 + 0.125 * t).powi(2);
        let first = 1.0 - 0.125 - 0.5;
        close(p[0], first);
        let third = first * (1.0 - 0.25 * eta(1.0)) * (1.0 - 0.25 * eta(2.0));
        close(p[2], third);
        close(state[0], (third + p[3]) / 2.0);
    }
}
