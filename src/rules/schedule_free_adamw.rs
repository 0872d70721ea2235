//! Schedule-free AdamW: see `schedule_free.rs`, of which this is the form that AdamW's step without momentum
//! makes.
//!
//! `v = beta2*v + (1 - beta2)*(g*g);  n = g/(sqrt(v)*scale + eps) + wd*y`.

use super::method::{Clock, Memory, Method, State};
use super::options::{DecayRates, options};
use super::remembered::Number;
use super::rule::{MAX_SUMS, Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use super::schedule_free::{AVERAGED, Averaging, AveragingScalars, remembered};
use crate::number::Real;

scalars!(AdamScalars { c, step, lr, decay, beta2, one_minus_beta2, scale, eps });

struct AveragedAdam;

impl Rule<2> for AveragedAdam {
    type Scalars<R: Real> = AdamScalars<R>;
    const STATES: [&'static str; 2] = ["z", "v"];

    #[inline(always)]
    fn update<R: Real>(k: &AdamScalars<R>, y: R, g: R, [z, v]: [R; 2]) -> (R, [R; 2]) {
        let v = k.beta2 * v + k.one_minus_beta2 * (g * g);
        let n = g / (v.sqrt() * k.scale + k.eps) + k.decay * y;
        let AdamScalars { c, step, lr, decay, .. } = *k;
        let averaging = AveragingScalars { c, step, lr, decay };
        let (y, z) = averaging.step(y, n, z);
        (y, [z, v])
    }
}

options!(pub(super) AdamW {
    lr: f64,
    betas: DecayRates,
    eps: f64,
    warmup_steps: f64,
    r: f64,
    weight_lr_power: f64,
    weight_decay: f64,
    decoupled_weight_decay: bool,
});

impl AdamW {
    fn averaging(&self) -> Averaging {
        let AdamW { lr, warmup_steps, r, weight_lr_power, .. } = *self;
        let DecayRates((beta, _), _) = self.betas;
        let decay = self.decays().unwrap_or(0.0);
        Averaging { lr, beta, warmup_steps, r, weight_lr_power, decay }
    }
}

impl Method for AdamW {
    fn states(&self) -> Vec<State> {
        [("z", f64::NAN), ("exp_avg_sq", 0.0)]
            .map(|(name, initial)| State { name, initial })
            .to_vec()
    }

    fn memory(&self) -> Vec<Number> {
        remembered()
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let AveragingScalars { c, step, lr, decay } = self.averaging().scalars(clock);
        let DecayRates((_, beta2), _) = self.betas;
        let (_, scale) = self.betas.corrections(1.0, clock.t);
        AdamScalars {
            c,
            step,
            lr,
            decay,
            beta2,
            one_minus_beta2: 1.0 - beta2,
            scale,
            eps: self.eps,
        }
        .block()
    }

    fn remember(&self, clock: Clock, _: &[f64; MAX_SUMS]) -> Memory {
        self.averaging().remember(clock).1
    }

    fn averaged(&self) -> Option<usize> {
        Some(AVERAGED)
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<2, AveragedAdam>()
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
            ("lr", Value::Number(0.5)),
            ("betas", Value::Pair(0.5, 0.75)),
            ("eps", Value::Number(1.0)),
            ("warmup_steps", Value::Number(0.0)),
            ("r", Value::Number(0.0)),
            ("weight_lr_power", Value::Number(2.0)),
            ("weight_decay", Value::Number(0.25)),
            ("decoupled_weight_decay", Value::Flag(true)),
        ];
        // v corrected is 9, so n = 3/4 + 2/4, and c = 1.
        let (y, state) = run("ScheduleFreeAdamW", &options, 2.0, &[3.0]);
        close(y[0], 2.0 - 0.5 * 1.25);
        close(state[0], 2.0 - 0.5 * 1.25);
        close(state[1], 0.25 * 9.0);
    }
}
