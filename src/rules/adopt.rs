//! ADOPT. Taniguchi et al. 2024, arXiv:2411.02853, algorithm 2: the gradient is divided by the average
//! that does not know it yet, and enters the momentum divided.
//!
//! `n = clamp(g / max(sqrt(v), eps), +-(t-1)^clip_exponent);  m = b1*m + c1*n;  p = p*kept - lr*m;
//! v = b2*v + c2*(g*g)`, and at first `v = g*g` alone: no decay of `p`.

use super::method::{Clock, Method, State};
use super::options::options;
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::{Real, real_power};

scalars!(AdoptScalars { lr, beta1, one_minus_beta1, beta2, one_minus_beta2, eps, clip, kept });

struct Normalized;

impl Rule<2> for Normalized {
    type Scalars<R: Real> = AdoptScalars<R>;
    const STATES: [&'static str; 2] = ["m", "v"];

    #[inline(always)]
    fn update<R: Real>(k: &AdoptScalars<R>, p: R, g: R, [m, v]: [R; 2]) -> (R, [R; 2]) {
        let root = v.sqrt();
        let n = g / R::select(root.lt(k.eps), k.eps, root);
        let n = n.clamp(R::constant(0.0) - k.clip, k.clip);
        let m = k.beta1 * m + k.one_minus_beta1 * n;
        (p * k.kept - k.lr * m, [m, k.beta2 * v + k.one_minus_beta2 * (g * g)])
    }
}

options!(pub(super) Adopt {
    lr: f64,
    betas: (f64, f64),
    eps: f64,
    clip_exponent: Option<f64>,
    weight_decay: f64,
    decoupled_weight_decay: bool,
});

impl Method for Adopt {
    fn states(&self) -> Vec<State> {
        vec![State { name: "exp_avg", initial: 0.0 }, State { name: "exp_avg_sq", initial: 0.0 }]
    }

    /// In the first step `v` is the square, and nothing enters `m`: its bound is 0.
    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let (beta1, beta2) = self.betas;
        let first = clock.t == 1 || clock.fresh;
        let steps = (clock.t - 1) as f64;
        let bound = match self.clip_exponent {
            None => f64::INFINITY,
            Some(0.25) => steps.sqrt().sqrt(), // the paper's code's; nearer than any power
            Some(exponent) => real_power(steps, exponent),
        };
        let (clip, beta2, one_minus_beta2) =
            if first { (0.0, 0.0, 1.0) } else { (bound, beta2, 1.0 - beta2) };
        let decay = if first { 0.0 } else { self.lr * self.decays().unwrap_or(0.0) };
        AdoptScalars {
            lr: self.lr,
            beta1,
            one_minus_beta1: 1.0 - beta1,
            beta2,
            one_minus_beta2,
            eps: self.eps,
            clip,
            kept: 1.0 - decay,
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<2, Normalized>()
    }

    fn decays(&self) -> Option<f64> {
        self.decoupled_weight_decay.then_some(self.weight_decay)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        let options = |clip: &[f64]| {
            let clip = clip.iter().map(|&exponent| ("clip_exponent", Value::Number(exponent)));
            let others = [
                ("lr", Value::Number(0.5)),
                ("betas", Value::Pair(0.5, 0.75)),
                ("eps", Value::Number(1e-6)),
            ];
            others.into_iter().chain(clip).collect::<Vec<_>>()
        };
        // v = 4; then n = 6/2, of which the bound leaves 1; then v = 3 + 9.
        let (p, state) = run("ADOPT", &options(&[]), 1.0, &[2.0, 6.0]);
        close(p[0], 1.0);
        close(p[1], 1.0 - 0.5 * 1.5);
        close(state[1], 12.0);
        let (p, _) = run("ADOPT", &options(&[0.25]), 1.0, &[2.0, 6.0]);
        close(p[1], 1.0 - 0.5 * 0.5);
        // At the third step n = 12/sqrt(12), of which the bound leaves 2^0.5 and no more.
        let (p, _) = run("ADOPT", &options(&[0.5]), 1.0, &[2.0, 6.0, 12.0]);
        close(p[2], 0.75 - 0.5 * (0.25 + 0.5 * 2.0_f64.sqrt()));
    }
}
