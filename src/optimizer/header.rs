//! What an array was when it was last looked at.
//!
//! A step compares every header with what it was; that is most of a small step's time. So shapes
//! and strides up to four axes lie inside the header.

use std::fmt;
use std::ops::Range;

use smallvec::SmallVec;

use crate::engine::{Precision, Region, View, share_bytes};
use crate::number::{Format, Kind};

pub type Axes = SmallVec<[isize; 4]>;

/// Where an array's memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    Host,
    Device(i32),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Host => f.write_str("in host memory"),
            Place::Device(id) => write!(f, "on CUDA device {id}"),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Header {
    pub place: Place,
    pub data: usize,
    pub format: Format,
    pub shape: Axes,
    pub strides: Axes,
    /// Whether it lies in C order without gaps, aligned.
    in_order: bool,
    len: usize,
}

impl Header {
    pub fn new(
        place: Place,
        data: usize,
        format: Format,
        shape: Axes,
        strides: Axes,
        in_order: bool,
    ) -> Self {
        let len = shape.iter().map(|n| n.unsigned_abs()).product();
        Header { place, data, format, shape, strides, in_order, len }
    }

    /// In C order without gaps, aligned, in the machine's byte order.
    #[inline]
    pub fn runs_in_place(&self) -> bool {
        self.in_order && !self.format.swapped
    }

    pub fn precision(&self) -> Precision {
        Precision::of(self.format.kind)
    }

    pub fn pointer(&self) -> *mut u8 {
        self.data as *mut u8
    }

    /// The lowest address of an element.
    pub fn lowest(&self) -> usize {
        if self.runs_in_place() { self.data } else { self.view().lowest() as usize }
    }

    #[allow(clippy::len_without_is_empty)] // nobody asks
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn view(&self) -> View {
        View {
            data: self.pointer(),
            format: self.format,
            shape: self.shape.iter().map(|n| n.unsigned_abs()).collect(),
            strides: self.strides.iter().copied().collect(),
        }
    }

    /// An array of this shape in C order, from `data` on.
    pub fn view_at(&self, data: usize, kind: Kind) -> View {
        let mut view = View { data: data as *mut u8, format: Format::native(kind), ..self.view() };
        let mut stride = kind.size() as isize;
        for (place, n) in view.strides.iter_mut().zip(&view.shape).rev() {
            *place = stride;
            stride *= *n as isize;
        }
        view
    }

    /// The bytes of as many elements of `kind`, from `data` on without gaps.
    pub fn range_from(&self, data: usize, kind: Kind) -> Range<usize> {
        data..data + self.len * kind.size()
    }

    /// The addresses between the first and the last byte; None for an empty array.
    pub fn extent(&self) -> Option<Range<usize>> {
        self.view().extent()
    }

    /// Whether two arrays have a byte in common. Host and device addresses are of one space.
    pub fn shares_memory(&self, other: &Self) -> bool {
        share_bytes(self.region(), other.region())
    }

    /// The same of a gradient's view.
    pub fn shares(&self, other: &View) -> bool {
        share_bytes(self.region(), other.region())
    }

    fn region(&self) -> Region<impl Iterator<Item = (usize, isize)> + Clone + '_> {
        let lengths = self.shape.iter().map(|n| n.unsigned_abs());
        let axes = lengths.zip(self.strides.iter().copied());
        Region { data: self.data, size: self.format.kind.size(), axes }
    }
}
