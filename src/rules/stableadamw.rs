//! StableAdamW. Wortsman et al. 2023, arXiv:2304.13013, algorithm 2: AdamW that makes a step smaller where
//! the tensor's squares have outgrown their average.
//!
//! `m`, `v` with the bias correction in their rates, `c/(1 - b^t)`;
//! `rms = sqrt(mean(g*g / max(v, eps^2)));  rate = lr/max(1, rms);
//! p = p*(1 - rate*wd) - (rate*m)/(sqrt(v) + eps)`

use super::measure::Added;
use super::method::{Clock, Method, State};
use super::options::{DecayRates, options};
use super::rule::{Measuring, Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(StableScalars { keep_m, part_m, keep_v, part_v, eps, eps_squared, rate, decay, stays });

impl<R: Real> StableScalars<R> {
    #[inline(always)]
    fn squares(&self, g: R, v: R) -> R {
        self.keep_v * v + self.part_v * (g * g)
    }
}

struct Clipped;

impl Rule<2> for Clipped {
    type Scalars<R: Real> = StableScalars<R>;
    const STATES: [&'static str; 2] = ["m", "v"];

    #[inline(always)]
    fn update<R: Real>(k: &StableScalars<R>, p: R, g: R, [m, v]: [R; 2]) -> (R, [R; 2]) {
        let m = k.keep_m * m + k.part_m * g;
        let v = k.squares(g, v);
        (p * k.stays - (k.rate * m) / (v.sqrt() + k.eps), [m, v])
    }
}

impl Measuring<2, 1> for Clipped {
    const ADDED: [Added; 1] = [Added::AsItIs];

    #[inline(always)]
    fn terms<R: Real>(k: &StableScalars<R>, _: R, g: R, [_, v]: [R; 2]) -> [R; 1] {
        let v = k.squares(g, v);
        [(g * g) / R::select(v.lt(k.eps_squared), k.eps_squared, v)]
    }

    fn measured<R: Real>(mut k: StableScalars<R>, [sum]: [R; 1], size: R) -> StableScalars<R> {
        let (one, rms) = (R::constant(1.0), (sum / size).sqrt());
        k.rate = k.rate / R::select(one.lt(rms), rms, one);
        k.stays = one - k.rate * k.decay;
        k
    }
}

options!(pub(super) StableAdamW {
    lr: f64,
    betas: DecayRates,
    eps: f64,
    weight_decay: f64,
    decoupled_weight_decay: bool,
});

impl Method for StableAdamW {
    fn states(&self) -> Vec<State> {
        vec![State { name: "exp_avg", initial: 0.0 }, State { name: "exp_avg_sq", initial: 0.0 }]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let DecayRates((beta1, beta2), (powers1, powers2)) = &self.betas;
        let part_m = (1.0 - beta1) / powers1.correction(clock.t);
        let part_v = (1.0 - beta2) / powers2.correction(clock.t);
        StableScalars {
            keep_m: 1.0 - part_m,
            part_m,
            keep_v: 1.0 - part_v,
            part_v,
            eps: self.eps,
            eps_squared: self.eps * self.eps,
            rate: self.lr,
            decay: self.decays().unwrap_or(0.0),
            stays: 1.0,
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit_measuring::<2, 1, Clipped>()
    }

    /// With the rate that is made smaller.
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
            ("lr", Value::Number(0.5)),
            ("betas", Value::Pair(0.5, 0.5)),
            ("eps", Value::Number(1.0)),
            ("weight_decay", Value::Number(0.5)),
            ("decoupled_weight_decay", Value::Flag(true)),
        ];
        // m = 3, v = 9, as they are in the first step; rms = 1.
        let (p, state) = run("StableAdamW", &options, 2.0, &[3.0]);
        assert_eq!(state[..], [3.0, 9.0]);
        close(p[0], 2.0 * 0.75 - 0.5 * 3.0 / 4.0);
        // Of 0.01 at the least 1 is divided by.
        let (p, _) = run("StableAdamW", &options, 2.0, &[0.1]);
        close(p[0], 2.0 * 0.75 - 0.5 * 0.1 / 1.1);
        // v = 9/3 + 2/3*144 = 99, rms = sqrt(144/99).
        let (p, _) = run("StableAdamW", &options, 2.0, &[3.0, 12.0]);
        let rate = 0.5 / (144.0_f64 / 99.0).sqrt();
        close(p[1], p[0] * (1.0 - rate / 2.0) - rate * 9.0 / (99.0_f64.sqrt() + 1.0));
    }
}
