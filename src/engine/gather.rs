//! Elements in any place, stride and byte order, to and from a tile: of the compute type, or as they
//! are.

use super::square::Bits;
use crate::number::{BF16, Compute, F16, Kind, Precision, Store, Stored};

/// Two axes of a part of an array, the one along which the memory is nearest second: the number of
/// elements, and how far they are from each other in memory (in bytes) and in the tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane(pub(super) [(usize, isize, usize); 2]);

impl Plane {
    /// Elements that follow each other in the tile.
    pub(super) fn line(len: usize, stride: isize) -> Self {
        Plane([(1, 0, 0), (len, stride, 1)])
    }
}

/// Reads strided elements, in the machine's byte order or the other, into a tile.
///
/// SAFETY of a call: pointers and plane lead to elements of the type in live memory, and to places of
/// a tile, which is aligned for its elements.
pub(super) type Gather = unsafe fn(bool, *const u8, &Plane, *mut u8);

/// Writes strided elements from a tile.
///
/// SAFETY of a call: as for [`Gather`]; the memory is the caller's to write, and the tile has values.
pub(super) type Scatter = unsafe fn(bool, *mut u8, &Plane, *const u8);

/// Of elements of this size, which a tile has as they are.
pub(super) fn as_they_are(size: usize) -> (Gather, Scatter) {
    match size {
        2 => (bring::<u16>, take_back::<u16>),
        4 => (bring::<u32>, take_back::<u32>),
        _ => (bring::<u64>, take_back::<u64>),
    }
}

/// A compute type of tiles.
pub(super) trait Tile: Compute {
    /// Converts each element once.
    fn gather(kind: Kind) -> Gather {
        match kind {
            Kind::F16 => gather::<F16, Self>,
            Kind::BF16 => gather::<BF16, Self>,
            Kind::F32 => gather::<f32, Self>,
            Kind::F64 => gather::<f64, Self>,
        }
    }
}

impl Tile for f32 {}

impl Tile for f64 {}

/// To and from tiles of a compute type, each element converted or rounded once. No scatter for a kind
/// that does not hold results of the type.
pub(super) fn converted(precision: Precision, kind: Kind) -> (Gather, Option<Scatter>) {
    match precision {
        Precision::F32 => {
            let scatter: Option<Scatter> = match kind {
                Kind::F16 => Some(scatter::<F16, f32>),
                Kind::BF16 => Some(scatter::<BF16, f32>),
                Kind::F32 => Some(scatter::<f32, f32>),
                Kind::F64 => None,
            };
            (f32::gather(kind), scatter)
        }
        Precision::F64 => {
            let scatter: Scatter = scatter::<f64, f64>;
            (f64::gather(kind), (kind == Kind::F64).then_some(scatter))
        }
    }
}

/// Stretches of memory that are moved side by side.
const BESIDE: usize = 8;

/// Stretches of so few elements are moved side by side too.
const SHORT: usize = 12;

/// So many stretches later memory is asked for, which takes as long as moving some of them.
const AHEAD: usize = 16;

/// Of a long stretch no more lines are asked for: the CPU foresees the rest.
const MOST_LINES: isize = 4;

