//! Reductions over gradients whose shape depends on lengths only, so that every SIMD tier, thread
//! count and memory layout gives the same bits: the sum of squares for the global norm, and the
//! search for what is not finite.
//!
//! Each array, in C order of its index, is cut into leaves of 4,096 elements. In a leaf, element
//! `i` (converted once to the compute type, its term made in float64) is added to accumulator
//! `i mod 32`, from +0.0, `i` ascending; the 32 fold by halves. All leaves of all arrays are
//! numbered through and fold pairwise, level by level, an odd last one passing up.

use std::sync::atomic::{AtomicU64, Ordering};

use super::kernel::Precision;
use super::leaf::{Finite, LEAF, Square, Term, Walk};
use super::{ControlGuard, View, work};

/// Arrays in any layout, each with the type that its elements are converted to.
#[derive(Debug, Default)]
pub struct Arrays {
    views: Vec<(View, Precision)>,
    bytes: usize,
}

// SAFETY: the pointers are the only members that are not Send or Sync, and they are only read
// through, by the two reductions, whose caller vouches for the memory.
unsafe impl Send for Arrays {}
// SAFETY: as above.
unsafe impl Sync for Arrays {}

impl FromIterator<(View, Precision)> for Arrays {
    fn from_iter<I: IntoIterator<Item = (View, Precision)>>(views: I) -> Self {
        let views: Vec<_> = views.into_iter().collect();
        let bytes = views.iter().map(|(view, _)| view.len() * view.format.kind.size()).sum();
        Arrays { views, bytes }
    }
}

impl Arrays {
    /// The bytes that a reduction will read.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The sums of squares. The result does not depend on the number of threads.
    ///
    /// # Safety
    /// The views describe live memory that nobody writes meanwhile.
    pub unsafe fn squares(&self, threads: usize) -> Leaves {
        // SAFETY: passed on from the caller.
        unsafe { self.reduce::<Square>(threads) }
    }

    /// The first array with an element that is infinite or NaN once it is converted.
    ///
    /// # Safety
    /// As for `squares`.
    pub unsafe fn first_nonfinite(&self, threads: usize) -> Option<usize> {
        // SAFETY: passed on from the caller.
        unsafe { self.reduce::<Finite>(threads) }.first_nonfinite()
    }

    /// SAFETY: as for `squares`.
    unsafe fn reduce<T: Term>(&self, threads: usize) -> Leaves {
        let mut count = 0;
        let mut ends = Vec::with_capacity(self.views.len());
        let mut walks = Vec::with_capacity(self.views.len());
        for (view, precision) in &self.views {
            let walk = Walk::new::<T>(view, *precision);
            count += walk.len().div_ceil(LEAF);
            ends.push(count);
            walks.push(walk);
        }
        // Atomics only so that threads can write one vector without unsafe code; on the machine
        // a relaxed store is a plain one.
        let sums: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
        work::run(count, self.bytes, threads, |leaves| {
            let _control = ControlGuard::new();
            let mut array = ends.partition_point(|end| *end <= leaves.start);
            for leaf in leaves {
                while ends[array] <= leaf {
                    array += 1;
                }
                let first = if array == 0 { 0 } else { ends[array - 1] };
                // SAFETY: the array has this leaf; the rest is the caller's promise.
                let sum = unsafe { walks[array].leaf(leaf - first) };
                sums[leaf].store(sum.to_bits(), Ordering::Relaxed);
            }
        });
        let sums = sums.into_iter().map(|sum| f64::from_bits(sum.into_inner())).collect();
        Leaves { sums, ends }
    }
}

/// One float64 for each leaf of each array: eight bytes for 4,096 elements.
#[derive(Debug)]
pub struct Leaves {
    sums: Vec<f64>,
    /// By array, the number of leaves up to its end.
    ends: Vec<usize>,
}

impl Leaves {
    /// Of sums that were taken array by array, somewhere else perhaps.
    pub fn of_arrays(arrays: impl IntoIterator<Item = Vec<f64>>) -> Self {
        let mut leaves = Leaves { sums: Vec::new(), ends: Vec::new() };
        for sums in arrays {
            leaves.sums.extend(sums);
            leaves.ends.push(leaves.sums.len());
        }
        leaves
    }

    /// The sums of one array.
    pub fn of(&self, array: usize) -> &[f64] {
        let start = if array == 0 { 0 } else { self.ends[array - 1] };
        &self.sums[start..self.ends[array]]
    }

    /// The first array with a leaf that is infinite or NaN. The total can be so without any:
    /// finite leaves can overflow together.
    pub fn first_nonfinite(&self) -> Option<usize> {
        let leaf = self.sums.iter().position(|sum| !sum.is_finite())?;
        Some(self.ends.partition_point(|end| *end <= leaf))
    }

    /// `sqrt(sum) * |scale|`.
    pub fn norm(self, scale: f64) -> f64 {
        let _control = ControlGuard::new();
        fold(self.sums).sqrt() * scale.abs()
    }
}

/// Folds pairwise, level by level, an odd last one passing up; +0.0 of nothing.
fn fold(mut sums: Vec<f64>) -> f64 {
    while sums.len() > 1 {
        let pairs = sums.len() / 2;
        for i in 0..pairs {
            sums[i] = sums[2 * i] + sums[2 * i + 1];
        }
        if sums.len() % 2 == 1 {
            sums[pairs] = sums[2 * pairs];
        }
        sums.truncate(sums.len().div_ceil(2));
    }
    sums.first().copied().unwrap_or(0.0)
}

/// What gradients of this norm are multiplied by: `max_norm / (norm + 1e-6)` where that is below
/// 1, else 1, also if it is NaN.
pub fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    let _control = ControlGuard::new();
    let factor = max_norm / (norm + 1e-6);
    if factor < 1.0 { factor } else { 1.0 }
}

#[cfg(test)]
mod tests;
