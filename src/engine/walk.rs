//! The way through an array's elements, stretch by stretch.

use smallvec::{SmallVec, smallvec};

use super::view::{MOST_AXES, View};

/// A length and a stride in bytes.
pub(super) type Axis = (usize, isize);

/// The axes in C order, outermost first, without those of length 1; at least one.
pub(super) fn in_c_order(view: &View) -> SmallVec<[Axis; MOST_AXES]> {
    let axes = view.shape.iter().copied().zip(view.strides.iter().copied());
    let mut axes: SmallVec<_> = axes.filter(|(n, _)| *n != 1).collect();
    if axes.is_empty() {
        axes.push((1, view.format.kind.size() as isize));
    }
    let merged = merge(&mut axes);
    axes.truncate(merged);
    axes
}

/// Puts the axes of an array with elements in the order of the memory, from the lowest address on:
/// that address, and the number of axes that are left.
pub(super) fn in_memory_order(data: *mut u8, axes: &mut [Axis]) -> (*mut u8, usize) {
    let mut lowest = data;
    for (n, stride) in &mut *axes {
        if *stride < 0 {
            lowest = lowest.wrapping_offset((*n as isize - 1) * *stride);
            *stride = -*stride;
        }
    }
    axes.sort_unstable_by_key(|(_, stride)| std::cmp::Reverse(*stride));
    (lowest, merge(axes))
}

/// Makes one of an axis and the one inside it where the stride of the one is the whole of the
/// other; returns the number of axes that are left.
fn merge(axes: &mut [Axis]) -> usize {
    let mut last = 0;
    for i in 1..axes.len() {
        let ((outer, step), (n, stride)) = (axes[last], axes[i]);
        if step == stride * n as isize {
            axes[last] = (outer * n, stride);
        } else {
            last += 1;
            axes[last] = (n, stride);
        }
    }
    (last + 1).min(axes.len())
}

/// A place among the elements: divisions once, not at each stretch, which can be short.
pub(super) struct Cursor<'a> {
    axes: &'a [Axis],
    index: SmallVec<[usize; MOST_AXES]>,
    place: *const u8,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(axes: &'a [Axis], data: *const u8, element: usize) -> Self {
        let mut index = smallvec![0; axes.len()];
        let mut place = data;
        let mut rest = element;
        for (i, (n, stride)) in index.iter_mut().zip(axes).rev() {
            *i = rest % n;
            rest /= n;
            place = place.wrapping_offset(*i as isize * stride);
        }
        Cursor { axes, index, place }
    }

    /// The elements from here to the end of the last axis.
    pub(super) fn stretch(&self) -> usize {
        let last = self.axes.len() - 1;
        self.axes[last].0 - self.index[last]
    }

    /// Takes up to `most` elements along the last axis: where they begin, their stride and number.
    pub(super) fn take(&mut self, most: usize) -> (*const u8, isize, usize) {
        let mut axis = self.axes.len() - 1;
        let stride = self.axes[axis].1;
        let (place, len) = (self.place, self.stretch().min(most));
        self.index[axis] += len;
        self.place = place.wrapping_offset(len as isize * stride);
        while axis > 0 && self.index[axis] == self.axes[axis].0 {
            let (n, stride) = self.axes[axis];
            self.index[axis] = 0;
            axis -= 1;
            self.index[axis] += 1;
            self.place = self.place.wrapping_offset(self.axes[axis].1 - n as isize * stride);
        }
        (place, stride, len)
    }
}
