//! The way through an array's elements, stretch by stretch.

use smallvec::{SmallVec, smallvec};

use super::View;

/// NumPy's most axes; those of an array with more go to the heap.
pub(super) const MOST_AXES: usize = 64;

/// Lengths and strides in bytes, outermost first, at least one.
pub(super) type Axes = SmallVec<[(usize, isize); MOST_AXES]>;

/// The axes in C order, without those of length 1; one whose stride is the whole of the axis inside
/// it continues that one.
pub(super) fn in_c_order(view: &View) -> Axes {
    let axes = view.shape.iter().copied().zip(view.strides.iter().copied());
    merged(view, axes.filter(|(n, _)| *n != 1))
}

/// The axes in the order of the memory, from the lowest address on.
pub(super) fn in_memory_order(view: &View) -> (*mut u8, Axes) {
    let axes = view.shape.iter().copied().zip(view.strides.iter().map(|stride| stride.abs()));
    let mut axes: Axes = axes.filter(|(n, _)| *n != 1).collect();
    axes.sort_unstable_by_key(|(_, stride)| std::cmp::Reverse(*stride));
    (view.lowest(), merged(view, axes.into_iter()))
}

fn merged(view: &View, axes: impl Iterator<Item = (usize, isize)>) -> Axes {
    let mut merged = Axes::new();
    for (n, stride) in axes {
        match merged.last_mut() {
            Some(outer) if outer.1 == stride * n as isize => *outer = (outer.0 * n, stride),
            _ => merged.push((n, stride)),
        }
    }
    if merged.is_empty() {
        merged.push((1, view.format.kind.size() as isize));
    }
    merged
}

/// A place among the elements: divisions once, not at each stretch, which can be short.
pub(super) struct Cursor<'a> {
    axes: &'a [(usize, isize)],
    index: SmallVec<[usize; MOST_AXES]>,
    pub(super) place: *const u8,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(axes: &'a [(usize, isize)], data: *const u8, element: usize) -> Self {
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
