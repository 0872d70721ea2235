//! A gain per weight that grows additively while the direction stays and shrinks
//! multiplicatively when it turns: the lecture; Jacobs 1988 (delta-bar-delta); Hinton's lecture 6.
//! `compare="velocity"` is the form of t-SNE (van der Maaten & Hinton 2008).
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

    /// The gain after comparing the gradient with the running update, which points downhill:
    /// opposite signs mean that the weight keeps its direction. Zero counts as a turn.
    #[inline(always)]
    fn by_velocity(&self, gain: R, g: R, v: R) -> R {
        let gain = R::select(g.opposite_sign(v), gain + self.beta, gain * self.one_minus_beta);
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

struct Velocity;

impl Rule<2> for Velocity {
    type Scalars<R: Real> = GainScalars<R>;
    const STATES: [&'static str; 2] = ["gain", "v"];

    #[inline(always)]
    fn update<R: Real>(k: &GainScalars<R>, p: R, g: R, [gain, v]: [R; 2]) -> (R, [R; 2]) {
        let gain = k.by_velocity(gain, g, v);
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

impl AdaptiveGains {
    /// Whether the gradient is compared with the velocity, or else with the previous gradient.
    fn compares_velocity(&self) -> bool {
        self.compare == "velocity"
    }
}

impl Method for AdaptiveGains {
    fn states(&self) -> Vec<State> {
        let mut states = vec![State { name: "gain", initial: 1.0 }];
        if !self.compares_velocity() {
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
        match (self.compares_velocity(), self.momentum.0 != 0.0) {
            (true, _) => visitor.visit::<2, Velocity>(),
            (false, false) => visitor.visit::<2, Gradient>(),
            (false, true) => visitor.visit::<3, GradientWithMomentum>(),
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
}
