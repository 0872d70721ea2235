//! The values of rows, those of one row added up.

use std::mem::MaybeUninit;

use super::control::ControlGuard;
use super::gather::{Plane, Tile};
use super::leaf::gather_along;
use super::memory::{OutOfMemory, with_room};
use super::occurrences::Occurrences;
use super::view::View;
use super::walk::{Axis, Cursor, in_c_order};
use super::work;
use crate::number::{Format, Kind, Precision};

/// Elements that are converted before they are added.
const TILE: usize = 256;

/// By ascending row the sums of its values in the compute type, each row in C order.
#[derive(Debug)]
pub enum Added {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Added {
    pub fn kind(&self) -> Kind {
        match self {
            Added::F32(_) => Kind::F32,
            Added::F64(_) => Kind::F64,
        }
    }

    /// The elements in the machine's byte order.
    pub fn bytes(&self) -> &[u8] {
        let (data, size) = match self {
            Added::F32(sums) => (sums.as_ptr().cast(), size_of_val(&sums[..])),
            Added::F64(sums) => (sums.as_ptr().cast(), size_of_val(&sums[..])),
        };
        // SAFETY: these are the vector's bytes, and numbers have no others between them.
        unsafe { std::slice::from_raw_parts(data, size) }
    }
}

/// Values of rows: as many as the list has indices, each of the shape of a row.
#[derive(Debug)]
pub struct RowValues<'a> {
    pub occurrences: &'a Occurrences,
    pub values: View,
    pub precision: Precision,
}

// SAFETY: the view is the only member that is not Send, and it is only read through, by `add`, whose
// caller vouches for the memory.
unsafe impl Send for RowValues<'_> {}

impl RowValues<'_> {
    /// The bytes that are read and written.
    pub fn bytes(&self) -> usize {
        let each = self.values.format.kind.size() + self.precision.kind().size();
        self.values.len().saturating_mul(each)
    }

    /// Adds the values of each row in the order of the list, each converted first. The result does not
    /// depend on the number of threads.
    ///
    /// # Safety
    /// The view describes live memory that nobody writes meanwhile.
    pub unsafe fn add(self, threads: usize) -> Result<Added, OutOfMemory> {
        // SAFETY: passed on from the caller.
        unsafe {
            Ok(match self.precision {
                Precision::F32 => Added::F32(self.sums(threads)?),
                Precision::F64 => Added::F64(self.sums(threads)?),
            })
        }
    }

    /// SAFETY: as for `add`.
    unsafe fn sums<R: Tile>(&self, threads: usize) -> Result<Vec<R>, OutOfMemory> {
        let (count, row) = (self.occurrences.rows().len(), self.values.row());
        let (len, axes) = (row.len(), in_c_order(&row));
        let mut sums: Vec<R> = with_room(count * len)?;
        let rows = Rows { axes: &axes, len, values: &self.values, sums: sums.as_mut_ptr() };
        if len > 0 {
            work::run(count, self.bytes(), threads, |numbers| {
                let _control = ControlGuard::new();
                for number in numbers {
                    // SAFETY: no other thread has this row; the rest is the caller's promise.
                    unsafe { rows.add(number, self.occurrences.places(number)) };
                }
            });
        }
        // SAFETY: there is room for all rows, and each was written.
        unsafe { sums.set_len(count * len) };
        Ok(sums)
    }
}

/// The rows while threads write them, each its own.
struct Rows<'a, R> {
    axes: &'a [Axis],
    len: usize,
    values: &'a View,
    sums: *mut R,
}

// SAFETY: the caller of `RowValues::add` vouches for the values, and each thread writes rows of its own.
unsafe impl<R> Sync for Rows<'_, R> {}

impl<R: Tile> Rows<'_, R> {
    /// SAFETY: there is room for the row with this number, which nobody else has; the places are those
    /// of rows of a live array, and one at least.
    unsafe fn add(&self, number: usize, places: &[usize]) {
        // SAFETY: passed on from the caller; it need not be initialised.
        let sum = unsafe {
            let sum = self.sums.add(number * self.len).cast::<MaybeUninit<R>>();
            std::slice::from_raw_parts_mut(sum, self.len)
        };
        let Some((first, more)) = places.split_first() else { return };
        // SAFETY: passed on from the caller.
        unsafe { self.gather(*first, 0, sum) };
        if !more.is_empty() {
            // SAFETY: every element was just written.
            let sum = unsafe { &mut *(std::ptr::from_mut(sum) as *mut [R]) };
            // SAFETY: passed on from the caller.
            unsafe { self.add_more(more, sum) };
        }
    }

    /// SAFETY: as for `add`.
    #[inline(never)] // or its tile would be in the frame of rows that occur once
    unsafe fn add_more(&self, places: &[usize], sum: &mut [R]) {
        let mut tile = [MaybeUninit::<R>::uninit(); TILE];
        for place in places {
            for (i, part) in sum.chunks_mut(TILE).enumerate() {
                let tile = &mut tile[..part.len()];
                // SAFETY: passed on from the caller.
                unsafe { self.gather(*place, i * TILE, tile) };
                // SAFETY: every element of it was just written.
                let tile = unsafe { &*(std::ptr::from_mut(tile) as *const [R]) };
                part.iter_mut().zip(tile).for_each(|(sum, x)| *sum = *sum + *x);
            }
        }
    }

    /// Converts as many elements of the row at a place of the list as there is room for, from this one
    /// on.
    ///
    /// SAFETY: the row is one of a live array, and has as many elements.
    unsafe fn gather(&self, place: usize, from: usize, to: &mut [MaybeUninit<R>]) {
        let Format { kind, swapped } = self.values.format;
        let row = self.values.data.wrapping_offset(place as isize * self.values.to_next_row());
        // SAFETY: passed on from the caller.
        unsafe {
            if let [(_, stride)] = *self.axes {
                let data = row.wrapping_offset(from as isize * stride);
                let line = Plane::line(to.len(), stride);
                R::gather(kind)(swapped, data, &line, to.as_mut_ptr().cast());
            } else {
                // It knows any axes, and takes longer to set up than many a row to read.
                gather_along(self.values.format, &mut Cursor::new(self.axes, row, from), to);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::RowValues;
    use crate::engine::Occurrences;
    use crate::engine::view::View;
    use crate::number::{Format, Kind, Precision};

    #[test]
    fn repeated_rows_are_added_in_order() {
        let occurrences = Occurrences::of(&[3, 1, 3, 3]).unwrap();
        // Of float64, the second axis backwards: each rounded first, then added one after the other.
        let numbers = [1.0, 1e8, -0.0, 2.0, 0.1, 1.0, 0.2, -1e8];
        let view = View {
            data: numbers.as_ptr().cast_mut().wrapping_add(1).cast(),
            format: Format::native(Kind::F64),
            shape: [4, 2].into_iter().collect(),
            strides: [16, -8].into_iter().collect(),
        };
        let precision = Precision::F32;
        let values = RowValues { occurrences: &occurrences, values: view, precision };
        // SAFETY: the view is of the numbers.
        let added = unsafe { values.add(1) }.unwrap();
        let wanted = [2.0f32, -0.0, (1e8f32 + 1.0) + -1e8, (1.0f32 + 0.1) + 0.2];
        let bytes: Vec<u8> = wanted.iter().flat_map(|x| x.to_ne_bytes()).collect();
        assert_eq!((added.kind(), added.bytes()), (Kind::F32, &bytes[..]));
    }
}
