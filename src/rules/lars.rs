//! LARS. You, Gitman & Ginsburg 2017, arXiv:1708.03888, in the form of apex and timm: momentum, with a rate
//! for each tensor that its length and that of its gradient give.
//!
//! `ratio = trust*|p|/(|g| + wd*|p| + eps), or 1 if a norm is 0;  d = ratio*(g + wd*p);
//! buf = momentum*buf + (1-dampening)*d, at first d;  p = p - lr*buf`, or Nesterov's `d + momentum*buf`.

use super::measure::Added;
use super::method::{Clock, Method, State};
use super::options::options;
use super::rule::{Measuring, Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

// The ratio is the trust coefficient until the norms are known.
scalars!(LarsScalars { lr, momentum, carry, one_minus_dampening, decay, ratio, eps, max_ratio });

struct Layerwise<const NESTEROV: bool>;

impl<const NESTEROV: bool> Rule<1> for Layerwise<NESTEROV> {
    type Scalars<R: Real> = LarsScalars<R>;
    const STATES: [&'static str; 1] = ["buf"];

    #[inline(always)]
    fn update<R: Real>(k: &LarsScalars<R>, p: R, g: R, [buf]: [R; 1]) -> (R, [R; 1]) {
        let d = k.ratio * (g + k.decay * p);
        let buf = k.carry * buf + k.one_minus_dampening * d;
        let d = if NESTEROV { d + k.momentum * buf } else { buf };
        (p - k.lr * d, [buf])
    }
}

impl<const NESTEROV: bool> Measuring<1, 2> for Layerwise<NESTEROV> {
    const ADDED: [Added; 2] = [Added::Squared; 2];

    #[inline(always)]
    fn terms<R: Real>(_: &LarsScalars<R>, p: R, g: R, _: [R; 1]) -> [R; 2] {
        [p, g]
    }

    fn measured<R: Real>(mut k: LarsScalars<R>, [p, g]: [R; 2], _: R) -> LarsScalars<R> {
        let (zero, one) = (R::constant(0.0), R::constant(1.0));
        let (norm_p, norm_g) = (p.sqrt(), g.sqrt());
        let ratio = (k.ratio * norm_p) / ((norm_g + k.decay * norm_p) + k.eps);
        let ratio = R::select(k.max_ratio.lt(ratio), k.max_ratio, ratio);
        k.ratio = R::select(zero.lt(p) & zero.lt(g), ratio, one);
        k
    }
}

options!(pub(super) Lars {
    lr: f64,
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    trust_coefficient: f64,
    trust_clip: bool,
    eps: f64,
    weight_decay: f64,
    decoupled_weight_decay: bool,
});

impl Method for Lars {
    fn states(&self) -> Vec<State> {
        vec![State { name: "momentum_buffer", initial: -0.0 }]
    }

    /// At its first use the buffer is the direction itself, as SGD's.
    fn scalars(&self, clock: Clock) -> ScalarBlock {
        let (carry, one_minus_dampening) =
            if clock.fresh { (0.0, 1.0) } else { (self.momentum, 1.0 - self.dampening) };
        // Clipped (LARC), the rate with the ratio in it is at most `lr`.
        let (ratio, max_ratio) = match self.trust_clip {
            true => (self.trust_coefficient / self.lr, 1.0),
            false => (self.trust_coefficient, f64::INFINITY),
        };
        LarsScalars {
            lr: self.lr,
            momentum: self.momentum,
            carry,
            one_minus_dampening,
            decay: self.decays().unwrap_or(0.0),
            ratio,
            eps: self.eps,
            max_ratio,
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        if self.nesterov {
            visitor.visit_measuring::<1, 2, Layerwise<true>>()
        } else {
            visitor.visit_measuring::<1, 2, Layerwise<false>>()
        }
    }

    /// Its ratio knows the gradient without the decay.
    fn decays(&self) -> Option<f64> {
        (!self.decoupled_weight_decay).then_some(self.weight_decay)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    #[test]
    fn worked_numbers() {
        let options = |trust_clip| {
            [
                ("lr", Value::Number(0.5)),
                ("momentum", Value::Number(0.5)),
                ("dampening", Value::Number(0.25)),
                ("nesterov", Value::Flag(false)),
                ("trust_coefficient", Value::Number(0.25)),
                ("trust_clip", Value::Flag(trust_clip)),
                ("eps", Value::Number(1.0)),
                ("weight_decay", Value::Number(0.5)),
                ("decoupled_weight_decay", Value::Flag(false)),
            ]
        };
        // ratio = 1/4*4/(1 + 1/2*4 + 1) = 1/4, d = 1/4*(1 + 2) = 3/4.
        let (p, state) = run("LARS", &options(false), 4.0, &[1.0]);
        close(p[0], 4.0 - 0.5 * 0.75);
        close(state[0], 0.75);
        // Clipped, the ratio is 1/4 by lr.
        let (p, _) = run("LARS", &options(true), 4.0, &[1.0]);
        close(p[0], 4.0 - 0.5 * 1.5);
        let (p, _) = run("LARS", &options(false), 0.0, &[1.0, 1.0]);
        close(p[0], -0.5);
    }
}
