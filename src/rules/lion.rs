//! Lion. Chen et al. 2023, arXiv:2302.06675, algorithm 2: only the sign of an average of gradients
//! counts, and the average that is kept is a slower one.
//!
//! `p = p - lr*sign(b1*m + c1*g), with the old m;  m = b2*m + c2*g;  c = 1 - b`

use super::cautious::{Cautious, Stepping};
use super::method::{Clock, Method, State};
use super::options::options;
use super::rule::Visitor;
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(LionScalars { lr, beta1, one_minus_beta1, beta2, one_minus_beta2 });

struct Sign;

impl Stepping<1> for Sign {
    type Scalars<R: Real> = LionScalars<R>;
    const STATES: [&'static str; 1] = ["m"];
    const STORED_IN_ALL: bool = true;

    #[inline(always)]
    fn step<R: Real>(k: &LionScalars<R>, g: R, [m]: [R; 1]) -> (R, [R; 1]) {
        let u = k.beta1 * m + k.one_minus_beta1 * g;
        let m = k.beta2 * m + k.one_minus_beta2 * g;
        (k.lr * u.sign(), [m])
    }
}

options!(pub(super) Lion { lr: f64, betas: (f64, f64), cautious: bool });

impl Method for Lion {
    fn states(&self) -> Vec<State> {
        vec![State { name: "exp_avg", initial: 0.0 }]
    }

    fn scalars(&self, _clock: Clock) -> ScalarBlock {
        let (beta1, beta2) = self.betas;
        LionScalars {
            lr: self.lr,
            beta1,
            one_minus_beta1: 1.0 - beta1,
            beta2,
            one_minus_beta2: 1.0 - beta2,
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        if self.cautious {
            visitor.visit_measuring::<1, 1, Cautious<Sign>>()
        } else {
            visitor.visit::<1, Sign>()
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
            ("cautious", Value::Flag(false)),
        ];
        // The averages are 2, 0.5*1 - 0.25 and 0: a step down, one more, none.
        let (p, state) = run("Lion", &options, 1.0, &[4.0, -0.5, -0.625]);
        close(p[0], 0.5);
        close(p[1], 0.0);
        close(p[2], 0.0);
        close(state[0], 0.3125);
    }
}
