//! AdEMAMix. Pagliardini, Ablin & Grangier 2024, arXiv:2409.03137, algorithm 1: Adam with a second,
//! much slower average of gradients beside the first.
//!
//! `m = b1*m + c1*g;  w = b3*w + c3*g;  v = b2*v + c2*(g*g);
//! p = p - (step*m + step_w*w)/(sqrt(v)*scale + eps)`

use super::method::{Clock, Method, State};
use super::options::{ThreeDecayRates, options};
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::{Real, exp, log};

scalars!(AdEmaMixScalars {
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    beta3,
    one_minus_beta3,
    step_size,
    slow_step_size,
    scale,
    eps,
});

struct TwoAverages;

impl Rule<3> for TwoAverages {
    type Scalars<R: Real> = AdEmaMixScalars<R>;
    const STATES: [&'static str; 3] = ["m", "w", "v"];

    #[inline(always)]
    fn update<R: Real>(k: &AdEmaMixScalars<R>, p: R, g: R, [m, w, v]: [R; 3]) -> (R, [R; 3]) {
        let m = k.beta1 * m + k.one_minus_beta1 * g;
        let w = k.beta3 * w + k.one_minus_beta3 * g;
        let v = k.beta2 * v + k.one_minus_beta2 * (g * g);
        let u = (k.step_size * m + k.slow_step_size * w) / (v.sqrt() * k.scale + k.eps);
        (p - u, [m, w, v])
    }
}

options!(pub(super) AdEmaMix {
    lr: f64,
    betas: ThreeDecayRates,
    alpha: f64,
    t_alpha: Option<f64>,
    t_beta3: Option<f64>,
    eps: f64,
});

impl AdEmaMix {
    /// The weight of the slow average: it grows linearly for `t_alpha` steps.
    fn alpha(&self, t: f64) -> f64 {
        self.t_alpha.map_or(self.alpha, |steps| (t * self.alpha / steps).min(self.alpha))
    }

    /// The slow average's rate: from `beta1` up, its half-life linearly, for `t_beta3` steps.
    fn beta3(&self, t: f64) -> f64 {
        let [beta1, _, beta3] = self.betas.0;
        match self.t_beta3 {
            Some(steps) if t < steps && beta1 < beta3 => {
                let past = t / steps;
                exp(1.0 / ((1.0 - past) / log(beta1) + past / log(beta3))).min(beta3)
            }
            _ => beta3,
        }
    }
}

impl Method for AdEmaMix {
    fn states(&self) -> Vec<State> {
        ["exp_avg", "exp_avg_slow", "exp_avg_sq"].map(|name| State { name, initial: 0.0 }).to_vec()
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let ThreeDecayRates([beta1, beta2, _], [powers1, powers2, _]) = &self.betas;
        let (t, beta3) = (clock.t as f64, self.beta3(clock.t as f64));
        AdEmaMixScalars {
            beta1: *beta1,
            one_minus_beta1: 1.0 - beta1,
            beta2: *beta2,
            one_minus_beta2: 1.0 - beta2,
            beta3,
            one_minus_beta3: 1.0 - beta3,
            step_size: self.lr / powers1.correction(clock.t),
            slow_step_size: self.lr * self.alpha(t),
            scale: 1.0 / powers2.correction(clock.t).sqrt(),
            eps: self.eps,
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<3, TwoAverages>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        let options = [
            ("lr", Value::Number(0.5)),
            ("betas", Value::Triple(0.5, 0.75, 0.75)),
            ("alpha", Value::Number(4.0)),
            ("eps", Value::Number(0.0)),
        ];
        // m = 1 and corrected 2, w = 1/2, v = 1 and corrected 4.
        let (p, state) = run("AdEMAMix", &options, 1.0, &[2.0]);
        assert_eq!(state[..], [1.0, 0.5, 1.0]);
        close(p[0], 1.0 - 0.5 * (2.0 + 4.0 * 0.5) / 2.0);
    }

    #[test]
    fn schedules() {
        let options = [
            ("lr", Value::Number(0.5)),
            ("betas", Value::Triple(0.25, 0.75, 0.5)),
            ("alpha", Value::Number(4.0)),
            ("t_alpha", Value::Number(4.0)),
            ("t_beta3", Value::Number(2.0)),
            ("eps", Value::Number(0.0)),
        ];
        // Half-lives 1/2 and 1: after one step of two 3/4, b3 = 2^(-4/3). alpha = 1 by then.
        let (p, state) = run("AdEMAMix", &options, 1.0, &[2.0]);
        let slow = 2.0 * (1.0 - 2.0_f64.powf(-4.0 / 3.0));
        close(state[1], slow);
        close(p[0], 1.0 - 0.5 * (2.0 + slow) / 2.0);
        let (_, state) = run("AdEMAMix", &options, 1.0, &[0.0, 0.0, 0.0, 2.0]);
        close(state[1], 1.0);
    }
}
