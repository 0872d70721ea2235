//! Momentum as the lecture, Keras and scikit-learn have it: the learning rate is inside the
//! velocity. Polyak 1964; Nesterov's form as Sutskever et al. 2013 rearranged it.
//!
//! `v = mu*v - lr*g;  p = p + v, or p + (mu*v - lr*g) with Nesterov and the new v`

use super::method::{Clock, Method, State};
use super::options::options;
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(MomentumScalars { lr, momentum });

struct Velocity<const NESTEROV: bool>;

impl<const NESTEROV: bool> Rule<1> for Velocity<NESTEROV> {
    type Scalars<R: Real> = MomentumScalars<R>;
    const STATES: [&'static str; 1] = ["v"];
    const STORED_IN_ALL: bool = true;

    #[inline(always)]
    fn update<R: Real>(k: &MomentumScalars<R>, p: R, g: R, [v]: [R; 1]) -> (R, [R; 1]) {
        let v = k.momentum * v - k.lr * g;
        let d = if NESTEROV { k.momentum * v - k.lr * g } else { v };
        (p + d, [v])
    }
}

options!(pub(super) Momentum {
    lr: f64,
    momentum: f64,
    nesterov: bool,
});

impl Method for Momentum {
    fn states(&self) -> Vec<State> {
        vec![State { name: "velocity", initial: 0.0 }]
    }

    fn scalars(&self, _clock: Clock) -> ScalarBlock {
        MomentumScalars { lr: self.lr, momentum: self.momentum }.block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        if self.nesterov {
            visitor.visit::<1, Velocity<true>>()
        } else {
            visitor.visit::<1, Velocity<false>>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        let options = |nesterov| {
            [
                ("lr", Value::Number(0.5)),
                ("momentum", Value::Number(0.5)),
                ("nesterov", Value::Flag(nesterov)),
            ]
        };
        let (p, state) = run("Momentum", &options(false), 1.0, &[2.0, 4.0]);
        close(p[0], 0.0);
        close(p[1], -2.5);
        close(state[0], -2.5);
        let (p, _) = run("Momentum", &options(true), 1.0, &[2.0]);
        close(p[0], 1.0 + (-0.5 - 1.0));
    }
}
