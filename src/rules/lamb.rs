//! LAMB. You et al. 2019, arXiv:1904.00962, algorithm 2: Adam's step, made as long as the parameter is, for
//! large batches.
//!
//! `u = (correction*m)/(sqrt(v)*scale + eps) + wd*p;  ratio = |p|/|u|, or 1 if either is 0;
//! p = p - (lr*ratio)*u`, with the norms over the tensor.

use super::measure::Added;
use super::method::{Clock, Method, State};
use super::options::{DecayRates, options};
use super::rule::{Measuring, Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(LambScalars {
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    correction,
    scale,
    eps,
    decay,
    step_size,
    max_ratio,
});

impl<R: Real> LambScalars<R> {
    #[inline(always)]
    fn direction(&self, p: R, g: R, [m, v]: [R; 2]) -> (R, [R; 2]) {
        let m = self.beta1 * m + self.one_minus_beta1 * g;
        let v = self.beta2 * v + self.one_minus_beta2 * (g * g);
        let u = (self.correction * m) / (v.sqrt() * self.scale + self.eps);
        (u + self.decay * p, [m, v])
    }
}

struct Layerwise;

impl Rule<2> for Layerwise {
    type Scalars<R: Real> = LambScalars<R>;
    const STATES: [&'static str; 2] = ["m", "v"];

    #[inline(always)]
    fn update<R: Real>(k: &LambScalars<R>, p: R, g: R, state: [R; 2]) -> (R, [R; 2]) {
        let (u, state) = k.direction(p, g, state);
        (p - k.step_size * u, state)
    }
}

impl Measuring<2, 2> for Layerwise {
    const ADDED: [Added; 2] = [Added::Squared; 2];

    #[inline(always)]
    fn terms<R: Real>(k: &LambScalars<R>, p: R, g: R, state: [R; 2]) -> [R; 2] {
        [p, k.direction(p, g, state).0]
    }

    fn measured<R: Real>(mut k: LambScalars<R>, sums: [R; 2], _: R) -> LambScalars<R> {
        k.step_size = k.step_size * trust_ratio(sums, k.max_ratio);
        k
    }
}

/// The length of a parameter by that of its step, from their squares: 1 if either is 0 (or NaN).
fn trust_ratio<R: Real>([p, u]: [R; 2], most: R) -> R {
    let (zero, one) = (R::constant(0.0), R::constant(1.0));
    let ratio = p.sqrt() / u.sqrt();
    let ratio = R::select(zero.lt(p) & zero.lt(u), ratio, one);
    R::select(most.lt(ratio), most, ratio)
}

options!(pub(super) Lamb {
    lr: f64,
    betas: DecayRates,
    eps: f64,
    bias_correction: bool,
    trust_clip: bool,
    weight_decay: f64,
    decoupled_weight_decay: bool,
});

impl Method for Lamb {
    fn states(&self) -> Vec<State> {
        vec![State { name: "exp_avg", initial: 0.0 }, State { name: "exp_avg_sq", initial: 0.0 }]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let DecayRates((beta1, beta2), _) = self.betas;
        let (correction, scale) =
            if self.bias_correction { self.betas.corrections(1.0, clock.t) } else { (1.0, 1.0) };
        LambScalars {
            beta1,
            one_minus_beta1: 1.0 - beta1,
            beta2,
            one_minus_beta2: 1.0 - beta2,
            correction,
            scale,
            eps: self.eps,
            decay: self.decays().unwrap_or(0.0),
            step_size: self.lr,
            max_ratio: if self.trust_clip { 1.0 } else { f64::INFINITY },
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit_measuring::<2, 2, Layerwise>()
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
        let options = |trust_clip| {
            [
                ("lr", Value::Number(0.5)),
                ("betas", Value::Pair(0.5, 0.75)),
                ("eps", Value::Number(1.0)),
                ("bias_correction", Value::Flag(true)),
                ("trust_clip", Value::Flag(trust_clip)),
                ("weight_decay", Value::Number(0.25)),
                ("decoupled_weight_decay", Value::Flag(true)),
            ]
        };
        // m and v corrected are 1 and 1: u = 1/2 + 1/4*2 = 1, and the ratio 2.
        let (p, _) = run("LAMB", &options(false), 2.0, &[1.0]);
        close(p[0], 2.0 - 0.5 * 2.0);
        let (p, _) = run("LAMB", &options(true), 2.0, &[1.0]);
        close(p[0], 2.0 - 0.5);
        let (p, _) = run("LAMB", &options(false), 0.0, &[1.0]);
        close(p[0], -0.5 * 0.5);
    }
}
