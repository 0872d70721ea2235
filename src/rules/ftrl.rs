//! FTRL-Proximal. McMahan et al. 2013 (KDD), algorithm 1, with the shrinkage and the doubled `l2` of
//! TensorFlow and Keras: weights that do not earn their keep are exactly 0.
//!
//! `new = n + g*g;  h = g + (2*shrink)*p;  z = (z + h) - ((sqrt(new) - sqrt(n))/lr)*p;
//! p = (clamp(z, -l1, l1) - z)/(sqrt(new)/lr + 2*(l2 + beta/(2*lr)))`

use super::method::{Clock, Method, State};
use super::options::options;
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(FtrlScalars { per_rate, l1, twice_shrinkage, twice_l2 });

struct Proximal;

impl Rule<2> for Proximal {
    type Scalars<R: Real> = FtrlScalars<R>;
    const STATES: [&'static str; 2] = ["n", "z"];

    #[inline(always)]
    fn update<R: Real>(k: &FtrlScalars<R>, p: R, g: R, [n, z]: [R; 2]) -> (R, [R; 2]) {
        let new = n + g * g;
        let h = g + k.twice_shrinkage * p;
        let z = (z + h) - ((new.sqrt() - n.sqrt()) * k.per_rate) * p;
        let excess = z.clamp(R::constant(0.0) - k.l1, k.l1) - z;
        (excess / (new.sqrt() * k.per_rate + k.twice_l2), [new, z])
    }
}

options!(pub(super) Ftrl {
    lr: f64,
    l1: f64,
    l2: f64,
    l2_shrinkage: f64,
    beta: f64,
    initial_accumulator_value: f64,
});

impl Method for Ftrl {
    fn states(&self) -> Vec<State> {
        vec![
            State { name: "accumulator", initial: self.initial_accumulator_value },
            State { name: "linear", initial: 0.0 },
        ]
    }

    fn scalars(&self, _clock: Clock) -> ScalarBlock {
        FtrlScalars {
            per_rate: 1.0 / self.lr,
            l1: self.l1,
            twice_shrinkage: 2.0 * self.l2_shrinkage,
            twice_l2: 2.0 * (self.l2 + self.beta / (2.0 * self.lr)),
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<2, Proximal>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        let options = [
            ("lr", Value::Number(0.5)),
            ("l1", Value::Number(1.0)),
            ("l2", Value::Number(0.25)),
            ("l2_shrinkage", Value::Number(0.5)),
            ("beta", Value::Number(2.0)),
            ("initial_accumulator_value", Value::Number(16.0)),
        ];
        // h = 3 + 1*1; the roots are 4 and 5: z = 4 - (1/0.5)*1 = 2, of which 1 is too much.
        let (p, state) = run("FTRL", &options, 1.0, &[3.0]);
        close(state[0], 25.0);
        close(state[1], 2.0);
        close(p[0], -1.0 / (5.0 / 0.5 + 2.0 * (0.25 + 2.0)));
    }
}
