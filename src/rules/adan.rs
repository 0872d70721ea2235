//! Adan. Xie, Zhou, Li, Lin & Yan 2022, arXiv:2208.06677, algorithm 1, with the bias corrections of
//! the authors' code: the gradient's change is averaged beside the gradient, for Nesterov's momentum
//! without a look ahead.
//!
//! `d = g - prev;  m = b1*m + c1*g;  w = b2*w + c2*d;  h = g + b2*d;  n = b3*n + c3*(h*h);
//! p = (p - (step*m + step_w*w)/(sqrt(n)*scale + eps)) / (1 + lr*wd)`, and at first `d = 0`.

use super::cautious::{Cautious, Stepping};
use super::method::{Clock, Method, State};
use super::options::{ThreeDecayRates, options};
use super::rule::Visitor;
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(AdanScalars {
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    beta3,
    one_minus_beta3,
    step_size,
    diff_step_size,
    scale,
    eps,
    divisor,
});

struct Nesterov;

impl Stepping<4> for Nesterov {
    type Scalars<R: Real> = AdanScalars<R>;
    const STATES: [&'static str; 4] = ["m", "w", "n", "prev"];

    #[inline(always)]
    fn step<R: Real>(k: &AdanScalars<R>, g: R, [m, w, n, prev]: [R; 4]) -> (R, [R; 4]) {
        let d = g - prev;
        let m = k.beta1 * m + k.one_minus_beta1 * g;
        let w = k.beta2 * w + k.one_minus_beta2 * d;
        let h = g + k.beta2 * d;
        let n = k.beta3 * n + k.one_minus_beta3 * (h * h);
        let step = (k.step_size * m + k.diff_step_size * w) / (n.sqrt() * k.scale + k.eps);
        (step, [m, w, n, g])
    }

    #[inline(always)]
    fn moved<R: Real>(k: &AdanScalars<R>, p: R, step: R) -> R {
        (p - step) / k.divisor
    }
}

options!(pub(super) Adan {
    lr: f64,
    betas: ThreeDecayRates,
    eps: f64,
    no_prox: bool,
    cautious: bool,
    weight_decay: f64,
    decoupled_weight_decay: bool,
});

impl Method for Adan {
    fn states(&self) -> Vec<State> {
        ["exp_avg", "exp_avg_diff", "exp_avg_sq", "prev"]
            .map(|name| State { name, initial: 0.0 })
            .to_vec()
    }

    /// In the first step there is no change, and nothing enters `w` and `h`: its weights are 0.
    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let ThreeDecayRates([beta1, beta2, beta3], powers) = &self.betas;
        let [rest1, rest2, rest3] = powers.each_ref().map(|powers| powers.correction(clock.t));
        let first = clock.t == 1 || clock.fresh;
        AdanScalars {
            beta1: *beta1,
            one_minus_beta1: 1.0 - beta1,
            beta2: if first { 0.0 } else { *beta2 },
            one_minus_beta2: if first { 0.0 } else { 1.0 - beta2 },
            beta3: *beta3,
            one_minus_beta3: 1.0 - beta3,
            step_size: self.lr / rest1,
            diff_step_size: self.lr * beta2 / rest2,
            scale: 1.0 / rest3.sqrt(),
            eps: self.eps,
            divisor: self.decays().map_or(1.0, |decay| 1.0 + self.lr * decay),
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        if self.cautious {
            visitor.visit_measuring::<4, 1, Cautious<Nesterov>>()
        } else {
            visitor.visit::<4, Nesterov>()
        }
    }

    fn decays(&self) -> Option<f64> {
        (self.decoupled_weight_decay && !self.no_prox).then_some(self.weight_decay)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        let options = |weight_decay| {
            [
                ("lr", Value::Number(0.5)),
                ("betas", Value::Triple(0.5, 0.5, 0.75)),
                ("eps", Value::Number(0.0)),
                ("no_prox", Value::Flag(false)),
                ("cautious", Value::Flag(false)),
                ("weight_decay", Value::Number(weight_decay)),
                ("decoupled_weight_decay", Value::Flag(true)),
            ]
        };
        // n = 4/4 and corrected 4, m = 1 and corrected 2: a step of 1/2.
        let (p, state) = run("Adan", &options(0.0), 1.0, &[2.0]);
        close(p[0], 0.5);
        assert_eq!(state[..], [1.0, 0.0, 1.0, 2.0]);
        let (p, _) = run("Adan", &options(2.0), 1.0, &[2.0]);
        close(p[0], 0.25);
        // d = 4, m = 3.5, w = 2, h = 8, n = 0.75 + 16.
        let (p, state) = run("Adan", &options(0.0), 1.0, &[2.0, 6.0]);
        assert_eq!(state[..], [3.5, 2.0, 16.75, 6.0]);
        let root = (16.75_f64 / (1.0 - 0.75 * 0.75)).sqrt();
        close(p[1], 0.5 - 0.5 * (3.5 / 0.75 + 0.5 * 2.0 / 0.75) / root);
    }
}
