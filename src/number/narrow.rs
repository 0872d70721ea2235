//! The two 16-bit storage types, float16 (IEEE-754 binary16) and bfloat16 (a float32 without its
//! lower half).
//!
//! Their conversions are integer operations, selections and at most one exact float32 addition,
//! without branches and intrinsics, so that a loop around them vectorises for every SIMD tier.
//! Both ways of float16 keep clear of float32 subnormals, which many CPUs compute slowly; the
//! additions that align a subnormal float16 are F. Giesen's (gist 2156668, "half to float").
//! Sums wrap, so that the loops of the tests have no checks in them and are those of a release.

use super::storage::{Compute, Kind, Store, Stored};

#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct F16(u16);

#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct BF16(u16);

/// The bits of float32 from the exponent field on.
const EXPONENT: u32 = 23;
/// How many more bits float32 has for the significand than float16.
const NARROWER: u32 = 23 - 10;
/// The difference of the exponents' biases.
const REBIAS: u32 = (127 - 15) << EXPONENT;

impl F16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        // Sign-extended, the sign is in its place after the shift, with copies of it below.
        let bits = (i32::from(self.0 as i16) << NARROWER) as u32;
        let magnitude = bits & 0x7FFF << NARROWER;
        // The exponent of infinity and NaN goes from all ones to all ones.
        let is_finite = magnitude < 0x7C00 << NARROWER;
        let normal = magnitude + if is_finite { REBIAS } else { 2 * REBIAS };
        // 2^-14 * (1 + m) - 2^-14, exactly.
        let smallest_normal = REBIAS + (1 << EXPONENT);
        let aligned = f32::from_bits(magnitude | smallest_normal);
        let subnormal = (aligned - f32::from_bits(smallest_normal)).to_bits();
        let is_normal = magnitude >= 0x0400 << NARROWER;
        let magnitude = if is_normal { normal } else { subnormal };
        f32::from_bits(magnitude | bits & 0x8000_0000)
    }

    #[inline(always)]
    fn round(x: f32) -> Self {
        let bits = x.to_bits();
        let sign = bits >> 16 & 0x8000;
        let magnitude = bits & 0x7FFF_FFFF;
        // Half a unit in the last place less one, and one more where the last place is odd: a
        // carry goes on into the exponent, up to that of infinity, the largest result.
        let odd = magnitude >> NARROWER & 1;
        let half = (1 << (NARROWER - 1)) - 1 + odd;
        let nearest = magnitude.wrapping_sub(REBIAS).wrapping_add(half);
        let normal = (nearest >> NARROWER).min(0x7C00);
        // The unit in the last place of 0.5 is that of float16's subnormals: the addition rounds.
        let subnormal = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0.5_f32.to_bits());
        let is_normal = magnitude >= REBIAS + (1 << EXPONENT);
        let number = if is_normal { normal } else { subnormal };
        let result = if x.is_nan() { 0x7E00 } else { number };
        F16((result | sign) as u16)
    }
}

impl BF16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }

    #[inline(always)]
    fn round(x: f32) -> Self {
        let bits = x.to_bits();
        let upper = bits >> 16;
        // As for float16; no carry out of a number's bits, and NaN's are not used.
        let nearest = bits.wrapping_add(0x7FFF + (upper & 1)) >> 16;
        let quiet = upper | 0x0040;
        BF16(if x.is_nan() { quiet } else { nearest } as u16)
    }
}

/// Rounded to float32 so that rounding once more is rounding once: what is not exact takes the
/// neighbour whose last place is odd, which is no tie of a narrower type.
fn to_odd(value: f64) -> f32 {
    let nearest = value as f32;
    let widened = f64::from(nearest);
    if widened == value || value.is_nan() {
        return nearest;
    }
    let beyond = widened.abs() > value.abs();
    f32::from_bits((nearest.to_bits() - u32::from(beyond)) | 1)
}

macro_rules! narrow {
    ($type:ident) => {
        impl Stored for $type {
            const KIND: Kind = Kind::$type;

            #[inline(always)]
            fn load<R: Compute>(self) -> R {
                R::from_f32(self.widen())
            }
            fn nearest(value: f64) -> Self {
                $type::round(to_odd(value))
            }
            #[inline(always)]
            fn swap_bytes(self) -> Self {
                $type(self.0.swap_bytes())
            }
        }

        impl Store<f32> for $type {
            #[inline(always)]
            fn store(value: f32) -> Self {
                $type::round(value)
            }
        }
    };
}