/// Asks for a cache line, which need not be anybody's memory.
#[inline(always)]
pub(super) fn prefetch(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// Moves each element of a plane, which is a `T` in memory: `read` and `write` take its offset in
/// memory and its place in the tile.
#[inline(always)]
fn each<T, V>(
    plane: &Plane,
    read: impl Fn(isize, usize) -> V,
    write: impl Fn(isize, usize, V),
    prefetch: impl Fn(isize),
) {
    let Plane([(n, across, apart), (m, stride, step)]) = *plane;
    let dense = size_of::<T>() as isize;
    let go = |i: usize, j: usize, stride: isize, step: usize| {
        let (from, to) = (i as isize * across + j as isize * stride, i * apart + j * step);
        write(from, to, read(from, to));
    };
    let line = (m as isize * stride).clamp(0, 63);
    let ahead = |i: usize| {
        let begin = (i + AHEAD) as isize * across;
        prefetch(begin);
        prefetch(begin + line);
    };
    // Strides as constants where there are no gaps, so that the loop vectorises.
    if stride == dense && step == 1 && m > SHORT {
        for i in 0..n {
            ahead(i);
            (0..m).for_each(|j| go(i, j, dense, 1));
        }
        return;
    }
    let mut turned = 0;
    if stride == dense && (apart == 1 || m <= SHORT) {
        // Side by side, so that the tile is written in stretches too, and short ones cost nothing.
        turned = n / BESIDE * BESIDE;
        for i in (0..turned).step_by(BESIDE) {
            (i..i + BESIDE).for_each(ahead);
            for j in 0..m {
                (i..i + BESIDE).for_each(|i| go(i, j, dense, step));
            }
        }
    }
    for i in turned..n {
        ahead(i);
        (0..m).for_each(|j| go(i, j, stride, step));
    }
}

/// SAFETY: as for [`Gather`].
#[inline(always)]
unsafe fn read_each<T: Copy, V: Copy>(
    data: *const u8,
    plane: &Plane,
    tile: *mut u8,
    convert: impl Fn(T) -> V,
) {
    // SAFETY: the caller vouches for the element; it need not be aligned.
    let read = |from, _| unsafe { data.wrapping_offset(from).cast::<T>().read_unaligned() };
    // SAFETY: the caller vouches for the place.
    let write = |_, place, value| unsafe { tile.cast::<V>().add(place).write(convert(value)) };
    each::<T, T>(plane, read, write, |to| prefetch(data.wrapping_offset(to)));
}

/// SAFETY: as for [`Scatter`].
#[inline(always)]
unsafe fn write_each<V: Copy, T: Copy>(
    data: *mut u8,
    plane: &Plane,
    tile: *const u8,
    convert: impl Fn(V) -> T,
) {
    // SAFETY: the caller vouches for the place.
    let read = |_, place| convert(unsafe { tile.cast::<V>().add(place).read() });
    // SAFETY: the caller vouches for the element; it need not be aligned.
    let write =
        |to, _, value| unsafe { data.wrapping_offset(to).cast::<T>().write_unaligned(value) };
    each::<T, T>(plane, read, write, |to| prefetch(data.wrapping_offset(to)));
}

/// SAFETY: as for [`Gather`].
unsafe fn gather<T: Stored, R: Compute>(
    swapped: bool,
    data: *const u8,
    plane: &Plane,
    tile: *mut u8,
) {
    // SAFETY: passed on from the caller.
    unsafe {
        if swapped {
            read_each(data, plane, tile, |x: T| x.swap_bytes().load::<R>());
        } else {
            read_each(data, plane, tile, |x: T| x.load::<R>());
        }
    }
}

/// SAFETY: as for [`Scatter`].
unsafe fn scatter<T: Store<R>, R: Compute>(
    swapped: bool,
    data: *mut u8,
    plane: &Plane,
    tile: *const u8,
) {
    // SAFETY: passed on from the caller.
    unsafe {
        if swapped {
            write_each(data, plane, tile, |x: R| T::store(x).swap_bytes());
        } else {
            write_each(data, plane, tile, |x: R| T::store(x));
        }
    }
}

/// SAFETY: as for [`Gather`].
unsafe fn bring<T: Bits>(swapped: bool, data: *const u8, plane: &Plane, tile: *mut u8) {
    // SAFETY: passed on from the caller; all elements of a square are the plane's.
    unsafe {
        if swapped {
            read_each(data, plane, tile, T::swap_bytes);
        } else if !squares::<T>(data, plane, |square| {
            let (from, to) = (data.wrapping_offset(square.from), tile.wrapping_offset(square.to));
            T::turn(from, square.across, to, square.step);
        }) {
            read_each(data, plane, tile, |x: T| x);
        }
    }
}

/// SAFETY: as for [`Scatter`].
unsafe fn take_back<T: Bits>(swapped: bool, data: *mut u8, plane: &Plane, tile: *const u8) {
    // SAFETY: as for `bring`.
    unsafe {
        if swapped {
            write_each(data, plane, tile, T::swap_bytes);
        } else if !squares::<T>(data, plane, |square| {
            let (from, to) = (tile.wrapping_offset(square.to), data.wrapping_offset(square.from));
            T::turn(from, square.step, to, square.across);
        }) {
            write_each(data, plane, tile, |x: T| x);
        }
    }
}

/// In bytes, where a square begins and how far its rows are apart: in memory, and in the tile.
struct Square {
    from: isize,
    across: isize,
    to: isize,
    step: isize,
}

/// Covers a plane with squares, if its elements lie one after the other in memory along the one axis
/// and in the tile along the other, and there are enough. The last squares overlap those before.
#[inline(always)]
fn squares<T: Bits>(data: *const u8, plane: &Plane, turn: impl Fn(Square)) -> bool {
    let Plane([(n, across, apart), (m, stride, step)]) = *plane;
    let size = size_of::<T>() as isize;
    if stride != size || apart != 1 || n < T::SIDE || m < T::SIDE {
        return false;
    }
    let last = (m as isize * size - 1).min(MOST_LINES * 64);
    for i in (0..n).step_by(T::SIDE).map(|i| i.min(n - T::SIDE)) {
        for ahead in i + AHEAD..i + AHEAD + T::SIDE {
            let stretch = data.wrapping_offset(ahead as isize * across);
            (0..last).step_by(64).for_each(|line| prefetch(stretch.wrapping_offset(line)));
            prefetch(stretch.wrapping_offset(last));
        }
        for j in (0..m).step_by(T::SIDE).map(|j| j.min(m - T::SIDE)) {
            let (from, step) = (i as isize * across + j as isize * size, step as isize * size);
            turn(Square { from, across, to: i as isize * size + j as isize * step, step });
        }
    }
    true
}
