//! Against sums over `k` ascending, written out, at every tier and thread count.

#![allow(clippy::unwrap_used)]

use std::sync::PoisonError;

use super::kernel::Element;
use super::panels::{Along, Panels};
use super::product::{Combined, Product};
use super::{Matrix, Orthogonal, Workspace};
use crate::engine::{copy, tier};
use crate::number::Precision;
use crate::rules::{LEAF, NewtonSchulz};

const SETTINGS: NewtonSchulz =
    NewtonSchulz { coefficients: [3.4445, -4.775, 2.0315], eps: 1e-7, steps: 3 };

/// Of several tiles, of one that no kernel divides, and of less than a register.
const SHAPES: &[[usize; 2]] = if cfg!(miri) {
    &[[3, 5], [14, 2]]
} else {
    &[[1, 1], [1, 5], [5, 1], [7, 3], [13, 33], [70, 33], [200, 391], [600, 5]]
};

/// A matrix by rows.
#[derive(Clone, Debug, PartialEq)]
struct Plain<R> {
    columns: usize,
    values: Vec<R>,
}

impl<R: Element> Plain<R> {
    fn of([rows, columns]: [usize; 2], value: impl FnMut(usize) -> R) -> Self {
        Plain { columns, values: (0..rows * columns).map(value).collect() }
    }

    /// Values of many magnitudes, from a linear congruential generator.
    fn random(shape: [usize; 2]) -> Self {
        let mut state = 7u64;
        Plain::of(shape, |_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let magnitude = [1.0, 1e-3, 30.0][(state >> 20) as usize % 3];
            R::constant(((state >> 40) as f64 / f64::from(1 << 24) - 0.5) * magnitude)
        })
    }

    fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    fn turned(&self) -> Self {
        let rows = self.rows();
        Plain::of([self.columns, rows], |i| self.values[i % rows * self.columns + i / rows])
    }

    fn times(&self, right: &Self) -> Self {
        Plain::of([self.rows(), right.columns], |place| {
            let (i, j) = (place / right.columns, place % right.columns);
            (0..self.columns).fold(R::constant(0.0), |sum, k| {
                sum + self.values[i * self.columns + k] * right.values[k * right.columns + j]
            })
        })
    }

    /// `first * self + second * other`.
    fn combined(&self, first: R, other: &Self, second: R) -> Self {
        let shape = [self.rows(), self.columns];
        Plain::of(shape, |i| first * self.values[i] + second * other.values[i])
    }

    fn matrix(&mut self) -> Matrix<R> {
        let (rows, columns) = (self.rows(), self.columns);
        Matrix { at: self.values.as_mut_ptr(), rows, columns, stride: columns }
    }
}

fn at_every_tier(mut check: impl FnMut(usize)) {
    let _tier = tier::IN_TESTS.lock().unwrap_or_else(PoisonError::into_inner);
    let widest = tier::current();
    for name in tier::available() {
        tier::force(name).unwrap();
        [1, 3].into_iter().for_each(&mut check);
    }
    tier::force(widest).unwrap();
}

fn norm<R: Element + Into<f64>>(matrix: &Plain<R>) -> f64 {
    assert!(matrix.values.len() <= 20 * LEAF);
    let sums = matrix.values.chunks(LEAF).map(|leaf| {
        let mut sums = [0.0; 32];
        for (i, x) in leaf.iter().enumerate() {
            let x: f64 = (*x).into();
            sums[i % 32] += x * x;
        }
        for half in [16, 8, 4, 2, 1] {
            (0..half).for_each(|j| sums[j] += sums[j + half]);
        }
        sums[0]
    });
    let mut sums: Vec<f64> = sums.collect();
    while sums.len() > 1 {
        sums =
            sums.chunks(2).map(|pair| pair.iter().copied().reduce(|a, b| a + b).unwrap()).collect();
    }
    sums[0].sqrt()
}

