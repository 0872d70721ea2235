//! Adagrad. Duchi, Hazan & Singer 2011.
//!
//! `s = s + g*g;  p = p - (lr_t*g)/(sqrt(s) + eps)` with `lr_t = lr/(1 + (t-1)*lr_decay)`

use super::method::{Clock, Method, State};
use super::options::options;
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(AdagradScalars { lr, eps });

struct Sum<const EPS_INSIDE: bool>;

impl<const EPS_INSIDE: bool> Rule<1> for Sum<EPS_INSIDE> {
    type Scalars<R: Real> = AdagradScalars<R>;
    const STATES: [&'static str; 1] = ["s"];
    const STORED_IN_ALL: bool = true;

    #[inline(always)]
    fn update<R: Real>(k: &AdagradScalars<R>, p: R, g: R, [s]: [R; 1]) -> (R, [R; 1]) {
        let s = s + g * g;
        let root = if EPS_INSIDE { (s + k.eps).sqrt() } else { s.sqrt() + k.eps };
        (p - (k.lr * g) / root, [s])
    }
}

options!(pub(super) Adagrad {
    lr: f64,
    lr_decay: f64,
    eps: f64,
    eps_inside_sqrt: bool,
    initial_accumulator_value: f64,
});

impl Method for Adagrad {
    fn states(&self) -> Vec<State> {
        vec![State { name: "sum", initial: self.initial_accumulator_value }]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let lr = self.lr / (1.0 + (clock.t - 1) as f64 * self.lr_decay);
        AdagradScalars { lr, eps: self.eps }.block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        if self.eps_inside_sqrt {
            visitor.visit::<1, Sum<true>>()
        } else {
            visitor.visit::<1, Sum<false>>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        let options = |inside| {
            [
                ("lr", Value::Number(0.5)),
                ("lr_decay", Value::Number(1.0)),
                ("eps", Value::Number(1.0)),
                ("eps_inside_sqrt", Value::Flag(inside)),
                ("initial_accumulator_value", Value::Number(0.0)),
            ]
        };
        let (p, state) = run("Adagrad", &options(false), 1.0, &[3.0, 4.0]);
        close(p[0], 1.0 - 1.5 / 4.0);
        close(p[1], p[0] - (0.25 * 4.0) / (5.0 + 1.0));
        close(state[0], 25.0);
        let (p, _) = run("Adagrad", &options(true), 1.0, &[3.0]);
        close(p[0], 1.0 - 1.5 / 10.0_f64.sqrt());
    }
}
