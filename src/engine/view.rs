//! An array as the engine sees it: a pointer, a format, a shape and strides in bytes.

use std::ops::Range;

use smallvec::{SmallVec, smallvec};

use crate::number::{Format, Kind};

/// NumPy's most axes. A view of no more takes no memory but its own: it is made, read and dropped.
pub(super) const MOST_AXES: usize = 64;

#[derive(Clone, Debug)]
pub struct View {
    pub data: *mut u8,
    pub format: Format,
    pub shape: SmallVec<[usize; MOST_AXES]>,
    pub strides: SmallVec<[isize; MOST_AXES]>,
}

impl View {
    /// `len` elements in the machine's byte order, one after the other.
    pub fn line(data: *mut u8, kind: Kind, len: usize) -> Self {
        let strides = smallvec![kind.size() as isize];
        View { data, format: Format::native(kind), shape: smallvec![len], strides }
    }

    /// As many elements of the same format and shape, one after the other from `data` on.
    pub(super) fn in_c_order_at(&self, data: *mut u8) -> View {
        let mut view = View { data, ..self.clone() };
        let mut span = self.format.kind.size() as isize;
        for (n, stride) in view.shape.iter().zip(&mut view.strides).rev() {
            *stride = span;
            span *= *n as isize;
        }
        view
    }

    /// Whether its elements lie so.
    pub(super) fn is_in_c_order(&self) -> bool {
        self.same_strides(&self.in_c_order_at(self.data))
    }

    /// The first row, whether there is one or not.
    pub fn row(&self) -> View {
        let (shape, strides) = (self.shape[1..].into(), self.strides[1..].into());
        View { data: self.data, format: self.format, shape, strides }
    }

    /// From one row to the next, in bytes.
    pub(super) fn to_next_row(&self) -> isize {
        self.strides[0]
    }

    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// How far the elements reach below and above `data`, in bytes, the last element not counted.
    fn reach(&self) -> (usize, usize) {
        let mut reach = (0, 0);
        for (&n, &stride) in self.shape.iter().zip(&self.strides) {
            let span = (n - 1) * stride.unsigned_abs();
            *(if stride < 0 { &mut reach.0 } else { &mut reach.1 }) += span;
        }
        reach
    }

    /// The addresses between the first and the last byte touched; None for an empty array.
    pub fn extent(&self) -> Option<Range<usize>> {
        if self.is_empty() {
            return None;
        }
        let (below, above) = self.reach();
        let data = self.data as usize;
        Some(data - below..data + above + self.format.kind.size())
    }

    /// Whether the strides leave it open that two indexes share bytes. Exact for what NumPy makes
    /// by slicing; an `as_strided` view that interleaves without overlap counts as overlapping.
    pub fn may_overlap_itself(&self) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut axes = self.axes();
        axes.sort_unstable();
        let mut span = self.format.kind.size();
        for (stride, n) in axes {
            if stride < span {
                return true;
            }
            span += (n - 1) * stride;
        }
        false
    }

    /// The magnitude of each stride and its length, axes of length 1 left out.
    fn axes(&self) -> SmallVec<[(usize, usize); MOST_AXES]> {
        let axes = self.strides.iter().zip(&self.shape);
        axes.filter(|(_, n)| **n != 1).map(|(s, n)| (s.unsigned_abs(), *n)).collect()
    }

    /// Whether the elements fill their extent without gaps, in whatever order of axes.
    pub(super) fn fills_extent(&self) -> bool {
        let mut axes = self.axes();
        axes.sort_unstable();
        let mut span = self.format.kind.size();
        for (stride, n) in axes {
            if stride != span {
                return false;
            }
            span *= n;
        }
        true
    }

    /// The lowest address of an element.
    pub fn lowest(&self) -> *mut u8 {
        if self.is_empty() { self.data } else { self.data.wrapping_sub(self.reach().0) }
    }

    pub(super) fn is_aligned(&self) -> bool {
        let size = self.format.kind.size();
        (self.data as usize).is_multiple_of(size)
            && self.axes().iter().all(|(stride, _)| stride.is_multiple_of(size))
    }

    /// Whether axes longer than 1 have the same strides, counted in each array's own elements.
    pub(super) fn same_strides(&self, other: &View) -> bool {
        let elements = |view: &View, stride: isize| {
            let size = view.format.kind.size() as isize;
            (stride % size == 0).then_some(stride / size)
        };
        let pairs = self.strides.iter().zip(&other.strides).zip(&self.shape);
        pairs.filter(|(_, n)| **n != 1).all(|((&a, &b), _)| {
            let a = elements(self, a);
            a.is_some() && a == elements(other, b)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::View;
    use crate::number::{Format, Kind};

    fn view(shape: &[usize], strides: &[isize]) -> View {
        let format = Format::native(Kind::F32);
        View { data: 4096 as *mut u8, format, shape: shape.into(), strides: strides.into() }
    }

    #[test]
    fn extents_follow_the_sign_of_strides() {
        assert_eq!(view(&[3, 2], &[8, 4]).extent(), Some(4096..4120));
        assert_eq!(view(&[3], &[-8]).extent(), Some(4080..4100));
        assert_eq!(view(&[0, 5], &[20, 4]).extent(), None);
        assert_eq!(view(&[], &[]).extent(), Some(4096..4100));
    }

    #[test]
    fn overlap_with_itself_is_seen_in_the_strides() {
        assert!(view(&[3], &[0]).may_overlap_itself());
        assert!(view(&[3, 3], &[4, 4]).may_overlap_itself());
        assert!(!view(&[3, 1], &[4, 0]).may_overlap_itself());
        assert!(!view(&[3, 2], &[4, -12]).may_overlap_itself());
    }

    #[test]
    fn dense_in_any_order_of_axes() {
        assert!(view(&[3, 2], &[8, 4]).fills_extent());
        assert!(view(&[3, 2], &[4, 12]).fills_extent());
        assert!(view(&[3, 2], &[-8, 4]).fills_extent());
        assert!(!view(&[3], &[8]).fills_extent());
    }

    #[test]
    fn strides_are_compared_in_elements() {
        let halves = |shape: &[usize], strides: &[isize]| {
            let mut view = view(shape, strides);
            view.format.kind = Kind::BF16;
            view
        };
        assert!(view(&[3, 2], &[4, 12]).same_strides(&halves(&[3, 2], &[2, 6])));
        assert!(view(&[3, 1], &[-4, 0]).same_strides(&halves(&[3, 1], &[-2, 8])));
        assert!(!view(&[3, 2], &[8, 4]).same_strides(&halves(&[3, 2], &[8, 4])));
        assert!(!view(&[3], &[4]).same_strides(&halves(&[3], &[3])));
    }
}
