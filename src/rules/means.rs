//! How the states of rows and columns become means of squares, and `r` follows from them; written once, for
//! the host and for devices. Sums and means are float64, states are of the compute type.

use crate::number::Real;

/// `R = beta2*R + one_minus_beta2*(mean + added)`, `C` likewise, and `r = R/max(mean(R), least)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Averages {
    pub beta2: f64,
    pub one_minus_beta2: f64,
    pub added: f64,
    pub least: f64,
}

/// What enters a state, of the sum of so many squares.
#[inline(always)]
pub fn entering<R: Real>(sum: R, count: R, added: R) -> R {
    sum / count + added
}

/// A state with what enters it.
#[inline(always)]
pub fn averaged<R: Real>(beta2: R, one_minus_beta2: R, state: R, entering: R) -> R {
    beta2 * state + one_minus_beta2 * entering
}

/// What each of so many rows is divided by, of their sum.
#[inline(always)]
pub fn divisor<R: Real>(sum: R, count: R, least: R) -> R {
    let mean = sum / count;
    R::select(mean.lt(least), least, mean)
}
