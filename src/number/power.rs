//! `beta^t` without the platform's `pow`, which differs between platforms by a last bit.

/// An unevaluated sum of two doubles: about 106 bits.
#[derive(Clone, Copy)]
struct DoubleDouble {
    high: f64,
    low: f64,
}

impl DoubleDouble {
    /// Dekker 1971: the exact product of the high parts, the cross terms added to its error.
    fn times(self, other: Self) -> Self {
        let product = self.high * other.high;
        let (a, a_rest) = split(self.high);
        let (b, b_rest) = split(other.high);
        let error = ((a * b - product) + a * b_rest + a_rest * b) + a_rest * b_rest;
        let low = error + (self.high * other.low + self.low * other.high);
        let high = product + low;
        DoubleDouble { high, low: low - (high - product) }
    }
}

/// Veltkamp's split of a double into two halves of at most 26 bits.
fn split(x: f64) -> (f64, f64) {
    const FACTOR: f64 = 134_217_729.0; // 2^27 + 1
    let scaled = FACTOR * x;
    let high = scaled - (scaled - x);
    (high, x - high)
}

/// `beta^t` for `0 <= beta <= 1`, a pure function of its arguments: square-and-multiply in
/// double-double, so that an interrupted run that resumes at step `t` sees the same bits.
///
/// Correctly rounded in every sample tried. Below 2^-900 the low parts run out of exponent; a
/// bias correction `1 - beta^t` is exactly 1 there.
pub fn power(beta: f64, t: u64) -> f64 {
    let mut result = DoubleDouble { high: 1.0, low: 0.0 };
    let mut square = DoubleDouble { high: beta, low: 0.0 };
    let mut rest = t;
    while rest > 0 {
        if rest & 1 == 1 {
            result = result.times(square);
        }
        rest >>= 1;
        if rest > 0 {
            square = square.times(square);
            if square.high == 0.0 {
                return 0.0; // whatever is left multiplies by at most this
            }
        }
    }
    result.high + result.low
}

#[cfg(test)]
mod tests {
    use super::power;

    #[test]
    fn small_powers_are_exact() {
        assert_eq!(power(0.9, 0), 1.0);
        assert_eq!(power(0.9, 1), 0.9);
        assert_eq!(power(0.5, 40), 2.0_f64.powi(-40));
        assert_eq!(power(0.0, 5), 0.0);
        assert_eq!(power(1.0, u64::MAX), 1.0);
    }

    #[test]
    fn long_runs_reach_zero_and_nothing_below() {
        assert_eq!(power(0.9, 1 << 40), 0.0);
        assert!(power(0.999_999_999_999, 1 << 40) > 0.3);
    }

    #[test]
    fn values_where_libm_is_a_bit_off() {
        // From exact fractions: glibc's pow is one unit in the last place away at these.
        assert_eq!(power(0.95, 482).to_bits(), 0x3db4_22de_2f38_cf6f);
        assert_eq!(power(0.9, 3270).to_bits(), 0x20de_e851_0b0b_4ec8);
    }
}
