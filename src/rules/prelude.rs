//! What comes before and after every rule: scaling, maximize, weight decay, flushing.

use super::method::set_factor;
use super::options::{OptionError, Options};
use crate::number::Real;

/// The options that every rule shares.
#[derive(Clone, Copy, Debug)]
pub struct PreludeOptions {
    lr: f64,
    weight_decay: f64,
    decoupled: bool,
    maximize: bool,
    flush_subnormals: bool,
}

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
    pub fn read(options: &Options) -> Result<Self, OptionError> {
        Ok(PreludeOptions {
            lr: options.number("lr")?,
            weight_decay: options.number("weight_decay")?,
            decoupled: options.flag("decoupled_weight_decay")?,
            maximize: options.flag("maximize")?,
            flush_subnormals: options.flag("flush_subnormals")?,
        })
    }

    /// Whether weight decay is added to the gradient.
    pub fn coupled_decay(&self) -> bool {
        self.weight_decay != 0.0 && !self.decoupled
    }

    /// As `Method::set`.
    pub fn set_lr(&mut self, value: f64) {
        self.lr = value;
    }

    /// As `Method::set`.
    pub fn set_weight_decay(&mut self, value: f64) -> bool {
        set_factor(&mut self.weight_decay, value)
    }

    /// The scalars, given the compute type's smallest normal number.
    pub fn scalars(&self, smallest_normal: f64) -> Prelude<f64> {
        Prelude {
            grad_scale: if self.maximize { -1.0 } else { 1.0 },
            weight_decay: self.weight_decay,
            keep: if self.decoupled { 1.0 - self.lr * self.weight_decay } else { 1.0 },
            flush_below: if self.flush_subnormals { smallest_normal } else { 0.0 },
        }
    }
}

impl Prelude<f64> {
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
