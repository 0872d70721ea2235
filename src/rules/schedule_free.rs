//! Schedule-free SGD. Defazio et al. 2024, "The Road Less Scheduled", arXiv:2405.15682; as their
//! package schedulefree has them. The parameter is `y`, between where the steps lead, `z`, and the average
//! `x` of where they have been, which is kept nowhere:
//!
//! `y = (y + c*(z - y)) - step*n;  z = z - lr*n`, where `n = g + wd*y`.
//!
//! At step `t`: `lr = lr*min(1, t/warmup)`; `w = t^r * (largest lr so far)^power`; `c = w/(sum of all w)`;
//! `step = lr*(1 - beta*(1 - c))`. Before its first step `z` is NaN, for `y`.

use super::method::{Clock, Memory, Method, State};
use super::options::options;
use super::remembered::{Number, Wanted};
use super::rule::{MAX_SUMS, Rule, Visitor, begun};
use super::scalars::{ScalarBlock, scalars};
use crate::number::{Real, real_power};

scalars!(AveragingScalars { c, step, lr, decay });

impl<R: Real> AveragingScalars<R> {
    /// The new `y` and `z`.
    #[inline(always)]
    pub(super) fn step(&self, y: R, n: R, z: R) -> (R, R) {
        let z = begun(z, y);
        ((y + self.c * (z - y)) - self.step * n, z - self.lr * n)
    }
}

struct AveragedSgd;

impl Rule<1> for AveragedSgd {
    type Scalars<R: Real> = AveragingScalars<R>;
    const STATES: [&'static str; 1] = ["z"];

    #[inline(always)]
    fn update<R: Real>(k: &AveragingScalars<R>, y: R, g: R, [z]: [R; 1]) -> (R, [R; 1]) {
        let (y, z) = k.step(y, g + k.decay * y, z);
        (y, [z])
    }
}

/// What both remember: the sum of all weights, the largest rate, and 1 while the parameter is `x`.
pub(super) fn remembered() -> Vec<Number> {
    [("weight_sum", Wanted::Sum), ("lr_max", Wanted::Rate), ("averaged", Wanted::Flag)]
        .map(|(name, wanted)| Number { name, initial: 0.0, wanted })
        .to_vec()
}

/// The place of the last one.
pub(super) const AVERAGED: usize = 2;

/// How the average is made.
pub(super) struct Averaging {
    pub(super) lr: f64,
    pub(super) beta: f64,
    pub(super) warmup_steps: f64,
    pub(super) r: f64,
    pub(super) weight_lr_power: f64,
    /// Of the rule's own.
    pub(super) decay: f64,
}

impl Averaging {
    fn rate(&self, t: f64) -> f64 {
        if t < self.warmup_steps { self.lr * (t / self.warmup_steps) } else { self.lr }
    }

    /// The weight of this step, and what is remembered after it.
    pub(super) fn remember(&self, clock: Clock) -> (f64, Memory) {
        let (t, mut memory) = (clock.t as f64, clock.memory);
        let [sum, top, _] = &mut memory.0;
        *top = top.max(self.rate(t));
        let weight = real_power(t, self.r) * real_power(*top, self.weight_lr_power);
        *sum += weight;
        (weight, memory)
    }

    pub(super) fn scalars(&self, clock: Clock) -> AveragingScalars<f64> {
        let (weight, memory) = self.remember(clock);
        let [sum, ..] = memory.0;
        let (c, lr) = (if sum == 0.0 { 0.0 } else { weight / sum }, self.rate(clock.t as f64));
        AveragingScalars { c, step: lr * (1.0 - self.beta * (1.0 - c)), lr, decay: self.decay }
    }
}

options!(pub(super) Sgd {
    lr: f64,
    momentum: f64,
    warmup_steps: f64,
    r: f64,
    weight_lr_power: f64,
    weight_decay: f64,
    decoupled_weight_decay: bool,
});

impl Sgd {
    fn averaging(&self) -> Averaging {
        let Sgd { lr, momentum: beta, warmup_steps, r, weight_lr_power, .. } = *self;
        let decay = self.decays().unwrap_or(0.0);
        Averaging { lr, beta, warmup_steps, r, weight_lr_power, decay }
    }
}

impl Method for Sgd {
    fn states(&self) -> Vec<State> {
        vec![State { name: "z", initial: f64::NAN }]
    }

    fn memory(&self) -> Vec<Number> {
        remembered()
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        self.averaging().scalars(clock).block()
    }

    fn remember(&self, clock: Clock, _: &[f64; MAX_SUMS]) -> Memory {
        self.averaging().remember(clock).1
    }

    fn averaged(&self) -> Option<usize> {
        Some(AVERAGED)
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<1, AveragedSgd>()
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
            ("momentum", Value::Number(0.5)),
            ("warmup_steps", Value::Number(2.0)),
            ("r", Value::Number(1.0)),
            ("weight_lr_power", Value::Number(2.0)),
            ("weight_decay", Value::Number(0.0)),
            ("decoupled_weight_decay", Value::Flag(true)),
        ];
        // lr 1/4, then 1/2; w = 1/16, then 2/4: c = 1, then 8/9. Steps 1/4, then 1/2*(1 - 1/18).
        let (y, state) = run("ScheduleFreeSGD", &options, 1.0, &[1.0, 2.0]);
        close(y[0], 0.75);
        close(y[1], 0.75 - 0.5 * (17.0 / 18.0) * 2.0);
        close(state[0], 0.75 - 0.5 * 2.0);
    }
}
