//! Prodigy. Mishchenko & Defazio 2023, arXiv:2306.06101, algorithm 4, in the form of the authors' code:
//! Adam with a step size `d` that the whole model learns, from how far it has come.
//!
//! `m = b1*m + (d*c1)*g;  v = b2*v + (d*d*c2)*(g*g);  s = b3*s + ((d/d0)*dlr)*g;  dlr = d*lr*correction`;
//! with sums over all parameters `N = b3*N + sum(((d/d0)*dlr)*g*(p0 - p))`, `d_hat = d_coef*N/sum(|s|)`,
//! `d' = min(max of all d_hat, d*growth_rate)`; and `p = p*(1 - dlr*wd) - (dlr*m)/(sqrt(v) + d'*eps)`.

use super::measure::{Added, Scope};
use super::method::{Clock, Memory, Method, State};
use super::options::{DecayRates, options};
use super::remembered::{Number, Wanted};
use super::rule::{MAX_SUMS, Measuring, Rule, Visitor, begun};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(ProdigyScalars { beta1, to_m, beta2, to_v, beta3, to_s, to_sum, stays, step_size, eps });

impl<R: Real> ProdigyScalars<R> {
    #[inline(always)]
    fn weighted(&self, g: R, s: R) -> R {
        self.beta3 * s + self.to_s * g
    }
}

struct Travelling;

impl Rule<4> for Travelling {
    type Scalars<R: Real> = ProdigyScalars<R>;
    const STATES: [&'static str; 4] = ["m", "v", "s", "p0"];

    #[inline(always)]
    fn update<R: Real>(k: &ProdigyScalars<R>, p: R, g: R, [m, v, s, p0]: [R; 4]) -> (R, [R; 4]) {
        let m = k.beta1 * m + k.to_m * g;
        let v = k.beta2 * v + k.to_v * (g * g);
        let new = p * k.stays - (k.step_size * m) / (v.sqrt() + k.eps);
        (new, [m, v, k.weighted(g, s), begun(p0, p)])
    }
}

impl Measuring<4, 2> for Travelling {
    const ADDED: [Added; 2] = [Added::AsItIs; 2];
    const SCOPE: Scope = Scope::All;

    #[inline(always)]
    fn terms<R: Real>(k: &ProdigyScalars<R>, p: R, g: R, [_, _, s, p0]: [R; 4]) -> [R; 2] {
        [(k.to_sum * g) * (begun(p0, p) - p), k.weighted(g, s).abs()]
    }

    fn measured<R: Real>(mut k: ProdigyScalars<R>, [d, _]: [R; 2], _: R) -> ProdigyScalars<R> {
        k.eps = d * k.eps;
        k
    }
}

options!(pub(super) Prodigy {
    lr: f64,
    betas: DecayRates,
    beta3: Option<f64>,
    eps: f64,
    d0: f64,
    d_coef: f64,
    growth_rate: f64,
    bias_correction: bool,
    safeguard_warmup: bool,
    weight_decay: f64,
    decoupled_weight_decay: bool,
});

impl Prodigy {
    fn beta3(&self) -> f64 {
        self.beta3.unwrap_or_else(|| self.betas.0.1.sqrt())
    }
}

impl Method for Prodigy {
    fn states(&self) -> Vec<State> {
        [("exp_avg", 0.0), ("exp_avg_sq", 0.0), ("s", 0.0), ("p0", f64::NAN)]
            .map(|(name, initial)| State { name, initial })
            .to_vec()
    }

    fn memory(&self) -> Vec<Number> {
        vec![
            Number { name: "d", initial: self.d0, wanted: Wanted::Size },
            Number { name: "d_max", initial: self.d0, wanted: Wanted::Size },
            Number { name: "numerator", initial: 0.0, wanted: Wanted::Finite },
        ]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let (DecayRates((beta1, beta2), _), [d, ..]) = (&self.betas, clock.memory.0);
        let mut rate = d * self.lr;
        if self.bias_correction {
            rate = self.betas.correction_before_eps(rate, clock.t);
        }
        let relative = d / self.d0; // what is as small as d0 would be lost in float32
        ProdigyScalars {
            beta1: *beta1,
            to_m: d * (1.0 - beta1),
            beta2: *beta2,
            to_v: d * d * (1.0 - beta2),
            beta3: self.beta3(),
            to_s: relative * if self.safeguard_warmup { d } else { rate },
            to_sum: relative * rate,
            stays: self.decays().map_or(1.0, |decay| 1.0 - rate * decay),
            step_size: rate,
            eps: self.eps,
        }
        .block()
    }

    /// Where nothing is to be learnt, since the gradients were zero or not finite, all stays.
    fn remember(&self, clock: Clock, [travelled, length]: &[f64; MAX_SUMS]) -> Memory {
        let [d, d_max, numerator] = clock.memory.0;
        let numerator = self.beta3() * numerator + travelled;
        let d_hat = self.d_coef * numerator / length;
        if !d_hat.is_finite() {
            return clock.memory;
        }
        let d = if d == self.d0 { d.max(d_hat) } else { d };
        let d_max = d_max.max(d_hat);
        Memory([d_max.min(d * self.growth_rate), d_max, numerator])
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit_measuring::<4, 2, Travelling>()
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
        let options = [
            ("lr", Value::Number(1.0)),
            ("betas", Value::Pair(0.5, 0.75)),
            ("beta3", Value::Number(0.5)),
            ("eps", Value::Number(0.0)),
            ("d0", Value::Number(0.5)),
            ("d_coef", Value::Number(2.0)),
            ("growth_rate", Value::Number(4.0)),
            ("bias_correction", Value::Flag(false)),
            ("safeguard_warmup", Value::Flag(false)),
            ("weight_decay", Value::Number(0.0)),
            ("decoupled_weight_decay", Value::Flag(true)),
        ];
        // m = 0.5*0.5*4 and v = 0.25*0.25*16, whose root is 1: a step of 0.5. s = 2.
        let (p, state) = run("Prodigy", &options, 1.0, &[4.0]);
        close(p[0], 0.5);
        assert_eq!(state[..], [1.0, 1.0, 2.0, 1.0]);
        // N = 0.5*4*0.5 and s = 3: d becomes 2/3 in the third step, where it is no longer d0.
        let (p, state) = run("Prodigy", &options, 1.0, &[4.0, 4.0, 0.0]);
        assert_eq!(state[1..], [1.3125, 1.5, 1.0]);
        close(p[1], 0.5 - 0.5 * 1.5 / 1.75_f64.sqrt());
        close(p[2], p[1] - 2.0 / 3.0 * 0.75 / 1.3125_f64.sqrt());
    }
}
