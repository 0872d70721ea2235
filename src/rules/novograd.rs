//! NovoGrad. Ginsburg et al. 2019, arXiv:1905.11286, algorithm 1: momentum of gradients that are divided by
//! a norm of their tensor, whose average is one number.
//!
//! `v = b2*v + c2*|g|^2, at first |g|^2;  d = g/(sqrt(v) + eps) + wd*p;  m = b1*m + d, at first d;
//! p = p - lr*m`

use super::measure::Added;
use super::method::{Clock, Memory, Method, State};
use super::options::options;
use super::remembered::{Number, Wanted};
use super::rule::{MAX_SUMS, Measuring, Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(NovoGradScalars { lr, carry, decay, inverse, v, beta2, one_minus_beta2, eps });

impl<R: Real> NovoGradScalars<R> {
    /// The new average of squared norms.
    fn average(&self, q: R) -> R {
        self.beta2 * self.v + self.one_minus_beta2 * q
    }
}

struct Layerwise;

impl Rule<1> for Layerwise {
    type Scalars<R: Real> = NovoGradScalars<R>;
    const STATES: [&'static str; 1] = ["m"];

    #[inline(always)]
    fn update<R: Real>(k: &NovoGradScalars<R>, p: R, g: R, [m]: [R; 1]) -> (R, [R; 1]) {
        let m = k.carry * m + (g * k.inverse + k.decay * p);
        (p - k.lr * m, [m])
    }
}

impl Measuring<1, 1> for Layerwise {
    const ADDED: [Added; 1] = [Added::Squared];

    #[inline(always)]
    fn terms<R: Real>(_: &NovoGradScalars<R>, _: R, g: R, _: [R; 1]) -> [R; 1] {
        [g]
    }

    fn measured<R: Real>(mut k: NovoGradScalars<R>, [q]: [R; 1], _: R) -> NovoGradScalars<R> {
        k.v = k.average(q);
        k.inverse = R::constant(1.0) / (k.v.sqrt() + k.eps);
        k
    }
}

options!(pub(super) NovoGrad {
    lr: f64,
    betas: (f64, f64),
    eps: f64,
    weight_decay: f64,
    decoupled_weight_decay: bool,
});

impl NovoGrad {
    /// In the first step nothing of the averages stays, whatever there was.
    fn named(&self, clock: Clock) -> NovoGradScalars<f64> {
        let first = clock.t == 1 || clock.fresh;
        let (beta1, beta2) = if first { (0.0, 0.0) } else { self.betas };
        NovoGradScalars {
            lr: self.lr,
            carry: beta1,
            decay: self.decays().unwrap_or(0.0),
            inverse: 1.0,
            v: if first { 0.0 } else { clock.memory.0[0] },
            beta2,
            one_minus_beta2: 1.0 - beta2,
            eps: self.eps,
        }
    }
}

impl Method for NovoGrad {
    fn states(&self) -> Vec<State> {
        vec![State { name: "exp_avg", initial: 0.0 }]
    }

    fn memory(&self) -> Vec<Number> {
        vec![Number { name: "exp_avg_sq", initial: 0.0, wanted: Wanted::Sum }]
    }

    fn scalars(&self, clock: Clock) -> ScalarBlock {
        self.named(clock).block()
    }

    fn remember(&self, clock: Clock, sums: &[f64; MAX_SUMS]) -> Memory {
        let mut memory = clock.memory;
        memory.0[0] = self.named(clock).average(sums[0]);
        memory
    }

    fn remembers_sums(&self) -> bool {
        true
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit_measuring::<1, 1, Layerwise>()
    }

    /// It is added to the gradient once that is divided.
    fn decays(&self) -> Option<f64> {
        (!self.decoupled_weight_decay).then_some(self.weight_decay)
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
            ("weight_decay", Value::Number(0.25)),
            ("decoupled_weight_decay", Value::Flag(false)),
        ];
        // v = 9, d = 3/4 + 1/4; then v = 9, d = 3/4 + 1/8.
        let (p, state) = run("NovoGrad", &options, 1.0, &[3.0, 3.0]);
        close(p[0], 0.5);
        close(state[0], 0.5 + 0.875);
        close(p[1], 0.5 - 0.5 * 1.375);
    }
}
