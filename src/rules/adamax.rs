//! Adamax. Kingma & Ba 2014, arXiv:1412.6980, algorithm 2: the greatest gradient of late in the
//! place of the average of squares.
//!
//! `m = b1*m + c1*g;  u = max(b2*u, |g| + eps);  p = p - (step*m)/u`, or with eps beside `u` in the
//! divisor, as Keras has it.

use super::method::{Clock, Method, State};
use super::options::{DecayRates, options};
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(AdamaxScalars { beta1, one_minus_beta1, beta2, step_size, eps });

struct Maximum<const EPS_INSIDE: bool>;

impl<const EPS_INSIDE: bool> Rule<2> for Maximum<EPS_INSIDE> {
    type Scalars<R: Real> = AdamaxScalars<R>;
    const STATES: [&'static str; 2] = ["m", "u"];

    #[inline(always)]
    fn update<R: Real>(k: &AdamaxScalars<R>, p: R, g: R, [m, u]: [R; 2]) -> (R, [R; 2]) {
        let m = k.beta1 * m + k.one_minus_beta1 * g;
        let old = k.beta2 * u;
        let new = if EPS_INSIDE { g.abs() + k.eps } else { g.abs() };
        let u = R::select(old.gt(new), old, new);
        let divisor = if EPS_INSIDE { u } else { u + k.eps };
        (p - (k.step_size * m) / divisor, [m, u])
    }
}

options!(pub(super) Adamax { lr: f64, betas: DecayRates, eps: f64, eps_inside_max: bool });

impl Method for Adamax {
    fn states(&self) -> Vec<State> {
        vec![State { name: "exp_avg", initial: 0.0 }, State { name: "exp_inf", initial: 0.0 }]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let DecayRates((beta1, beta2), powers) = &self.betas;
        AdamaxScalars {
            beta1: *beta1,
            one_minus_beta1: 1.0 - beta1,
            beta2: *beta2,
            step_size: self.lr / powers.0.correction(clock.t),
            eps: self.eps,
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        if self.eps_inside_max {
            visitor.visit::<2, Maximum<true>>()
        } else {
            visitor.visit::<2, Maximum<false>>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        for (eps, inside) in [(0.0, true), (0.0, false), (2.0, true), (2.0, false)] {
            let options = [
                ("lr", Value::Number(0.5)),
                ("betas", Value::Pair(0.5, 0.75)),
                ("eps", Value::Number(eps)),
                ("eps_inside_max", Value::Flag(inside)),
            ];
            // m = 2, then 1 - 0.5 = 0.5; u = 4 (and eps), then 3 (and three quarters of it).
            let (p, state) = run("Adamax", &options, 1.0, &[4.0, -1.0]);
            let (first, second) = if inside { (4.0 + eps, 0.75 * (4.0 + eps)) } else { (4.0, 3.0) };
            let beside = if inside { 0.0 } else { eps };
            close(p[0], 1.0 - 0.5 / 0.5 * 2.0 / (first + beside));
            close(p[1], p[0] - 0.5 / 0.75 * 0.5 / (second + beside));
            close(state[1], second);
        }
    }
}
