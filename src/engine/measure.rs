//! The sums of a [`Measure`] over arrays in any layout, on any number of threads; `rules/measure.rs`
//! says in which order they are added.

use super::control::ControlGuard;
use super::leaf::{Array, Walk};
use super::memory::{Grow, OutOfMemory, with_room};
use super::view::View;
use super::walk::{Axis, in_c_order, in_memory_order};
use super::work;
use crate::number::Precision;
use crate::rules::{LEAF, Measure, norm};

/// Arrays in any layout, each with the type that its elements are converted to.
#[derive(Debug, Default)]
pub struct Measured {
    /// Each with the end of its axes among those of all.
    arrays: Vec<(Array, usize)>,
    /// In C order of the index.
    axes: Vec<Axis>,
    bytes: usize,
}

// SAFETY: the pointers are the only members that are not Send or Sync, and they are only read
// through, by `measure`, whose caller vouches for the memory.
unsafe impl Send for Measured {}
// SAFETY: as above.
unsafe impl Sync for Measured {}

impl Measured {
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

    /// The sums of all leaves. They do not depend on the number of threads.
    ///
    /// # Safety
    /// The views describe live memory that nobody writes meanwhile.
    pub unsafe fn measure<M: Measure>(mut self, threads: usize) -> Result<Leaves, OutOfMemory> {
        let mut ends = with_room(self.arrays.len())?;
        let mut walks = with_room(self.arrays.len())?;
        let (mut count, mut rest) = (0usize, &mut self.axes[..]);
        let mut begin = 0;
        for (mut array, end) in self.arrays {
            let (axes, others) = rest.split_at_mut(end - begin);
            (begin, rest) = (end, others);
            let mut left = axes.len();
            if !M::ORDERED && array.len > 0 {
                (array.data, left) = in_memory_order(array.data, axes);
            }
            walks.push(Walk::new::<M>(array, &axes[..left]));
            count = count.checked_add(array.len.div_ceil(LEAF)).ok_or(OutOfMemory)?;
            ends.push(count);
        }
        let mut sums = with_room(count)?;
        sums.resize(count, 0.0);
        let places = Places(sums.as_mut_ptr());
        work::run(count, self.bytes, threads, |leaves| {
            let _control = ControlGuard::new();
            let mut array = ends.partition_point(|end| *end <= leaves.start);
            let mut next = leaves.start;
            while next < leaves.end {
                let first = if array == 0 { 0 } else { ends[array - 1] };
                let end = ends[array].min(leaves.end);
                // SAFETY: the array has these leaves, and this thread alone has their numbers, which
                // are below `count`; the rest is the caller's promise.
                unsafe {
                    let each = |leaf, sum| places.set(first + leaf, sum);
                    walks[array].leaves(next - first..end - first, each);
                }
                (next, array) = (end.max(next), array + 1);
            }
        });
        Ok(Leaves { sums, ends })
    }
}

/// Sums while threads write them, each its own.
pub(super) struct Places<T>(pub(super) *mut T);

// SAFETY: the caller of `set` vouches for it.
unsafe impl<T> Sync for Places<T> {}

impl<T> Places<T> {
    /// SAFETY: there is a sum with this number, and no other thread has it.
    pub(super) unsafe fn set(&self, number: usize, sum: T) {
        // SAFETY: passed on from the caller.
        unsafe { *self.0.add(number) = sum };
    }
}

/// What each leaf of each array adds to a sum, or to several: eight bytes of one for 4,096 elements.
#[derive(Debug)]
pub struct Leaves<T = f64> {
    pub(super) sums: Vec<T>,
    /// By array, the number of leaves up to its end.
    pub(super) ends: Vec<usize>,
}

impl<T> Leaves<T> {
    /// The sums of one array.
    pub fn of(&self, array: usize) -> &[T] {
        let start = if array == 0 { 0 } else { self.ends[array - 1] };
        &self.sums[start..self.ends[array]]
    }
}

impl Leaves {
    /// The sums of all arrays, one after the other.
    pub fn all(&self) -> &[f64] {
        &self.sums
    }

    /// The first array with a leaf that is infinite or NaN. The total can be so without any:
    /// finite leaves can overflow together.
    pub fn first_nonfinite(&self) -> Option<usize> {
        let leaf = self.sums.iter().position(|sum| !sum.is_finite())?;
        Some(self.ends.partition_point(|end| *end <= leaf))
    }
}

/// Folds the sums of leaves pairwise, level by level, an odd last one passing up; +0.0 of nothing.
pub fn fold_leaves(sums: impl IntoIterator<Item = f64>) -> f64 {
    let _control = ControlGuard::new();
    // Trees of 2^k leaves that wait for their right half: one for each bit of the count so far. No
    // memory is asked for, wherever the sums come from.
    let (mut waiting, mut depth) = ([0.0; usize::BITS as usize], 0);
    for (count, mut sum) in sums.into_iter().enumerate() {
        for _ in 0..count.trailing_ones() {
            depth -= 1;
            sum += waiting[depth];
        }
        waiting[depth] = sum;
        depth += 1;
    }
    // What is odd passes up until it meets a tree.
    let trees = waiting[..depth].iter().rev().copied();
    trees.reduce(|right, left| left + right).unwrap_or(0.0)
}

/// The norm of gradients that are multiplied by `scale`, from the sums of their leaves before that.
pub fn norm_of_leaves(sums: impl IntoIterator<Item = f64>, scale: f64) -> f64 {
    let sum = fold_leaves(sums);
    let _control = ControlGuard::new();
    norm(sum, scale)
}

#[cfg(test)]
mod tests;
