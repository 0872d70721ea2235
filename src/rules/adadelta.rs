//! AdaDelta. Zeiler 2012, arXiv:1212.5701, algorithm 1, with torch's learning rate.
//!
//! `r = rho*r + c*(g*g);  d = (sqrt(a+eps)/sqrt(r+eps))*g;  a = rho*a + c*(d*d);  p = p - lr*d`

use super::method::{Clock, Method, State};
use super::options::options;
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(AdadeltaScalars { lr, rho, one_minus_rho, eps });

struct Delta;

impl Rule<2> for Delta {
    type Scalars<R: Real> = AdadeltaScalars<R>;
    const STATES: [&'static str; 2] = ["r", "a"];

    #[inline(always)]
    fn update<R: Real>(k: &AdadeltaScalars<R>, p: R, g: R, [r, a]: [R; 2]) -> (R, [R; 2]) {
        let r = k.rho * r + k.one_minus_rho * (g * g);
        let d = ((a + k.eps).sqrt() / (r + k.eps).sqrt()) * g;
        let a = k.rho * a + k.one_minus_rho * (d * d);
        (p - k.lr * d, [r, a])
    }
}

options!(pub(super) Adadelta {
    lr: f64,
    rho: f64,
    eps: f64,
});

impl Method for Adadelta {
    fn states(&self) -> Vec<State> {
        ["square_avg", "acc_delta"].map(|name| State { name, initial: 0.0 }).to_vec()
    }

    fn scalars(&self, _clock: Clock) -> ScalarBlock {
        AdadeltaScalars { lr: self.lr, rho: self.rho, one_minus_rho: 1.0 - self.rho, eps: self.eps }
            .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<2, Delta>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        let options =
            [("lr", Value::Number(0.5)), ("rho", Value::Number(0.75)), ("eps", Value::Number(3.0))];
        let (p, state) = run("Adadelta", &options, 1.0, &[2.0]);
        let d = 3.0_f64.sqrt() / 2.0 * 2.0;
        close(p[0], 1.0 - 0.5 * d);
        close(state[0], 1.0);
        close(state[1], 0.25 * 3.0);
    }
}
