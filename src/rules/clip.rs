//! What follows from a norm of gradients. Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063,
//! algorithm 1; the 1e-6 is torch's (`clip_grad_norm_`).
//!
//! Written once, for the host (float64) and, traced, for devices.

use crate::number::Real;

/// The norm of gradients that are multiplied by `grad_scale`, from the sum of their squares before
/// that.
#[inline]
pub fn norm<R: Real>(sum: R, grad_scale: R) -> R {
    sum.sqrt() * grad_scale.abs()
}

/// What gradients of this norm are multiplied by: `max_norm / (norm + 1e-6)`, NaN of a NaN norm, but
/// 1 where that is above 1, and 1 where `max_norm` is infinite and so bounds nothing.
#[inline]
pub fn clip_factor<R: Real>(norm: R, max_norm: R) -> R {
    let factor = max_norm / (norm + R::constant(1e-6));
    // What is above the largest number is infinite; NaN is above and below nothing.
    let one = R::constant(1.0);
    let whole = factor.gt(one) | max_norm.gt(R::constant(f64::MAX));
    R::select(whole, one, factor)
}

/// The clipping factor together with the scale that gradients have anyway.
#[inline]
pub fn clip_scale<R: Real>(norm: R, grad_scale: R, max_norm: R) -> R {
    grad_scale * clip_factor(norm, max_norm)
}

#[cfg(test)]
mod tests {
    use super::{clip_factor, clip_scale, norm};

    #[test]
    fn the_factor_is_at_most_one_and_nan_of_nan() {
        assert_eq!(clip_factor(2.0, 1.0), 1.0 / (2.0 + 1e-6));
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert_eq!(clip_factor(0.0, 0.0), 0.0);
        assert!(clip_factor(f64::NAN, 1.0).is_nan() && clip_factor(f64::NAN, 0.0).is_nan());
        assert_eq!(clip_factor(f64::NAN, f64::INFINITY), 1.0);
        assert_eq!(clip_factor(1.0, f64::MAX), 1.0);
        assert!(clip_factor(f64::NAN, f64::MAX).is_nan());
        assert_eq!(clip_factor(f64::INFINITY, f64::MAX), 0.0);
        assert_eq!(clip_factor(f64::INFINITY, 1.0), 0.0);
        assert_eq!(clip_factor(f64::INFINITY, f64::INFINITY), 1.0);
    }

    #[test]
    fn the_scale_multiplies_the_norm_by_its_magnitude() {
        assert_eq!(norm(25.0, -0.5), 2.5);
        assert_eq!(clip_scale(2.5, -0.5, 1.0), -0.5 * (1.0 / (2.5 + 1e-6)));
    }
}