fn orthogonal<R: Element + Into<f64> + PartialEq + std::fmt::Debug>(precision: Precision) {
    for &shape in SHAPES {
        let mut given = Plain::<R>::random(shape);
        let tall = shape[0] > shape[1];
        let divisor = R::constant(norm(&given).max(SETTINGS.eps));
        let mut x = Plain::of(shape, |i| given.values[i] / divisor);
        if tall {
            x = x.turned();
        }
        let [a, b, c] = SETTINGS.coefficients.map(R::constant);
        for _ in 0..SETTINGS.steps {
            let gram = x.times(&x.turned());
            let polynomial = gram.combined(b, &gram.times(&gram), c);
            x = x.combined(a, &polynomial.times(&x), R::constant(1.0));
        }
        let wanted = if tall { x.turned() } else { x };
        at_every_tier(|threads| {
            let work = Orthogonal::new(shape, precision, SETTINGS);
            let mut workspace = Workspace::new(work.lines()).unwrap();
            let mut found = Plain::of(shape, |_| R::constant(f64::NAN));
            let at = workspace.at();
            let flat = |plain: &mut Plain<R>| {
                let size = size_of::<R>() as isize;
                let mut view = work.given(at);
                view.data = plain.values.as_mut_ptr().cast();
                view.strides = [shape[1] as isize * size, size].as_slice().into();
                view
            };
            // SAFETY: the workspace is as large as it must be; shapes agree.
            unsafe {
                copy(&flat(&mut given), &work.given(at));
                work.run(at, threads);
                copy(&work.result(at), &flat(&mut found));
            }
            assert_eq!(found, wanted, "{shape:?} on {threads} threads, {}", tier::current());
        });
    }
}

#[test]
fn newton_schulz_in_float32() {
    orthogonal::<f32>(Precision::F32);
}

#[test]
fn newton_schulz_in_float64() {
    orthogonal::<f64>(Precision::F64);
}

#[test]
fn zeros_and_what_is_no_number() {
    for (value, wanted) in [(0.0, 0.0), (f32::NAN, f32::NAN), (f32::INFINITY, f32::NAN)] {
        let work = Orthogonal::new([2, 3], Precision::F32, SETTINGS);
        let mut workspace = Workspace::new(work.lines()).unwrap();
        let at = workspace.at();
        // SAFETY: the workspace is as large as it must be, and these are elements of its matrices.
        unsafe {
            *work.given(at).data.cast::<f32>() = value;
            work.run(at, 1);
            let found = *work.result(at).data.cast::<f32>();
            assert!(found == wanted || found.is_nan() && wanted.is_nan(), "{found} of {value}");
        }
    }
}

/// A product of more than one depth of panels, with another matrix than its operands in it.
#[test]
fn a_product_that_is_combined() {
    let (rows, depth, columns) = if cfg!(miri) { (3, 4, 5) } else { (31, 700, 230) };
    let (mut left, mut right) = (Plain::random([rows, depth]), Plain::random([depth, columns]));
    let mut other = Plain::random([rows, columns]);
    let wanted = other.combined(0.75f32, &left.times(&right), -1.5);
    at_every_tier(|threads| {
        let kernel = f32::KERNELS[tier::index()];
        let stride = columns.next_multiple_of(kernel.columns);
        let mut to = Plain::of([rows.next_multiple_of(kernel.rows), stride], |_| f32::NAN);
        let mut panels: [Vec<f32>; 2] = [(rows, kernel.rows), (columns, kernel.columns)]
            .map(|(vectors, width)| vec![f32::NAN; Panels::<f32>::elements(width, vectors, depth)]);
        let [lefts, rights] = panels.each_mut().map(|panels| panels.as_mut_ptr());
        // SAFETY: there is room for panels and whole kernels.
        unsafe {
            let left = Panels::of(left.matrix(), Along::Rows, kernel.rows, lefts, threads);
            let right = Panels::of(right.matrix(), Along::Columns, kernel.columns, rights, threads);
            let combined = Some(Combined { factors: [0.75, -1.5], other: other.matrix() });
            let to = Matrix { at: to.values.as_mut_ptr(), rows, columns, stride };
            Product { kernel, left, right, to, symmetric: false, combined }.run(threads);
        }
        let rows = to.values.chunks(stride).take(rows);
        let found: Vec<f32> = rows.flat_map(|row| &row[..columns]).copied().collect();
        assert_eq!(found, wanted.values, "on {threads} threads, {}", tier::current());
    });
}
