//! ADOPT. Taniguchi et al. 2024, arXiv:2411.02853, algorithm 2: the gradient is divided by the average
//! that does not know it yet, and enters the momentum divided.
//!
//! `n = clamp(g / max(sqrt(v), eps), +-(t-1)^(1/4));  m = b1*m + c1*n;  p = p - lr*m;
//! v = b2*v + c2*(g*g)`, and at first `v = g*g` alone.

use super::method::{Clock, Method, State};
use super::options::options;
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(AdoptScalars { lr, beta1, one_minus_beta1, beta2, one_minus_beta2, eps, clip });

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
        (p - k.lr * m, [m, k.beta2 * v + k.one_minus_beta2 * (g * g)])
    }
}

options!(pub(super) Adopt { lr: f64, betas: (f64, f64), eps: f64, clip: bool });

impl Method for Adopt {
    fn states(&self) -> Vec<State> {
        vec![State { name: "exp_avg", initial: 0.0 }, State { name: "exp_avg_sq", initial: 0.0 }]
    }

    /// In the first step `v` is the square, and nothing enters `m`: its bound is 0.
    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let (beta1, beta2) = self.betas;
        let first = clock.t == 1 || clock.fresh;
        let bound = if self.clip { ((clock.t - 1) as f64).sqrt().sqrt() } else { f64::INFINITY };
        let (clip, beta2, one_minus_beta2) =
            if first { (0.0, 0.0, 1.0) } else { (bound, beta2, 1.0 - beta2) };
        AdoptScalars {
            lr: self.lr,
            beta1,
            one_minus_beta1: 1.0 - beta1,
            beta2,
            one_minus_beta2,
            eps: self.eps,
            clip,
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<2, Normalized>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        let options = |clip| {
            [
                ("lr", Value::Number(0.5)),
                ("betas", Value::Pair(0.5, 0.75)),
                ("eps", Value::Number(1e-6)),
                ("clip", Value::Flag(clip)),
            ]
        };
        // v = 4; then n = 6/2, of which the bound leaves 1; then v = 3 + 9.
        let (p, state) = run("ADOPT", &options(false), 1.0, &[2.0, 6.0]);
        close(p[0], 1.0);
        close(p[1], 1.0 - 0.5 * 1.5);
        close(state[1], 12.0);
        let (p, _) = run("ADOPT", &options(true), 1.0, &[2.0, 6.0]);
        close(p[1], 1.0 - 0.5 * 0.5);
    }
}
