//! Rprop. Riedmiller & Braun 1993; as torch has it, iRprop- (Igel & Huesken 2000): only signs
//! count, and a weight whose gradient turned waits one step.
//!
//! `g*prev > 0: step*eta_plus;  < 0: step*eta_minus and g = 0;  clamp;  p = p - sign(g)*step`

use super::method::{Clock, Method, State};
use super::options::options;
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(RpropScalars { eta_minus, eta_plus, min_step, max_step });

struct Minus;

impl Rule<2> for Minus {
    type Scalars<R: Real> = RpropScalars<R>;
    const STATES: [&'static str; 2] = ["prev", "step"];

    #[inline(always)]
    fn update<R: Real>(k: &RpropScalars<R>, p: R, g: R, [prev, step]: [R; 2]) -> (R, [R; 2]) {
        let turned = g.opposite_sign(prev);
        let shrunk = R::select(turned, step * k.eta_minus, step);
        let step = R::select(g.same_sign(prev), step * k.eta_plus, shrunk);
        let step = step.clamp(k.min_step, k.max_step);
        let g = R::select(turned, R::constant(0.0), g);
        (p - g.sign() * step, [g, step])
    }
}

options!(pub(super) Rprop {
    lr: f64,
    etas: (f64, f64),
    step_sizes: (f64, f64),
});

impl Method for Rprop {
    fn states(&self) -> Vec<State> {
        vec![State { name: "prev", initial: 0.0 }, State { name: "step_size", initial: self.lr }]
    }

    fn scalars(&self, _clock: Clock) -> ScalarBlock {
        let ((eta_minus, eta_plus), (min_step, max_step)) = (self.etas, self.step_sizes);
        RpropScalars { eta_minus, eta_plus, min_step, max_step }.block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.visit::<2, Minus>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        let options = [
            ("lr", Value::Number(0.5)),
            ("etas", Value::Pair(0.5, 2.0)),
            ("step_sizes", Value::Pair(0.1, 1.0)),
        ];
        // Steps 0.5, 1.0, 1.0 (capped); the turn halves the step and waits; then 0.5 back.
        let (p, state) = run("Rprop", &options, 0.0, &[3.0, 1e-300, 7.0, -1.0, -1.0]);
        for (found, wanted) in p.iter().zip([-0.5, -1.5, -2.5, -2.5, -2.0]) {
            close(*found, wanted);
        }
        close(state[1], 0.5);
    }
}
