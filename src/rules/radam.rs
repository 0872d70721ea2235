//! RAdam. Liu et al. 2019, arXiv:1908.03265, algorithm 2: Adam whose first steps, where the average of
//! squares knows too little, are those of momentum.
//!
//! `m`, `v` as Adam's; `p = p - (step*m)/(sqrt(v)*scale + eps)`, or `p - step*m` in those first steps,
//! which have `scale = 0`.

use super::adam::AdamScalars;
use super::method::{Clock, Method, State};
use super::options::{DecayRates, options};
use super::rule::{Rule, Visitor};
use super::scalars::ScalarBlock;
use crate::number::Real;

struct Rectified;

impl Rule<2> for Rectified {
    type Scalars<R: Real> = AdamScalars<R>;
    const STATES: [&'static str; 2] = ["m", "v"];

    #[inline(always)]
    fn update<R: Real>(k: &AdamScalars<R>, p: R, g: R, [m, v]: [R; 2]) -> (R, [R; 2]) {
        let (m, v) = k.moments(g, m, v);
        let root = v.sqrt() * k.scale + k.eps;
        let divisor = R::select(R::constant(0.0).lt(k.scale), root, R::constant(1.0));
        (p - (k.step_size * m) / divisor, [m, v])
    }
}

options!(pub(super) RAdam { lr: f64, betas: DecayRates, eps: f64, epsilon_hat: bool });

impl RAdam {
    /// How much of Adam's step the squares seen so far allow; None while they allow none of it.
    fn rectification(&self, t: u64) -> Option<f64> {
        let DecayRates((_, beta2), powers) = &self.betas;
        let longest = 2.0 / (1.0 - beta2) - 1.0;
        let length = longest - 2.0 * t as f64 * powers.1.power(t) / powers.1.correction(t);
        let variance = |length: f64| (length - 4.0) * (length - 2.0);
        (length > 5.0).then(|| (variance(length) * longest / (variance(longest) * length)).sqrt())
    }
}

impl Method for RAdam {
    fn states(&self) -> Vec<State> {
        vec![State { name: "exp_avg", initial: 0.0 }, State { name: "exp_avg_sq", initial: 0.0 }]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let DecayRates(_, powers) = &self.betas;
        let correction1 = powers.0.correction(clock.t);
        let root2 = powers.1.correction(clock.t).sqrt();
        let steps = match self.rectification(clock.t) {
            None => (self.lr / correction1, 0.0),
            Some(r) if self.epsilon_hat => (self.lr * r * root2 / correction1, 1.0),
            Some(r) => (self.lr * r / correction1, 1.0 / root2),
        };
        AdamScalars::of(&self.betas, steps, self.eps).block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<2, Rectified>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        let options = [
            ("lr", Value::Number(0.5)),
            ("betas", Value::Pair(0.5, 0.75)),
            ("eps", Value::Number(1.0)),
            ("epsilon_hat", Value::Flag(true)),
        ];
        // The longest length is 7. That of the first step is 1: momentum alone.
        let (p, _) = run("RAdam", &options, 1.0, &[4.0]);
        close(p[0], 1.0 - 0.5 * 4.0);
        let gradients = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0];
        let (p, _) = run("RAdam", &options, 1.0, &gradients);
        let left = 0.75_f64.powi(8);
        let length = 7.0 - 16.0 * left / (1.0 - left);
        assert!(length > 5.0);
        let r = ((length - 4.0) * (length - 2.0) * 7.0 / (3.0 * 5.0 * length)).sqrt();
        let step = 0.5 * r * (1.0 - left).sqrt() / (1.0 - 0.5_f64.powi(8));
        close(p[7], 1.0 - step * 2.0 / (2.0 + 1.0));
    }
}
