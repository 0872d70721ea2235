//! Adam. Kingma & Ba 2014, arXiv:1412.6980, algorithm 1, its bias corrections folded into two
//! scalars; AMSGrad: Reddi, Kale & Kumar 2018, arXiv:1904.09237, over the raw `v` as torch has it.
//!
//! `m = b1*m + c1*g;  v = b2*v + c2*(g*g);  p = p - (step*m)/(sqrt(v)*scale + eps)`

use super::cautious::{Cautious, Stepping};
use super::method::{Clock, Method, State};
use super::options::{DecayRates, options};
use super::rule::Visitor;
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(AdamScalars { beta1, one_minus_beta1, beta2, one_minus_beta2, step_size, scale, eps });

impl AdamScalars<f64> {
    pub(super) fn of(betas: &DecayRates, (step_size, scale): (f64, f64), eps: f64) -> Self {
        let DecayRates((beta1, beta2), _) = *betas;
        AdamScalars {
            beta1,
            one_minus_beta1: 1.0 - beta1,
            beta2,
            one_minus_beta2: 1.0 - beta2,
            step_size,
            scale,
            eps,
        }
    }
}

impl<R: Real> AdamScalars<R> {
    #[inline(always)]
    pub(super) fn moments(&self, g: R, m: R, v: R) -> (R, R) {
        let m = self.beta1 * m + self.one_minus_beta1 * g;
        let v = self.beta2 * v + self.one_minus_beta2 * (g * g);
        (m, v)
    }

    #[inline(always)]
    fn step(&self, m: R, v: R) -> R {
        (self.step_size * m) / (v.sqrt() * self.scale + self.eps)
    }
}

pub(super) struct Plain;

impl Stepping<2> for Plain {
    type Scalars<R: Real> = AdamScalars<R>;
    const STATES: [&'static str; 2] = ["m", "v"];
    const STORED_IN_ALL: bool = true;

    #[inline(always)]
    fn step<R: Real>(k: &AdamScalars<R>, g: R, [m, v]: [R; 2]) -> (R, [R; 2]) {
        let (m, v) = k.moments(g, m, v);
        (k.step(m, v), [m, v])
    }
}

struct AmsGrad;

impl Stepping<3> for AmsGrad {
    type Scalars<R: Real> = AdamScalars<R>;
    const STATES: [&'static str; 3] = ["m", "v", "v_max"];

    #[inline(always)]
    fn step<R: Real>(k: &AdamScalars<R>, g: R, [m, v, v_max]: [R; 3]) -> (R, [R; 3]) {
        let (m, v) = k.moments(g, m, v);
        let v_max = R::select(v.gt(v_max), v, v_max);
        (k.step(m, v_max), [m, v, v_max])
    }
}

options!(pub(super) Adam {
    lr: f64,
    betas: DecayRates,
    eps: f64,
    amsgrad: bool,
    bias_correction: bool,
    epsilon_hat: bool,
    cautious: bool,
    initial_accumulator_value: f64,
});

impl Method for Adam {
    fn states(&self) -> Vec<State> {
        let mut states = vec![
            State { name: "exp_avg", initial: 0.0 },
            State { name: "exp_avg_sq", initial: self.initial_accumulator_value },
        ];
        if self.amsgrad {
            states.push(State { name: "max_exp_avg_sq", initial: 0.0 });
        }
        states
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let steps = match (self.bias_correction, self.epsilon_hat) {
            (false, _) => (self.lr, 1.0),
            (true, false) => self.betas.corrections(self.lr, clock.t),
            (true, true) => (self.betas.correction_before_eps(self.lr, clock.t), 1.0),
        };
        AdamScalars::of(&self.betas, steps, self.eps).block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        match (self.amsgrad, self.cautious) {
            (false, false) => visitor.visit::<2, Plain>(),
            (false, true) => visitor.visit_measuring::<2, 1, Cautious<Plain>>(),
            (true, false) => visitor.visit::<3, AmsGrad>(),
            (true, true) => visitor.visit_measuring::<3, 1, Cautious<AmsGrad>>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    fn adam(amsgrad: bool, initial: f64) -> Vec<(&'static str, Value)> {
        vec![
            ("lr", Value::Number(0.1)),
            ("betas", Value::Pair(0.5, 0.75)),
            ("eps", Value::Number(0.0)),
            ("amsgrad", Value::Flag(amsgrad)),
            ("bias_correction", Value::Flag(true)),
            ("epsilon_hat", Value::Flag(false)),
            ("cautious", Value::Flag(false)),
            ("initial_accumulator_value", Value::Number(initial)),
        ]
    }

    #[test]
    fn worked_numbers() {
        // t=1: m_hat = 2, v_hat = 4, so the step is lr. t=2: m = 0, so the parameter stays.
        let (p, state) = run("Adam", &adam(false, 0.0), 1.0, &[2.0, -1.0]);
        close(p[0], 0.9);
        close(p[1], 0.9);
        close(state[0], 0.0);
        close(state[1], 0.75 + 0.25);
    }

    #[test]
    fn amsgrad_keeps_the_maximum() {
        let (_, state) = run("Adam", &adam(true, 0.0), 1.0, &[2.0, 0.0, 0.0]);
        close(state[1], 0.75 * 0.75);
        close(state[2], 1.0);
    }

    #[test]
    fn only_the_average_of_squares_starts_elsewhere() {
        let (_, state) = run("Adam", &adam(true, 8.0), 1.0, &[2.0]);
        close(state[0], 1.0);
        close(state[1], 0.75 * 8.0 + 0.25 * 4.0);
        close(state[2], 7.0);
    }
}
