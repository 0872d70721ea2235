//! Squares of matrices that are kept as a mean of each row and one of each column: state of another extent
//! than its parameter.
//!
//! A step of such a matrix has three passes. The first takes the means of the gradient's squares, and what
//! the states become of them (`engine/factors.rs`). The other two are those of every rule that measures,
//! [`update`]'s, with the factors as streams that are only read: `r`, the same along each row, and `c`,
//! the same along each column.

use super::measure::Added;
use super::rule::{Measuring, Rule, Visitor};
use super::scalars::scalars;
use crate::number::Real;

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

scalars!(AdafactorScalars {
    beta2,
    one_minus_beta2,
    added,
    floor,
    stays,
    step,
    smallest,
    largest,
    limit
});

impl<R: Real> AdafactorScalars<R> {
    #[inline(always)]
    fn squares(&self, g: R, v: R) -> R {
        self.beta2 * v + self.one_minus_beta2 * (g * g + self.added)
    }

    #[inline(always)]
    fn direction(&self, g: R, v: R) -> R {
        g / R::select(v.lt(self.floor), self.floor, v).sqrt()
    }

    /// With the root mean squares of the parameter and of `u`; a NaN of either is in every element anyway,
    /// or makes no difference to the others.
    fn measured(mut self, [p, u]: [R; 2], size: R) -> Self {
        let (one, p, u) = (R::constant(1.0), (p / size).sqrt(), (u / size).sqrt() / self.limit);
        let p = R::select(self.smallest.lt(p), p, self.smallest);
        let p = R::select(self.largest.lt(p), self.largest, p);
        self.step = (p * self.step) / R::select(one.lt(u), u, one);
        self
    }
}

/// Of a parameter that is no matrix, whose averages are kept as they are.
pub(super) struct Whole;

impl Rule<1> for Whole {
    type Scalars<R: Real> = AdafactorScalars<R>;
    const STATES: [&'static str; 1] = ["v"];

    #[inline(always)]
    fn update<R: Real>(k: &AdafactorScalars<R>, p: R, g: R, [v]: [R; 1]) -> (R, [R; 1]) {
        let v = k.squares(g, v);
        (p * k.stays - k.step * k.direction(g, v), [v])
    }
}

impl Measuring<1, 2> for Whole {
    const ADDED: [Added; 2] = [Added::Squared; 2];

    #[inline(always)]
    fn terms<R: Real>(k: &AdafactorScalars<R>, p: R, g: R, [v]: [R; 1]) -> [R; 2] {
        [p, k.direction(g, k.squares(g, v))]
    }

    fn measured<R: Real>(k: AdafactorScalars<R>, sums: [R; 2], size: R) -> AdafactorScalars<R> {
        k.measured(sums, size)
    }
}

struct ByFactors;

impl Rule<2> for ByFactors {
    type Scalars<R: Real> = AdafactorScalars<R>;
    const STATES: [&'static str; 2] = ["r", "c"];

    #[inline(always)]
    fn update<R: Real>(k: &AdafactorScalars<R>, p: R, g: R, [r, c]: [R; 2]) -> (R, [R; 2]) {
        (p * k.stays - k.step * k.direction(g, r * c), [r, c])
    }
}

impl Measuring<2, 2> for ByFactors {
    const ADDED: [Added; 2] = [Added::Squared; 2];

    #[inline(always)]
    fn terms<R: Real>(k: &AdafactorScalars<R>, p: R, g: R, [r, c]: [R; 2]) -> [R; 2] {
        [p, k.direction(g, r * c)]
    }

    fn measured<R: Real>(k: AdafactorScalars<R>, sums: [R; 2], size: R) -> AdafactorScalars<R> {
        k.measured(sums, size)
    }
}

/// The rule of matrices, whose scalars are those of the method.
pub fn by_factors<V: Visitor>(visitor: V) -> V::Output {
    visitor.visit_measuring::<2, 2, ByFactors>()
}
