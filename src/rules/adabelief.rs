//! AdaBelief. Zhuang et al. 2020, arXiv:2010.07468, algorithm 2: the divisor is how far gradients are
//! from what was expected of them.
//!
//! `m = b1*m + c1*g;  d = g - m;  s = (b2*s + c2*(d*d)) + eps_root;
//! p = p - (step*m)/(sqrt(s)*scale + eps)`

use super::method::{Clock, Method, State};
use super::options::{DecayRates, options};
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(AdaBeliefScalars {
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    step_size,
    scale,
    eps,
    eps_root,
});

struct Surprise;

impl Rule<2> for Surprise {
    type Scalars<R: Real> = AdaBeliefScalars<R>;
    const STATES: [&'static str; 2] = ["m", "s"];

    #[inline(always)]
    fn update<R: Real>(k: &AdaBeliefScalars<R>, p: R, g: R, [m, s]: [R; 2]) -> (R, [R; 2]) {
        let m = k.beta1 * m + k.one_minus_beta1 * g;
        let d = g - m;
        let s = (k.beta2 * s + k.one_minus_beta2 * (d * d)) + k.eps_root;
        (p - (k.step_size * m) / (s.sqrt() * k.scale + k.eps), [m, s])
    }
}

options!(pub(super) AdaBelief { lr: f64, betas: DecayRates, eps: f64, eps_root: f64 });

impl Method for AdaBelief {
    fn states(&self) -> Vec<State> {
        vec![State { name: "exp_avg", initial: 0.0 }, State { name: "exp_avg_var", initial: 0.0 }]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let (beta1, beta2) = self.betas.0;
        let (step_size, scale) = self.betas.corrections(self.lr, clock.t);
        AdaBeliefScalars {
            beta1,
            one_minus_beta1: 1.0 - beta1,
            beta2,
            one_minus_beta2: 1.0 - beta2,
            step_size,
            scale,
            eps: self.eps,
            eps_root: self.eps_root,
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<2, Surprise>()
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
            ("eps_root", Value::Number(3.0)),
        ];
        // m = 2, d = 2, s = 1 + 3; corrected, m is 4 and s is 16.
        let (p, state) = run("AdaBelief", &options, 1.0, &[4.0]);
        close(state[0], 2.0);
        close(state[1], 4.0);
        close(p[0], 1.0 - 0.5 * 4.0 / (4.0 + 1.0));
    }
}
