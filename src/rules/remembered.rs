//! Numbers that a rule remembers of a parameter beside its arrays, and what they are after any run.

/// A number of the memory: its name in Python, the value that it starts with, and what it can become.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    pub name: &'static str,
    pub initial: f64,
    pub wanted: Wanted,
}

/// What a run can make of a number, whatever its gradients and options: nothing else is loaded. What can
/// overflow in training stays loadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It says one of two things: `averaged`.
    Flag,
    /// A product of shares, or the weight in a mean: `mu_product`, ASGD's `mu`.
    Share,
    /// Remembered only while a step size that follows from it is finite: Prodigy's `numerator`.
    Finite,
    /// A finite option, over what is at least 1: `eta`, `lr_max`.
    Rate,
    /// It begins above 0 and does not shrink, and is finite as `Finite` is: `d`, `d_max`.
    Size,
    /// A sum of squares or of weights, which may overflow, and is NaN where a gradient was:
    /// `exp_avg_sq`, `weight_sum`.
    Sum,
}

impl Wanted {
    pub fn admits(self, x: f64) -> bool {
        match self {
            Wanted::Flag => x == 0.0 || x == 1.0,
            Wanted::Share => (0.0..=1.0).contains(&x),
            Wanted::Finite => x.is_finite(),
            Wanted::Rate => x.is_finite() && x >= 0.0,
            Wanted::Size => x.is_finite() && x > 0.0,
            Wanted::Sum => x >= 0.0 || x.is_nan(),
        }
    }

    /// In the words of errors.
    pub fn words(self) -> &'static str {
        match self {
            Wanted::Flag => "0 or 1",
            Wanted::Share => "a number from 0 to 1",
            Wanted::Finite => "a finite number",
            Wanted::Rate => "a finite number >= 0",
            Wanted::Size => "a finite number > 0",
            Wanted::Sum => "a number >= 0",
        }
    }
}
