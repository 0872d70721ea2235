//! The index space of several arrays cut into patches, which stay in the cache while they are run.
//!
//! Where arrays have different orders of axes, no way through the elements is the memory's for all
//! of them. In a patch each has some cache lines that are used wholly.

use smallvec::{SmallVec, smallvec};

use super::block::ARRAYS;
use super::memory::{OutOfMemory, try_collect};
use super::view::{MOST_AXES, View};

/// Bytes of a patch that lie one after the other in an array, where there are as many. What a patch
/// has less of these it has more of the first array, which likes long stretches: there memory is
/// read and written.
const STRETCH: usize = 64;

#[derive(Debug)]
pub(super) struct Axis {
    len: usize,
    /// How much of it a patch has, and the first one.
    extent: usize,
    lead: usize,
    /// In bytes, of each array.
    pub(super) strides: [isize; ARRAYS],
}

/// For each axis an index, or a number of indexes.
pub(super) type Indexes = SmallVec<[usize; MOST_AXES]>;

/// The common axes of the views, outermost first in the memory of the first view. Those of length 1
/// are dropped, and those that are one in the memory of all views are made one.
pub(super) fn axes(views: &[&View]) -> Result<Vec<Axis>, OutOfMemory> {
    let Some(first) = views.first() else { return Ok(Vec::new()) };
    let mut order: Indexes = (0..first.shape.len()).filter(|&a| first.shape[a] != 1).collect();
    order.sort_by_key(|&axis| std::cmp::Reverse(first.strides[axis].unsigned_abs()));
    let mut axes = try_collect(order.into_iter().map(|axis| {
        let mut strides = [0; ARRAYS];
        for (stride, view) in strides.iter_mut().zip(views) {
            *stride = view.strides[axis];
        }
        Axis { len: first.shape[axis], extent: 1, lead: 1, strides }
    }))?;
    axes.dedup_by(|inner, outer| {
        let whole = |(outer, inner_stride): (isize, isize), n: usize| {
            inner_stride.checked_mul(n as isize) == Some(outer)
        };
        let pairs = outer.strides.into_iter().zip(inner.strides);
        let one = pairs.clone().all(|pair| whole(pair, inner.len));
        if one {
            outer.len *= inner.len;
            outer.strides = inner.strides;
        }
        one
    });
    Ok(axes)
}

/// Chooses how much of each axis a patch has of arrays with elements of these sizes: up to `most`, a
/// stretch of each array, and as much as there is room for along the memory of the first.
pub(super) fn cut(axes: &mut [Axis], sizes: &[usize], most: usize) {
    axes.iter_mut().for_each(|axis| axis.extent = 1);
    for (a, size) in sizes.iter().enumerate().skip(1) {
        grow(axes, a, STRETCH / size, most);
    }
    grow(axes, 0, most, most);
    axes.iter_mut().for_each(|axis| axis.lead = axis.extent);
}

/// Lets stretches of array `a` begin where cache lines do, if one shift does so for all of them.
pub(super) fn align(axes: &mut [Axis], a: usize, view: &View) {
    let (size, data) = (view.format.kind.size(), view.data as usize);
    let lines = |axis: &Axis| axis.strides[a] % 64 == 0;
    let last = axes.len().saturating_sub(1);
    let dense = (0..last).find(|&i| axes[i].strides[a] == size as isize);
    let Some(i) = dense.filter(|i| (0..=last).all(|other| other == *i || lines(&axes[other])))
    else {
        return;
    };
    let axis = &mut axes[i];
    let rest = data.next_multiple_of(64) - data;
    let parts = axis.extent < axis.len && (axis.extent * size).is_multiple_of(64);
    if parts && rest > 0 && rest.is_multiple_of(size) {
        axis.lead = rest / size;
    }
}

