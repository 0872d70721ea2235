//! Arrays of a reduction that are read side by side, in C order of their common index.

use std::mem::MaybeUninit;

use smallvec::SmallVec;

use super::gather::Tile;
use super::leaf::{TILE, gather_along};
use super::view::{MOST_AXES, View};
use super::walk::{Axis, Cursor, in_c_order};
use crate::number::{Format, Precision};

#[derive(Debug)]
pub(super) struct Stream {
    data: *const u8,
    format: Format,
    axes: SmallVec<[Axis; MOST_AXES]>,
    /// Whether a stretch of it can be read where it lies.
    ready: bool,
}

impl Stream {
    pub(super) fn new(view: &View, precision: Precision) -> Self {
        let axes = in_c_order(view);
        let along = axes.last().is_some_and(|(_, step)| *step == view.format.kind.size() as isize);
        let ready = along && view.is_aligned() && view.format == Format::native(precision.kind());
        Stream { data: view.data, format: view.format, axes, ready }
    }

    /// The place of an element.
    pub(super) fn from(&self, element: usize) -> Cursor<'_> {
        Cursor::new(&self.axes, self.data, element)
    }
}

/// The next elements of each, in the compute type: where they lie, or gathered into its tile. All up to
/// `most`, if none has to be gathered for that; else as many as a tile has room for.
///
/// SAFETY: the cursors are those of the streams, whose arrays are live and have as many elements before
/// them; `R` is the precision.
#[inline]
pub(super) unsafe fn next<R: Tile, const N: usize>(
    streams: &[Stream],
    cursors: &mut [Cursor<'_>],
    tiles: &mut [[MaybeUninit<R>; TILE]; N],
    most: usize,
) -> ([*const u8; N], usize) {
    let both = streams.iter().zip(&*cursors);
    let whole = { both }.all(|(stream, cursor)| stream.ready && cursor.stretch() >= most);
    let len = if whole { most } else { TILE.min(most) };
    let mut places = [std::ptr::null(); N];
    for (a, (stream, cursor)) in streams.iter().zip(cursors).enumerate() {
        places[a] = if stream.ready && cursor.stretch() >= len {
            cursor.take(len).0
        } else {
            // SAFETY: passed on from the caller.
            unsafe { gather_along(stream.format, cursor, &mut tiles[a][..len]) };
            tiles[a].as_ptr().cast()
        };
    }
    (places, len)
}
