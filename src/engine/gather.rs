//! Elements in any place, stride and byte order, to and from an array of the compute type.

use std::mem::MaybeUninit;

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

/// Reads strided elements, in the machine's byte order or the other, and converts each once.
///
/// SAFETY of a call: pointer and plane lead to elements of the type in live memory, and to places
/// of a tile.
pub(super) type Gather<R> = unsafe fn(bool, *const u8, &Plane, &mut [MaybeUninit<R>]);

/// Writes strided elements, each rounded once.
///
/// SAFETY of a call: as for [`Gather`], and the memory is the caller's to write.
pub(super) type Scatter<R> = unsafe fn(bool, *mut u8, &Plane, &[MaybeUninit<R>]);

/// A compute type of tiles.
pub(super) trait Tile: Compute {
    const PRECISION: Precision;

    fn gather(kind: Kind) -> Gather<Self> {
        match kind {
            Kind::F16 => gather::<F16, Self>,
            Kind::BF16 => gather::<BF16, Self>,
            Kind::F32 => gather::<f32, Self>,
            Kind::F64 => gather::<f64, Self>,
        }
    }

    /// None for a kind that does not hold results of this type.
    fn scatter(kind: Kind) -> Option<Scatter<Self>>;
}

impl Tile for f32 {
    const PRECISION: Precision = Precision::F32;

    fn scatter(kind: Kind) -> Option<Scatter<f32>> {
        match kind {
            Kind::F16 => Some(scatter::<F16, f32>),
            Kind::BF16 => Some(scatter::<BF16, f32>),
            Kind::F32 => Some(scatter::<f32, f32>),
            Kind::F64 => None,
        }
    }
}

impl Tile for f64 {
    const PRECISION: Precision = Precision::F64;

    fn scatter(kind: Kind) -> Option<Scatter<f64>> {
        (kind == Kind::F64).then_some(scatter::<f64, f64>)
    }
}

/// Stretches of memory that are moved side by side.
const BESIDE: usize = 8;

/// Stretches of so few elements are moved side by side too.
const SHORT: usize = 12;

/// So many stretches later memory is asked for, which takes as long as moving some of them.
const AHEAD: usize = 16;

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

/// Moves each element of a plane: `read` and `write` take its offset in memory and its place in the
/// tile.
#[inline(always)]
fn each<T, V: Copy>(
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
unsafe fn gather<T: Stored, R: Compute>(
    swapped: bool,
    data: *const u8,
    plane: &Plane,
    to: &mut [MaybeUninit<R>],
) {
    // SAFETY: the caller vouches for the element; it need not be aligned.
    let read = |from| unsafe { data.wrapping_offset(from).cast::<T>().read_unaligned() };
    let ahead = |to| prefetch(data.wrapping_offset(to));
    let to = to.as_mut_ptr().cast::<R>();
    // SAFETY: the caller vouches for the place.
    let write = |_, place, value| unsafe { to.add(place).write(value) };
    if swapped {
        each::<T, R>(plane, |from, _| read(from).swap_bytes().load(), write, ahead);
    } else {
        each::<T, R>(plane, |from, _| read(from).load(), write, ahead);
    }
}

/// SAFETY: as for [`Scatter`].
unsafe fn scatter<T: Store<R>, R: Compute>(
    swapped: bool,
    data: *mut u8,
    plane: &Plane,
    from: &[MaybeUninit<R>],
) {
    // SAFETY: the caller vouches for the place.
    let read = |_, place| T::store(unsafe { from.as_ptr().cast::<R>().add(place).read() });
    // SAFETY: the caller vouches for the element; it need not be aligned.
    let write =
        |to, value: T| unsafe { data.wrapping_offset(to).cast::<T>().write_unaligned(value) };
    if swapped {
        each::<T, T>(
            plane,
            read,
            |to, _, value| write(to, value.swap_bytes()),
            |to| prefetch(data.wrapping_offset(to)),
        );
    } else {
        each::<T, T>(
            plane,
            read,
            |to, _, value| write(to, value),
            |to| prefetch(data.wrapping_offset(to)),
        );
    }
}
