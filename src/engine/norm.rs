//! Reductions over gradients whose shape depends on lengths only, so that every SIMD tier, thread
//! count and memory layout gives the same bits: the sum of squares for the global norm, and the
//! search for what is not finite.
//!
//! Each array, in C order of its index, is cut into leaves of 4,096 elements. In a leaf, element
//! `i` (converted once to the compute type, its term made in float64) is added to accumulator
//! `i mod 32`, from +0.0, `i` ascending; the 32 fold by halves. All leaves of all arrays are
//! numbered through and fold pairwise, level by level, an odd last one passing up.

use super::control::ControlGuard;
use super::leaf::{Array, Finite, Square, Term, Walk};
use super::memory::{Grow, OutOfMemory, with_room};
use super::view::View;
use super::walk::{Axis, in_c_order, in_memory_order};
use super::work;
use crate::number::Precision;
use crate::rules::LEAF;

/// Arrays in any layout, each with the type that its elements are converted to.
#[derive(Debug, Default)]
pub struct Arrays {
    /// Each with the end of its axes among those of all.
    arrays: Vec<(Array, usize)>,
    /// In C order of the index.
    axes: Vec<Axis>,
    bytes: usize,
}

// SAFETY: the pointers are the only members that are not Send or Sync, and they are only read
// through, by the two reductions, whose caller vouches for the memory.
unsafe impl Send for Arrays {}
// SAFETY: as above.
unsafe impl Sync for Arrays {}

impl Arrays {
    pub fn push(&mut self, view: &View, precision: Precision) -> Result<(), OutOfMemory> {
        let array = Array::new(view, precision);
        self.axes.try_extend(in_c_order(view))?;
        self.arrays.try_push((array, self.axes.len()))?;
        self.bytes = self.bytes.saturating_add(array.bytes());
        Ok(())
    }

    /// The bytes that a reduction will read.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The sums of squares. The result does not depend on the number of threads.
    ///
    /// # Safety
    /// The views describe live memory that nobody writes meanwhile.
    pub unsafe fn squares(self, threads: usize) -> Result<Leaves, OutOfMemory> {
        // SAFETY: passed on from the caller.
        unsafe { self.reduce::<Square>(threads) }
    }

    /// The first array with an element that is infinite or NaN once it is converted.
    ///
    /// # Safety
    /// As for `squares`.
    pub unsafe fn first_nonfinite(self, threads: usize) -> Result<Option<usize>, OutOfMemory> {
        // SAFETY: passed on from the caller.
        Ok(unsafe { self.reduce::<Finite>(threads) }?.first_nonfinite())
    }

    /// SAFETY: as for `squares`.
    unsafe fn reduce<T: Term>(mut self, threads: usize) -> Result<Leaves, OutOfMemory> {
        let mut ends = with_room(self.arrays.len())?;
        let mut walks = with_room(self.arrays.len())?;
        let (mut count, mut rest) = (0usize, &mut self.axes[..]);
        let mut begin = 0;
        for (mut array, end) in self.arrays {
            let (axes, others) = rest.split_at_mut(end - begin);
            (begin, rest) = (end, others);
            let mut left = axes.len();
            if !T::ORDERED && array.len > 0 {
                (array.data, left) = in_memory_order(array.data, axes);
            }
            walks.push(Walk::new::<T>(array, &axes[..left]));
            count = count.checked_add(array.len.div_ceil(LEAF)).ok_or(OutOfMemory)?;
            ends.push(count);
        }
        let mut sums = with_room(count)?;
        sums.resize(count, 0.0);
        let places = Places(sums.as_mut_ptr());
        work::run(count, self.bytes, threads, |leaves| {
            let _control = ControlGuard::new();
            let mut array = ends.partition_point(|end| *end <= leaves.start);
            for leaf in leaves {
                while ends[array] <= leaf {
                    array += 1;
                }
                let first = if array == 0 { 0 } else { ends[array - 1] };
                // SAFETY: the array has this leaf, and this thread alone has its number, which is
                // below `count`; the rest is the caller's promise.
                unsafe { places.set(leaf, walks[array].leaf(leaf - first)) };
            }
        });
        Ok(Leaves { sums, ends })
    }
}

/// The sums while threads write them, each its own.
struct Places(*mut f64);

// SAFETY: the caller of `set` vouches for it.
unsafe impl Sync for Places {}

impl Places {
    /// SAFETY: there is a sum with this number, and no other thread has it.
    unsafe fn set(&self, number: usize, sum: f64) {
        // SAFETY: passed on from the caller.
        unsafe { *self.0.add(number) = sum };
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
    pub fn of_arrays<'a>(arrays: impl IntoIterator<Item = &'a [f64]>) -> Result<Self, OutOfMemory> {
        let mut leaves = Leaves { sums: Vec::new(), ends: Vec::new() };
        for sums in arrays {
            leaves.sums.try_extend(sums.iter().copied())?;
            leaves.ends.try_push(leaves.sums.len())?;
        }
        Ok(leaves)
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

/// What gradients of this norm are multiplied by: `max_norm / (norm + 1e-6)`, NaN of a NaN norm, but
/// 1 where that is above 1; and 1 where `max_norm` is infinite and so bounds nothing.
pub fn clip_factor(norm: f64, max_norm: f64) -> f64 {
    let _control = ControlGuard::new();
    let factor = max_norm / (norm + 1e-6);
    if factor > 1.0 || max_norm == f64::INFINITY { 1.0 } else { factor }
}

#[cfg(test)]
mod tests;