/// Makes patches longer, up to `wanted` elements along the memory of array `a`.
fn grow(axes: &mut [Axis], a: usize, wanted: usize, most: usize) {
    let mut order: Indexes = (0..axes.len()).rev().filter(|&i| axes[i].strides[a] != 0).collect();
    order.sort_by_key(|&i| axes[i].strides[a].unsigned_abs());
    let mut along = 1;
    for i in order {
        let others = elements(axes) / axes[i].extent;
        let room = wanted.div_ceil(along).min(most / others).min(axes[i].len);
        axes[i].extent = axes[i].extent.max(room);
        along *= axes[i].extent;
        if axes[i].extent < axes[i].len {
            break;
        }
    }
}

fn elements(axes: &[Axis]) -> usize {
    axes.iter().map(|axis| axis.extent).product()
}

/// The axes from which on the elements of a patch lie one after the other in all of these arrays,
/// with elements of these sizes; and how many these are.
pub(super) fn joined(
    axes: &[Axis],
    arrays: impl Iterator<Item = (usize, usize)> + Clone,
) -> (usize, usize) {
    let (mut from, mut row, mut whole) = (axes.len(), 1, true);
    for (i, axis) in axes.iter().enumerate().rev() {
        let one = |(a, size): (usize, usize)| axis.strides[a] == (row * size) as isize;
        if !(whole && arrays.clone().all(one)) {
            break;
        }
        (from, row, whole) = (i, row * axis.extent, axis.extent == axis.len);
    }
    (from, row)
}

/// A box of the index space.
#[derive(Debug)]
pub(super) struct Patch {
    first: Indexes,
    pub(super) lens: Indexes,
}

impl Patch {
    /// The patch that has the element of this number, and the number of its first element. Counted
    /// are the patches along the axes, and within each its elements.
    pub(super) fn around(axes: &[Axis], number: usize) -> (Self, usize) {
        let mut patch = Patch { first: smallvec![0; axes.len()], lens: smallvec![0; axes.len()] };
        let (mut rest, mut outer) = (number, 1);
        let mut inner: usize = axes.iter().map(|axis| axis.len).product();
        for (i, axis) in axes.iter().enumerate() {
            inner /= axis.len;
            let slab = outer * inner;
            if let Some(past) = (rest / slab).checked_sub(axis.lead) {
                patch.first[i] = axis.lead + past / axis.extent * axis.extent;
            }
            rest -= patch.first[i] * slab;
            outer *= patch.measure(axes, i);
        }
        (patch, number - rest)
    }

    fn measure(&mut self, axes: &[Axis], i: usize) -> usize {
        let Axis { len, extent, lead, .. } = axes[i];
        let most = if self.first[i] == 0 { lead } else { extent };
        self.lens[i] = most.min(len - self.first[i]);
        self.lens[i]
    }

    pub(super) fn len(&self) -> usize {
        self.lens.iter().product()
    }

    /// Goes on to the next patch, and from the last to the first.
    pub(super) fn advance(&mut self, axes: &[Axis]) {
        for i in (0..axes.len()).rev() {
            self.first[i] += self.lens[i];
            let end = self.first[i] >= axes[i].len;
            if end {
                self.first[i] = 0;
            }
            self.measure(axes, i);
            if !end {
                break;
            }
        }
    }

    /// How far its first element is from that of array `a`, in bytes.
    pub(super) fn offset(&self, axes: &[Axis], a: usize) -> isize {
        offset(axes, &self.first, a)
    }
}

/// How far in array `a` an element with these indexes is from the first, in bytes.
pub(super) fn offset(axes: &[Axis], indexes: &[usize], a: usize) -> isize {
    indexes.iter().zip(axes).map(|(i, axis)| *i as isize * axis.strides[a]).sum()
}

/// Calls `visit` with all indexes into a box, the last axis running fastest.
pub(super) fn each_index(lens: &[usize], mut visit: impl FnMut(&[usize])) {
    let mut at: Indexes = smallvec![0; lens.len()];
    loop {
        visit(&at);
        let Some(i) = (0..lens.len()).rev().find(|&i| at[i] + 1 < lens[i]) else { return };
        at[i] += 1;
        at[i + 1..].fill(0);
    }
}

#[cfg(test)]
mod tests;
