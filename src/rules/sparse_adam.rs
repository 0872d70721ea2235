//! SparseAdam, torch's: Adam (arXiv:1412.6980) of those rows alone that have a gradient, its corrections
//! before eps is added.
//!
//! `m`, `v` as Adam's; `p = p - (step*m)/(sqrt(v) + eps)`

use super::adam::{AdamScalars, Plain};
use super::method::{Clock, Method, State};
use super::options::{DecayRates, options};
use super::rule::Visitor;
use super::scalars::ScalarBlock;

options!(pub(super) SparseAdam { lr: f64, betas: DecayRates, eps: f64 });

impl Method for SparseAdam {
    fn states(&self) -> Vec<State> {
        vec![State { name: "exp_avg", initial: 0.0 }, State { name: "exp_avg_sq", initial: 0.0 }]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let step_size = self.betas.correction_before_eps(self.lr, clock.t);
        AdamScalars::of(&self.betas, (step_size, 1.0), self.eps).block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<2, Plain>()
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
        ];
        // m = 1 and v = 1; corrected, the step is 0.5*0.5/0.5.
        let (p, state) = run("SparseAdam", &options, 1.0, &[2.0]);
        close(p[0], 1.0 - 0.5 * 1.0 / (1.0 + 1.0));
        close(state[0], 1.0);
        close(state[1], 1.0);
    }
}
