//! Squares of matrices that are kept as a mean of each row and one of each column: state of another extent
//! than its parameter.
//!
//! A step of such a matrix has three passes. The first takes the means of the gradient's squares, and what
//! the states become of them (`engine/factors.rs`). The other two are those of every rule that measures,
//! [`update`]'s, with the factors as streams that are only read: `r`, the same along each row, and `c`,
//! the same along each column.

/// The shape of a state beside a parameter of two axes or more; of others, the last two are as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// `(.., n, 1)`
    Rows,
    /// `(.., 1, m)`
    Columns,
}

impl Extent {
    /// Makes the shape of a parameter that of its state, which has as few elements as it if that has none.
    pub fn cut(self, shape: &mut [isize]) {
        let places = match self {
            Extent::Rows => shape.last_mut(),
            Extent::Columns => shape.iter_mut().nth_back(1),
        };
        if let Some(n) = places {
            *n = 1.min(*n);
        }
    }
}

/// How the states become means of squares, and `r` follows from them: `R = beta2*R + one_minus_beta2*(mean + added)`,
/// `C` likewise, and `r = R/max(mean(R), least)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Averages {
    pub beta2: f64,
    pub one_minus_beta2: f64,
    pub added: f64,
    pub least: f64,
}
