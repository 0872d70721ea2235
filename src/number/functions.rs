//! Powers with any exponent, exponentials and logarithms of the host's scalars.
//!
//! Those of the platform's C library differ between platforms by a last bit. These are FreeBSD's
//! (fdlibm), in Rust: additions, multiplications, divisions and shifts of bits in one order, without
//! fused operations, so that they have the same bits everywhere. `exp` and `log` are less than 1 ULP
//! from the exact value, by the error analysis in their sources. Those call the power "nearly
//! rounded": in 300,000 samples it was at most 0.83 ULP off. For `beta^t` of a whole `t` there is
//! [`super::Powers`], which is closer.

/// `x^y`, as C's `pow`: 1 if `y` is 0, NaN if `x` is negative and `y` not whole.
pub fn real_power(x: f64, y: f64) -> f64 {
    libm::pow(x, y)
}

/// `e^x`: infinity above 709.78, 0 below -745.13.
pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}

/// The natural logarithm: minus infinity of 0, NaN of what is negative.
pub fn log(x: f64) -> f64 {
    libm::log(x)
}

#[cfg(test)]
mod tests {
    use super::{exp, log, real_power};

    /// FNV-1a over the bytes of the values' bits.
    fn hash(values: impl Iterator<Item = f64>) -> u64 {
        values
            .flat_map(|value| value.to_bits().to_le_bytes())
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            })
    }

    #[test]
    fn exact_values() {
        assert_eq!(real_power(9.0, 0.5), 3.0);
        assert_eq!(real_power(2.0, -1074.0), f64::from_bits(1));
        assert_eq!(real_power(0.0, 0.25), 0.0);
        assert_eq!(real_power(0.0, -0.8), f64::INFINITY);
        assert_eq!(real_power(f64::NAN, 0.0), 1.0);
        assert!(real_power(-1.0, 0.5).is_nan());
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(exp(710.0), f64::INFINITY);
        assert_eq!(log(1.0), 0.0);
        assert_eq!(log(0.0), f64::NEG_INFINITY);
        assert!(log(-1.0).is_nan());
    }

    /// What optimizers ask for, and whatever else: a changed hash is a changed contract.
    #[test]
    fn the_same_bits_everywhere() {
        let counts = || (1..500).map(|i| f64::from(i * i));
        let powers = counts()
            .map(|t| real_power(0.96, t * 0.004))
            .chain(counts().map(|t| real_power(t, -0.8)))
            .chain(counts().map(|t| real_power(t, 0.333)))
            .chain(counts().map(|t| real_power(1.0 + 1e-4 * 0.01 * t, 0.75)))
            .chain(counts().map(|t| real_power(t * 1e-9, t * 1e-3)));
        assert_eq!(hash(powers), 0x54d6_94d3_ec37_410b);
        assert_eq!(hash((-500..500).map(|i| exp(f64::from(i) * 1.43))), 0x1c9e_0fad_8c88_cfa1);
        let logs = counts().map(log).chain(counts().map(|t| log(1.0 - 1.0 / (t + 1.0))));
        assert_eq!(hash(logs), 0x3356_4005_63fa_faf6);
    }
}