narrow!(F16);
narrow!(BF16);

#[cfg(test)]
mod tests {
    //! Against the crate `half`, written independently of this file.

    use super::{BF16, F16};

    fn check_widening(bits: u16) {
        for (ours, oracle) in [
            (F16(bits).widen(), half::f16::from_bits(bits).to_f32()),
            (BF16(bits).widen(), half::bf16::from_bits(bits).to_f32()),
        ] {
            let same = ours.to_bits() == oracle.to_bits() || ours.is_nan() && oracle.is_nan();
            assert!(same, "{bits:#06x}: {ours:?} is not {oracle:?}");
        }
    }

    fn check_rounding(bits: u32) {
        let x = f32::from_bits(bits);
        let (f16, bf16) = (F16::round(x).0, BF16::round(x).0);
        if x.is_nan() {
            assert!(f16 & 0x7E00 == 0x7E00, "{bits:#010x}: {f16:#06x} is no quiet NaN");
            assert!(bf16 & 0x7FC0 == 0x7FC0, "{bits:#010x}: {bf16:#06x} is no quiet NaN");
        } else {
            // By constants: `half` otherwise uses the CPU's own conversion, which obeys its flags.
            assert_eq!(f16, half::f16::from_f32_const(x).to_bits(), "float16 of {bits:#010x}");
            assert_eq!(bf16, half::bf16::from_f32_const(x).to_bits(), "bfloat16 of {bits:#010x}");
        }
    }

    #[test]
    fn every_pattern_is_widened() {
        (0..=u16::MAX).for_each(check_widening);
    }

    #[test]
    fn what_was_widened_rounds_to_itself() {
        for bits in 0..=u16::MAX {
            let quiet = |bits: u16, nan: bool, bit: u16| if nan { bits | bit } else { bits };
            let (f16, bf16) = (F16(bits).widen(), BF16(bits).widen());
            if !f16.is_nan() {
                assert_eq!(F16::round(f16).0, bits);
            }
            assert_eq!(BF16::round(bf16).0, quiet(bits, bf16.is_nan(), 0x40));
        }
    }

    /// Around every number of both types, around every tie between neighbours, and a stride
    /// through all the rest.
    #[test]
    fn rounding_is_to_nearest_even() {
        for upper in 0..=u16::MAX {
            for lower in [0, 1, 0x7FFE, 0x7FFF, 0x8000, 0x8001, 0xFFFF] {
                check_rounding(u32::from(upper) << 16 | lower);
            }
            // Float16 numbers and ties, subnormal ones too, whose ties lie one bit higher each.
            for widened in [F16(upper).widen(), F16(upper).widen() * 1.5] {
                let bits = widened.to_bits();
                for distance in [0, 1, 0x0FFF, 0x1000, 0x1001, 0x1800] {
                    check_rounding(bits.wrapping_add(distance));
                    check_rounding(bits.wrapping_sub(distance));
                }
            }
            // Between two float16 subnormals lies an odd multiple of 2^-25.
            let tie = (f32::from(upper) + 0.5) * 2.0_f32.powi(-24);
            for bits in tie.to_bits() - 1..=tie.to_bits() + 1 {
                check_rounding(bits);
                check_rounding(bits | 1 << 31);
            }
        }
        (0..=u32::MAX).step_by(4099).for_each(check_rounding);
    }

    #[test]
    fn the_ends_of_the_range() {
        assert_eq!(F16::round(65519.996).0, 0x7BFF);
        assert_eq!(F16::round(65520.0).0, 0x7C00);
        assert_eq!(F16::round(f32::MAX).0, 0x7C00);
        assert_eq!(F16::round(f32::NEG_INFINITY).0, 0xFC00);
        assert_eq!(F16::round(2.0_f32.powi(-25)).0, 0);
        assert_eq!(F16::round(-f32::from_bits(1)).0, 0x8000);
        assert_eq!(BF16::round(f32::MAX).0, 0x7F80);
        assert_eq!(BF16::round(f32::from_bits(1)).0, 0);
        assert_eq!(BF16::round(f32::from_bits(0xFFFF_FFFF)).0, 0xFFFF);
    }

    #[test]
    #[ignore = "long: every float32"]
    fn every_float32_is_rounded() {
        (0..=u32::MAX).for_each(check_rounding);
    }
}
