//! A gain per weight that grows additively while the direction stays and shrinks
//! multiplicatively when it turns: the lecture; Jacobs 1988 (delta-bar-delta); Hinton's lecture 6.
//! `compare="velocity"` and `"sign"` are the forms of t-SNE (van der Maaten & Hinton 2008).
//!
//! `gain = clamp(gain + beta or gain*(1-beta));  p = p - lr*(gain*g)`, or with momentum
//! `v = mu*v - lr*(gain*g);  p = p + v`

use super::method::{Clock, Method, State};
use super::options::{Factor, options};
use super::rule::{Rule, Visitor};
use super::scalars::{ScalarBlock, scalars};
use crate::number::Real;

scalars!(GainScalars { lr, beta, one_minus_beta, min_gain, max_gain, momentum });

impl<R: Real> GainScalars<R> {
    /// The gain after comparing this gradient with the previous one; at a zero it rests.
    #[inline(always)]
    fn by_gradient(&self, gain: R, g: R, prev: R) -> R {
        let shrunk = R::select(g.opposite_sign(prev), gain * self.one_minus_beta, gain);
        let gain = R::select(g.same_sign(prev), gain + self.beta, shrunk);
        gain.clamp(self.min_gain, self.max_gain)
    }

    /// The gain after comparing the gradient with the running update, which points downhill: it
    /// grows where they have opposite strict signs, with SIGN where they have not the same sign, of
    /// which 0 is one. (Signs differ by whole numbers, or by a NaN's NaN, which is not below 0.5.)
    #[inline(always)]
    fn by_velocity<const SIGN: bool>(&self, gain: R, g: R, v: R) -> R {
        let (grown, shrunk) = (gain + self.beta, gain * self.one_minus_beta);
        let gain = if SIGN {
            R::select((g.sign() - v.sign()).abs().lt(R::constant(0.5)), shrunk, grown)
        } else {
            R::select(g.opposite_sign(v), grown, shrunk)
        };
        gain.clamp(self.min_gain, self.max_gain)
    }

    #[inline(always)]
    fn accelerate(&self, v: R, gain: R, g: R) -> R {
        self.momentum * v - self.lr * (gain * g)
    }
}

struct Gradient;

impl Rule<2> for Gradient {
    type Scalars<R: Real> = GainScalars<R>;
    const STATES: [&'static str; 2] = ["gain", "prev"];

    #[inline(always)]
    fn update<R: Real>(k: &GainScalars<R>, p: R, g: R, [gain, prev]: [R; 2]) -> (R, [R; 2]) {
        let gain = k.by_gradient(gain, g, prev);
        (p - k.lr * (gain * g), [gain, g])
    }
}

struct GradientWithMomentum;

impl Rule<3> for GradientWithMomentum {
    type Scalars<R: Real> = GainScalars<R>;
    const STATES: [&'static str; 3] = ["gain", "prev", "v"];

    #[inline(always)]
    fn update<R: Real>(k: &GainScalars<R>, p: R, g: R, [gain, prev, v]: [R; 3]) -> (R, [R; 3]) {
        let gain = k.by_gradient(gain, g, prev);
        let v = k.accelerate(v, gain, g);
        (p + v, [gain, g, v])
    }
}

struct Velocity<const SIGN: bool>;

impl<const SIGN: bool> Rule<2> for Velocity<SIGN> {
    type Scalars<R: Real> = GainScalars<R>;
    const STATES: [&'static str; 2] = ["gain", "v"];

    #[inline(always)]
    fn update<R: Real>(k: &GainScalars<R>, p: R, g: R, [gain, v]: [R; 2]) -> (R, [R; 2]) {
        let gain = k.by_velocity::<SIGN>(gain, g, v);
        let v = k.accelerate(v, gain, g);
        (p + v, [gain, v])
    }
}

options!(pub(super) AdaptiveGains {
    lr: f64,
    beta: f64,
    min_gain: f64,
    max_gain: f64,
    momentum: Factor,
    compare: String,
});

impl Method for AdaptiveGains {
    fn states(&self) -> Vec<State> {
        let mut states = vec![State { name: "gain", initial: 1.0 }];
        if self.compare == "gradient" {
            states.push(State { name: "prev", initial: 0.0 });
        }
        if self.momentum.0 != 0.0 {
            states.push(State { name: "velocity", initial: 0.0 });
        }
        states
    }

    fn scalars(&self, _clock: Clock) -> ScalarBlock {
        GainScalars {
            lr: self.lr,
            beta: self.beta,
            one_minus_beta: 1.0 - self.beta,
            min_gain: self.min_gain,
            max_gain: self.max_gain,
            momentum: self.momentum.0,
        }
        .block()
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output {
        match (self.compare.as_str(), self.momentum.0 != 0.0) {
            ("velocity", _) => visitor.visit::<2, Velocity<false>>(),
            ("sign", _) => visitor.visit::<2, Velocity<true>>(),
            (_, false) => visitor.visit::<2, Gradient>(),
            (_, true) => visitor.visit::<3, GradientWithMomentum>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Value, close, run};

    fn gains(momentum: f64, compare: &str) -> Vec<(&'static str, Value)> {
        vec![
            ("lr", Value::Number(0.5)),
            ("beta", Value::Number(0.25)),
            ("min_gain", Value::Number(0.5)),
            ("max_gain", Value::Number(1.5)),
            ("momentum", Value::Number(momentum)),
            ("compare", Value::Word(compare.to_owned())),
        ]
    }

    #[test]
    fn worked_numbers() {
        // Gains 1 (prev is 0), 1.25, 1.5 (capped from 1.5), 1.125.
        let (p, state) = run("AdaptiveGains", &gains(0.0, "gradient"), 0.0, &[2.0, 2.0, 2.0, -2.0]);
        close(p[0], -1.0);
        close(p[1], -2.25);
        close(p[2], -3.75);
        close(p[3], -2.625);
        close(state[0], 1.125);
    }

    #[test]
    fn velocity_shrinks_at_zero_and_grows_downhill() {
        let (p, state) = run("AdaptiveGains", &gains(0.5, "velocity"), 0.0, &[2.0, 2.0]);
        close(p[0], -0.75);
        close(state[0], 1.0);
        close(state[1], -0.375 - 1.0);
    }

    #[test]
    fn sign_grows_where_one_is_zero_and_shrinks_where_both_are() {
        let options = gains(0.5, "sign");
        let (_, state) = run("AdaptiveGains", &options, 0.0, &[2.0]);
        close(state[0], 1.25);
        let (_, state) = run("AdaptiveGains", &options, 0.0, &[0.0]);
        close(state[0], 0.75);
        // The velocity is -1.25 when the gradient is 0, then -0.625 when it has its sign.
        let (p, state) = run("AdaptiveGains", &options, 0.0, &[2.0, 0.0, -2.0]);
        close(p[1], -1.25 - 0.625);
        close(state[0], 1.5 * 0.75);
        close(state[1], -0.3125 + 1.125);
    }
}
