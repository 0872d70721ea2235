//! RMSProp. Hinton, Neural Networks for Machine Learning, lecture 6e (2012); centered: Graves
//! 2013, arXiv:1308.0850; momentum as torch has it.
//!
//! `r = alpha*r + c*(g*g);  p = p - (lr*g)/(sqrt(r) + eps)`; centered, the root is of
//! `r - a*a` with `a = alpha*a + c*g`; with momentum `b = mu*b + g/(..);  p = p - lr*b`

use super::method::{Clock, Method, State};
use super::options::{Factor, options};
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(RmsScalars { lr, alpha, one_minus_alpha, eps, momentum });

impl<R: Real> RmsScalars<R> {
    #[inline(always)]
    fn average(&self, average: R, x: R) -> R {
        self.alpha * average + self.one_minus_alpha * x
    }

    #[inline(always)]
    fn root<const EPS_INSIDE: bool>(&self, r: R) -> R {
        if EPS_INSIDE { (r + self.eps).sqrt() } else { r.sqrt() + self.eps }
    }
}

/// The variance `r - a*a`, which rounding can make negative: 0 then, where torch gives NaN.
#[inline(always)]
fn centered<R: Real>(r: R, a: R) -> R {
    let d = r - a * a;
    R::select(d.lt(R::constant(0.0)), R::constant(0.0), d)
}

struct Plain<const EPS_INSIDE: bool>;

impl<const EPS_INSIDE: bool> Rule<1> for Plain<EPS_INSIDE> {
    type Scalars<R: Real> = RmsScalars<R>;
    const STATES: [&'static str; 1] = ["r"];
    const STORED_IN_ALL: bool = true;

    #[inline(always)]
    fn update<R: Real>(k: &RmsScalars<R>, p: R, g: R, [r]: [R; 1]) -> (R, [R; 1]) {
        let r = k.average(r, g * g);
        (p - (k.lr * g) / k.root::<EPS_INSIDE>(r), [r])
    }
}

struct Centered<const EPS_INSIDE: bool>;

impl<const EPS_INSIDE: bool> Rule<2> for Centered<EPS_INSIDE> {
    type Scalars<R: Real> = RmsScalars<R>;
    const STATES: [&'static str; 2] = ["r", "a"];

    #[inline(always)]
    fn update<R: Real>(k: &RmsScalars<R>, p: R, g: R, [r, a]: [R; 2]) -> (R, [R; 2]) {
        let (r, a) = (k.average(r, g * g), k.average(a, g));
        (p - (k.lr * g) / k.root::<EPS_INSIDE>(centered(r, a)), [r, a])
    }
}

struct WithMomentum<const EPS_INSIDE: bool>;

impl<const EPS_INSIDE: bool> Rule<2> for WithMomentum<EPS_INSIDE> {
    type Scalars<R: Real> = RmsScalars<R>;
    const STATES: [&'static str; 2] = ["r", "b"];

    #[inline(always)]
    fn update<R: Real>(k: &RmsScalars<R>, p: R, g: R, [r, b]: [R; 2]) -> (R, [R; 2]) {
        let r = k.average(r, g * g);
        let b = k.momentum * b + g / k.root::<EPS_INSIDE>(r);
        (p - k.lr * b, [r, b])
    }
}

struct CenteredWithMomentum<const EPS_INSIDE: bool>;

impl<const EPS_INSIDE: bool> Rule<3> for CenteredWithMomentum<EPS_INSIDE> {
    type Scalars<R: Real> = RmsScalars<R>;
    const STATES: [&'static str; 3] = ["r", "a", "b"];

    #[inline(always)]
    fn update<R: Real>(k: &RmsScalars<R>, p: R, g: R, [r, a, b]: [R; 3]) -> (R, [R; 3]) {
        let (r, a) = (k.average(r, g * g), k.average(a, g));
        let b = k.momentum * b + g / k.root::<EPS_INSIDE>(centered(r, a));
        (p - k.lr * b, [r, a, b])
    }
}

options!(pub(super) RmsProp {
    lr: f64,
    alpha: f64,
    eps: f64,
    momentum: Factor,
    centered: bool,
    eps_inside_sqrt: bool,
    initial_accumulator_value: f64,
});

impl RmsProp {
    fn variant<const EPS_INSIDE: bool, V: Visitor>(&self, visitor: V) -> V::Output {
        match (self.centered, self.momentum.0 != 0.0) {
            (false, false) => visitor.visit::<1, Plain<EPS_INSIDE>>(),
            (true, false) => visitor.visit::<2, Centered<EPS_INSIDE>>(),
            (false, true) => visitor.visit::<2, WithMomentum<EPS_INSIDE>>(),
            (true, true) => visitor.visit::<3, CenteredWithMomentum<EPS_INSIDE>>(),
        }
    }
}

impl Method for RmsProp {
    fn states(&self) -> Vec<State> {
        let mut states =
            vec![State { name: "square_avg", initial: self.initial_accumulator_value }];
        if self.centered {
            states.push(State { name: "grad_avg", initial: 0.0 });
        }
        if self.momentum.0 != 0.0 {
            states.push(State { name: "momentum_buffer", initial: 0.0 });
        }
        states
    }

    fn scalars(&self, _clock: Clock) -> ScalarBlock {
        RmsScalars {
            lr: self.lr,
            alpha: self.alpha,
            one_minus_alpha: 1.0 - self.alpha,
            eps: self.eps,
            momentum: self.momentum.0,
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        if self.eps_inside_sqrt {
            self.variant::<true, V>(visitor)
        } else {
            self.variant::<false, V>(visitor)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    fn rmsprop(momentum: f64, centered: bool, inside: bool) -> Vec<(&'static str, Value)> {
        vec![
            ("lr", Value::Number(0.5)),
            ("alpha", Value::Number(0.75)),
            ("eps", Value::Number(3.0)),
            ("momentum", Value::Number(momentum)),
            ("centered", Value::Flag(centered)),
            ("eps_inside_sqrt", Value::Flag(inside)),
            ("initial_accumulator_value", Value::Number(0.0)),
        ]
    }

    #[test]
    fn worked_numbers() {
        let (p, state) = run("RMSprop", &rmsprop(0.0, false, false), 1.0, &[2.0]);
        close(p[0], 1.0 - 1.0 / (1.0 + 3.0));
        close(state[0], 1.0);
        let (p, _) = run("RMSprop", &rmsprop(0.0, false, true), 1.0, &[2.0]);
        close(p[0], 1.0 - 1.0 / 2.0);
    }

    #[test]
    fn centered_with_momentum() {
        let (p, state) = run("RMSprop", &rmsprop(0.5, true, true), 1.0, &[2.0]);
        let b = 2.0 / (1.0_f64 - 0.25 + 3.0).sqrt();
        close(p[0], 1.0 - 0.5 * b);
        close(state[1], 0.5);
        close(state[2], b);
    }
}
