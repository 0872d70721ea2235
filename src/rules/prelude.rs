//! What comes before and after every rule: scaling, maximize, weight decay, flushing.

use super::method::Method;
use super::options::{Declared, Factor, OptionError, Options, options};
use crate::number::Real;

options!(
    /// The options that every rule shares.
    #[derive(Clone, Copy, Debug)]
    pub PreludeOptions {
        lr: f64,
        weight_decay: Factor,
        decoupled_weight_decay: bool,
        maximize: bool,
        flush_subnormals: bool,
    }
);

/// The prelude's scalars.
///
/// Where nothing was asked for the factors are 1 and the threshold is 0, and `x * 1.0` and
/// `|x| < 0.0` change no bit of any number: no flag in the loop, and no copies of each kernel.
/// Coupled decay alone has no such neutral value (`-0.0 + 0.0 * p` is `+0.0`, and `0.0 * inf` is
/// NaN), so it is a compile-time choice. `maximize` is a scale of -1: `g * -1.0` is `-g` exactly.
#[derive(Clone, Copy, Debug)]
pub struct Prelude<R> {
    pub grad_scale: R,
    pub weight_decay: R,
    pub keep: R,
    pub flush_below: R,
}

impl PreludeOptions {
    /// Without weight decay where the method has it.
    pub fn read(options: &Options, method: &dyn Method) -> Result<Self, OptionError> {
        let mut read: Self = Declared::read(options)?;
        if method.decays().is_some() {
            read.weight_decay = Factor(0.0);
        }
        Ok(read)
    }

    /// Whether weight decay is added to the gradient.
    pub fn coupled_decay(&self) -> bool {
        self.weight_decay.0 != 0.0 && !self.decoupled_weight_decay
    }

    /// The scalars, given the compute type's smallest normal number.
    pub fn scalars(&self, smallest_normal: f64) -> Prelude<f64> {
        Prelude {
            grad_scale: if self.maximize { -1.0 } else { 1.0 },
            weight_decay: self.weight_decay.0,
            keep: if self.decoupled_weight_decay {
                1.0 - self.lr * self.weight_decay.0
            } else {
                1.0
            },
            flush_below: if self.flush_subnormals { smallest_normal } else { 0.0 },
        }
    }
}

impl Prelude<f64> {
    /// Without what is done to the parameter.
    #[must_use]
    pub fn without_decay(self) -> Self {
        Prelude { keep: 1.0, ..self }
    }

    /// With what is done to the parameter alone.
    #[must_use]
    pub fn decay_alone(self) -> Self {
        Prelude { grad_scale: 1.0, weight_decay: 0.0, flush_below: 0.0, ..self }
    }

    /// Each scalar rounded once to the compute type.
    #[inline(always)]
    pub fn rounded<R: Real>(&self) -> Prelude<R> {
        Prelude {
            grad_scale: R::constant(self.grad_scale),
            weight_decay: R::constant(self.weight_decay),
            keep: R::constant(self.keep),
            flush_below: R::constant(self.flush_below),
        }
    }
}

impl<R: Real> Prelude<R> {
    /// The parameter and the gradient as the rule sees them.
    #[inline(always)]
    pub fn before<const COUPLED_DECAY: bool>(&self, p: R, g: R) -> (R, R) {
        let g = g * self.grad_scale;
        let g = if COUPLED_DECAY { g + self.weight_decay * p } else { g };
        (p * self.keep, g)
    }

    /// A state value as it is stored.
    #[inline(always)]
    pub fn after(&self, state: R) -> R {
        R::select(state.abs().lt(self.flush_below), R::constant(0.0), state)
    }
}
