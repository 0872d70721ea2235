//! Yogi. Zaheer, Reddi, Sachan, Kale & Kumar 2018 (NeurIPS), algorithm 2: the average of squares
//! moves by a share of the square alone, so that it never shrinks fast.
//!
//! `m = b1*m + c1*g;  q = g*g;  v = v - c2*(sign(v - q)*q);  p = p - (step*m)/(sqrt(v)*scale + eps)`

use super::method::{Clock, Method, State};
use super::options::{DecayRates, options};
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(YogiScalars { beta1, one_minus_beta1, one_minus_beta2, step_size, scale, eps });

struct Additive;

impl Rule<2> for Additive {
    type Scalars<R: Real> = YogiScalars<R>;
    const STATES: [&'static str; 2] = ["m", "v"];

    #[inline(always)]
    fn update<R: Real>(k: &YogiScalars<R>, p: R, g: R, [m, v]: [R; 2]) -> (R, [R; 2]) {
        let m = k.beta1 * m + k.one_minus_beta1 * g;
        let q = g * g;
        let v = v - k.one_minus_beta2 * ((v - q).sign() * q);
        (p - (k.step_size * m) / (v.sqrt() * k.scale + k.eps), [m, v])
    }
}

options!(pub(super) Yogi {
    lr: f64,
    betas: DecayRates,
    eps: f64,
    initial_accumulator_value: f64,
});

impl Method for Yogi {
    /// Both averages start there, as optax has it.
    fn states(&self) -> Vec<State> {
        let initial = self.initial_accumulator_value;
        vec![State { name: "exp_avg", initial }, State { name: "exp_avg_sq", initial }]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let (beta1, beta2) = self.betas.0;
        let (step_size, scale) = self.betas.corrections(self.lr, clock.t);
        YogiScalars {
            beta1,
            one_minus_beta1: 1.0 - beta1,
            one_minus_beta2: 1.0 - beta2,
            step_size,
            scale,
            eps: self.eps,
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<2, Additive>()
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
            ("initial_accumulator_value", Value::Number(1.0)),
        ];
        // v = 1 + 0.25*16, then 5 - 0.25*1: up by a quarter of 16, down by a quarter of 1.
        let (p, state) = run("Yogi", &options, 1.0, &[4.0, 1.0]);
        let m = [0.5 + 2.0, 1.25 + 0.5];
        close(p[0], 1.0 - 0.5 / 0.5 * m[0] / ((5.0_f64 / 0.25).sqrt() + 1.0));
        close(p[1], p[0] - 0.5 / 0.75 * m[1] / ((4.75_f64 / 0.4375).sqrt() + 1.0));
        close(state[1], 4.75);
    }
}
