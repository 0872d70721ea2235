//! The operations a rule may use, and the types that the CPU evaluates them with.

use std::ops::{Add, BitAnd, BitOr, Div, Mul, Sub};

/// A number as a rule sees it: every operation is one IEEE-754 operation, rounded once.
///
/// Branch-free by design: a comparison gives a mask and [`Real::select`] chooses, so that a rule
/// vectorises, and can also be run on a type that records its operations. There is no `mul_add`:
/// the numerical contract forbids fused operations.
pub trait Real:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    type Mask: Copy + BitAnd<Output = Self::Mask> + BitOr<Output = Self::Mask>;

    fn constant(value: f64) -> Self;
    fn sqrt(self) -> Self;
    fn abs(self) -> Self;
    /// `self < other`, false if either is NaN.
    fn lt(self, other: Self) -> Self::Mask;
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// `self > other`, false if either is NaN.
    #[inline(always)]
    fn gt(self, other: Self) -> Self::Mask {
        other.lt(self)
    }

    /// `x < low ? low : x > high ? high : x`: NaN passes.
    #[inline(always)]
    fn clamp(self, low: Self, high: Self) -> Self {
        let capped = Self::select(self.gt(high), high, self);
        Self::select(self.lt(low), low, capped)
    }

    /// As `np.sign`: +0 at both zeros, NaN at NaN.
    #[inline(always)]
    fn sign(self) -> Self {
        let zero = Self::constant(0.0);
        // What is neither above nor below zero is a zero or NaN: x - x is +0 or NaN there.
        #[allow(clippy::eq_op)]
        let rest = self - self;
        let negative = Self::select(self.lt(zero), Self::constant(-1.0), rest);
        Self::select(self.gt(zero), Self::constant(1.0), negative)
    }

    /// Both strictly positive or both strictly negative. Never by the product, which underflows.
    #[inline(always)]
    fn same_sign(self, other: Self) -> Self::Mask {
        let zero = Self::constant(0.0);
        (self.gt(zero) & other.gt(zero)) | (self.lt(zero) & other.lt(zero))
    }

    /// One strictly positive, the other strictly negative.
    #[inline(always)]
    fn opposite_sign(self, other: Self) -> Self::Mask {
        let zero = Self::constant(0.0);
        (self.gt(zero) & other.lt(zero)) | (self.lt(zero) & other.gt(zero))
    }
}

/// A type that the engine computes in.
pub trait Float: Real + Send + Sync + 'static {
    /// The smallest positive normal number.
    const SMALLEST_NORMAL: f64;
}

macro_rules! float {
    ($float:ident) => {
        impl Real for $float {
            type Mask = bool;

            #[inline(always)]
            fn constant(value: f64) -> Self {
                value as $float
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $float::sqrt(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $float::abs(self)
            }
            #[inline(always)]
            fn lt(self, other: Self) -> bool {
                self < other
            }
            #[inline(always)]
            fn select(mask: bool, yes: Self, no: Self) -> Self {
                if mask { yes } else { no }
            }
        }

        impl Float for $float {
            const SMALLEST_NORMAL: f64 = $float::MIN_POSITIVE as f64;
        }
    };
}

float!(f32);
float!(f64);

#[cfg(test)]
mod tests {
    use super::Real;

    #[test]
    fn sign_follows_numpy() {
        for (x, wanted) in [(2.5, 1.0), (-1e-310, -1.0), (0.0, 0.0), (-0.0, 0.0)] {
            let sign: f64 = Real::sign(x);
            assert_eq!(sign.to_bits(), f64::to_bits(wanted), "sign({x})");
        }
        assert!(Real::sign(f32::NAN).is_nan());
        assert_eq!(Real::sign(f32::NEG_INFINITY), -1.0);
    }

    #[test]
    fn clamp_passes_nan_and_orders_bounds_low_first() {
        assert!(Real::clamp(f64::NAN, 0.0, 1.0).is_nan());
        assert_eq!(Real::clamp(-3.0, 0.5, 2.0), 0.5);
        assert_eq!(Real::clamp(3.0, 0.5, 2.0), 2.0);
        assert_eq!(Real::clamp(f32::INFINITY, 0.5, f32::INFINITY), f32::INFINITY);
    }

    #[test]
    fn signs_are_compared_and_not_multiplied() {
        assert!(1e-30_f32.same_sign(1e-30));
        assert!(1e-30_f32.opposite_sign(-1e-30));
        assert!(!0.0_f32.same_sign(0.0));
        assert!(!f32::NAN.same_sign(1.0) && !f32::NAN.opposite_sign(1.0));
    }
}
