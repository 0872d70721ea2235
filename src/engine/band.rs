//! Elements in C order out of an array whose memory has another: some rows are gathered at a time, so
//! that each cache line of theirs is read once.

use super::gather::{Plane, as_they_are};
use super::memory::{OutOfMemory, with_room};
use super::patch::each_index;
use super::view::MOST_AXES;
use super::walk::Axis;
use crate::number::Format;
use crate::rules::LEAF;
use smallvec::SmallVec;

/// Bytes that are gathered at a time: with the memory that they come from they stay in the
/// second-level cache.
const BAND: usize = 256 * 1024;

/// Fewer rows are not worth it, and more gain nothing.
const HEIGHTS: (usize, usize) = (4, 64);

/// The way through such an array.
#[derive(Debug)]
pub(super) struct Bands<'a> {
    data: *const u8,
    format: Format,
    /// From this axis on, along which the elements are neighbours in memory, a row's axes begin.
    outer: &'a [Axis],
    row: &'a [Axis],
    /// Elements of a row, and rows of a band.
    len: usize,
    height: usize,
}

impl<'a> Bands<'a> {
    /// None if rows are no neighbours in memory, or too long.
    pub(super) fn of(data: *const u8, format: Format, axes: &'a [Axis]) -> Option<Self> {
        let size = format.kind.size();
        let inner = axes.iter().position(|(_, stride)| *stride == size as isize)?;
        let (outer, row) = axes.split_at(inner + 1);
        let len: usize = row.iter().map(|(n, _)| n).product();
        let (least, most) = HEIGHTS;
        let height = (BAND / size / len).min(most);
        let lines = 64 / size;
        let height = if height > lines { height / lines * lines } else { height };
        let found = !row.is_empty() && height >= least && axes[inner].0 >= least;
        found.then_some(Bands { data, format, outer, row, len, height })
    }
}

/// Elements that were gathered and not yet taken.
#[derive(Debug)]
pub(super) struct Gathered<'a> {
    bands: &'a Bands<'a>,
    memory: Vec<u64>,
    /// The elements of the memory that are there, and those that were taken.
    there: usize,
    taken: usize,
    /// The next row.
    next: usize,
}

impl<'a> Gathered<'a> {
    /// From this element on.
    pub(super) fn new(bands: &'a Bands<'a>, element: usize) -> Result<Self, OutOfMemory> {
        // A leaf whose end is in the next band, and that band.
        let most = LEAF + bands.len * bands.height;
        let memory = with_room((most * bands.format.kind.size()).div_ceil(8))?;
        let mut gathered =
            Gathered { bands, memory, there: 0, taken: 0, next: element / bands.len };
        // As if what comes before in its row had been taken; the sum below becomes right with it.
        gathered.taken = element % bands.len;
        Ok(gathered)
    }

    /// The next elements, up to a leaf of them, as they are stored in the machine's byte order.
    ///
    /// SAFETY: the array has them, and is live memory that nobody writes meanwhile.
    pub(super) unsafe fn take(&mut self, len: usize) -> *const u8 {
        let size = self.bands.format.kind.size();
        let memory: *mut u8 = self.memory.as_mut_ptr().cast();
        while self.there < self.taken + len {
            if self.there > self.taken {
                let left = (self.there - self.taken) * size;
                // SAFETY: these are elements that are there.
                unsafe { std::ptr::copy(memory.add(self.taken * size), memory, left) };
            }
            let skipped = self.taken.saturating_sub(self.there);
            self.there = self.there.saturating_sub(self.taken);
            // SAFETY: passed on from the caller; there is room for a band beside what is left of a
            // leaf.
            self.there += unsafe { self.gather(memory.add(self.there * size)) };
            self.taken = skipped;
        }
        let taken = self.taken;
        self.taken += len;
        // SAFETY: these are elements that are there.
        unsafe { memory.add(taken * size) }
    }

    /// Gathers the next rows, and says how many elements these are.
    ///
    /// SAFETY: as for `take`, and there is room for a band.
    unsafe fn gather(&mut self, to: *mut u8) -> usize {
        let Bands { data, format, outer, row, len, height } = *self.bands;
        let size = format.kind.size();
        let mut begin = data;
        let (mut rest, mut rows) = (self.next, height);
        for (i, (n, stride)) in outer.iter().enumerate().rev() {
            begin = begin.wrapping_offset((rest % n) as isize * stride);
            if i == outer.len() - 1 {
                rows = rows.min(n - rest % n);
            }
            rest /= n;
        }
        let (between, last) = row.split_at(row.len() - 1);
        let (n, across) = last[0];
        let plane = Plane([(n, across, 1), (rows, size as isize, len)]);
        let lens: SmallVec<[usize; MOST_AXES]> = between.iter().map(|(n, _)| *n).collect();
        let mut place = 0;
        each_index(&lens, |at| {
            let offset: isize =
                at.iter().zip(between).map(|(i, (_, stride))| *i as isize * stride).sum();
            let (from, to) = (begin.wrapping_offset(offset), to.wrapping_add(place * size));
            // SAFETY: passed on from the caller; the elements are the rows'.
            unsafe { as_they_are(size).0(format.swapped, from, &plane, to) };
            place += n;
        });
        self.next += rows;
        rows * len
    }
}
