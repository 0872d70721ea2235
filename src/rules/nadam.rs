//! NAdam. Dozat 2016, "Incorporating Nesterov Momentum into Adam": Adam with Nesterov's step, and a
//! momentum that grows towards `beta1`.
//!
//! `mu_t = beta1*(1 - 0.96^(t*decay)/2);  p = p - (from_g*g + from_m*m)/(sqrt(v)*scale + eps)`, with
//! `from_g = lr*(1 - mu_t)/(1 - mu_1*..*mu_t)`, and `from_m = lr*mu_(t+1)/(1 - mu_1*..*mu_(t+1))`.

use super::cautious::{Cautious, Stepping};
use super::method::{Clock, Memory, Method, State};
use super::options::{DecayRates, options};
use super::remembered::{Number, Wanted};
use super::rule::{MAX_SUMS, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::{Real, real_power};

scalars!(NAdamScalars {
    beta1,
    one_minus_beta1,
    beta2,
    one_minus_beta2,
    from_g,
    from_m,
    scale,
    eps,
});

struct Nesterov;

impl Stepping<2> for Nesterov {
    type Scalars<R: Real> = NAdamScalars<R>;
    const STATES: [&'static str; 2] = ["m", "v"];

    #[inline(always)]
    fn step<R: Real>(k: &NAdamScalars<R>, g: R, [m, v]: [R; 2]) -> (R, [R; 2]) {
        let m = k.beta1 * m + k.one_minus_beta1 * g;
        let v = k.beta2 * v + k.one_minus_beta2 * (g * g);
        ((k.from_g * g + k.from_m * m) / (v.sqrt() * k.scale + k.eps), [m, v])
    }
}

options!(pub(super) NAdam {
    lr: f64,
    betas: DecayRates,
    eps: f64,
    momentum_decay: f64,
    cautious: bool,
});

impl NAdam {
    /// The momentum of step `t`: with an infinite decay it is `beta1` from the first on.
    fn mu(&self, t: u64) -> f64 {
        self.betas.0.0 * (1.0 - 0.5 * real_power(0.96, t as f64 * self.momentum_decay))
    }
}

impl Method for NAdam {
    fn states(&self) -> Vec<State> {
        vec![State { name: "exp_avg", initial: 0.0 }, State { name: "exp_avg_sq", initial: 0.0 }]
    }

    fn memory(&self) -> Vec<Number> {
        vec![Number { name: "mu_product", initial: 1.0, wanted: Wanted::Share }]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let DecayRates((beta1, beta2), powers) = &self.betas;
        let (beta1, beta2) = (*beta1, *beta2);
        let (mu, next) = (self.mu(clock.t), self.mu(clock.t + 1));
        let product = clock.memory.0[0] * mu;
        NAdamScalars {
            beta1,
            one_minus_beta1: 1.0 - beta1,
            beta2,
            one_minus_beta2: 1.0 - beta2,
            from_g: self.lr * (1.0 - mu) / (1.0 - product),
            from_m: self.lr * next / (1.0 - product * next),
            scale: 1.0 / powers.1.correction(clock.t).sqrt(),
            eps: self.eps,
        }
        .block()
    }

    fn remember(&self, clock: Clock, _: &[f64; MAX_SUMS]) -> Memory {
        let mut memory = clock.memory;
        memory.0[0] *= self.mu(clock.t);
        memory
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        if self.cautious {
            visitor.visit_measuring::<2, 1, Cautious<Nesterov>>()
        } else {
            visitor.visit::<2, Nesterov>()
        }
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
            ("momentum_decay", Value::Number(0.5)),
            ("cautious", Value::Flag(false)),
        ];
        // mu_1 = 0.5*(1 - 0.96^0.5/2), mu_2 = 0.5*(1 - 0.96/2) = 0.26; m = 2, v = 4, its root 4.
        let (p, _) = run("NAdam", &options, 1.0, &[4.0]);
        let mu = 0.5 * (1.0 - 0.96_f64.sqrt() / 2.0);
        let step = 0.5 * 4.0 + 0.5 * 0.26 / (1.0 - 0.26 * mu) * 2.0;
        close(p[0], 1.0 - step / 5.0);
        let mut constant = options;
        constant[3] = ("momentum_decay", Value::Number(f64::INFINITY));
        let (p, _) = run("NAdam", &constant, 1.0, &[4.0]);
        close(p[0], 1.0 - (0.5 * 4.0 + 0.25 / 0.75 * 2.0) / 5.0);
    }
}
