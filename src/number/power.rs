//! `beta^t` without the platform's `pow`, which differs between platforms by a last bit.

/// An unevaluated sum of two doubles: about 106 bits.
#[derive(Clone, Copy, Debug)]
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

/// The powers of one decay rate `0 <= beta <= 1`: its repeated squares, made once.
///
/// `beta^t` is a pure function of its arguments: square-and-multiply in double-double, so that an
/// interrupted run that resumes at step `t` sees the same bits. Correctly rounded in every sample
/// tried. Below 2^-900 the low parts run out of exponent; a bias correction `1 - beta^t` is exactly
/// 1 there.
#[derive(Clone, Debug)]
pub struct Powers {
    /// `beta^(2^k)`, as far as it is not 0.
    squares: Vec<DoubleDouble>,
}

impl Powers {
    pub fn new(beta: f64) -> Self {
        let mut square = DoubleDouble { high: beta, low: 0.0 };
        let squares = std::iter::from_fn(|| {
            let this = square;
            square = square.times(square);
            (this.high != 0.0).then_some(this)
        });
        Powers { squares: squares.take(u64::BITS as usize).collect() }
    }

    /// `beta^t`.
    pub fn power(&self, t: u64) -> f64 {
        let Some(top) = t.checked_ilog2() else { return 1.0 };
        if top as usize >= self.squares.len() {
            return 0.0; // whatever the rest is, it is multiplied by at most this
        }
        let lowest = |bits: u64| self.squares[bits.trailing_zeros() as usize];
        let (mut result, mut rest) = (lowest(t), t & (t - 1));
        while rest > 0 {
            result = result.times(lowest(rest));
            rest &= rest - 1;
        }
        result.high + result.low
    }

    /// The bias correction `1 - beta^t`.
    pub fn correction(&self, t: u64) -> f64 {
        // beta^t is at most its greatest square. Below 2^-54 it is lost beside 1.
        const LOST: f64 = 1.0 / (1_u64 << 55) as f64;
        let top = t.checked_ilog2().map_or(0, |top| top as usize);
        match self.squares.get(top) {
            Some(square) if t > 0 && square.high <= LOST => 1.0,
            _ => 1.0 - self.power(t),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Powers;

    fn power(beta: f64, t: u64) -> f64 {
        Powers::new(beta).power(t)
    }

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

    #[test]
    fn a_correction_is_one_minus_the_power() {
        for beta in [0.0, 0.5, 0.9, 0.99, 0.999, 0.999_999, 1.0] {
            let powers = Powers::new(beta);
            for t in (0..5000).chain([1 << 20, (1 << 40) + 7, u64::MAX]) {
                assert_eq!(powers.correction(t), 1.0 - powers.power(t), "{beta}^{t}");
            }
        }
    }
}
