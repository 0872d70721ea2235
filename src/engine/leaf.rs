//! One leaf of a reduction: up to 4,096 elements of one array into 32 float64 accumulators.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::band::{Bands, Gathered};
use super::gather::{Plane, Tile, prefetch};
#[cfg(target_arch = "x86_64")]
use super::tier;
use super::view::View;
use super::walk::{Axis, Cursor};
use crate::number::{BF16, Compute, F16, Format, Kind, Precision, Real, Stored};
use crate::rules::{Added, LANES, LEAF, Measure};

/// Elements gathered at a time, a multiple of `LANES`.
pub(super) const TILE: usize = 8 * LANES;

pub(super) type Accumulators = [f64; LANES];

/// Adds a term to its accumulator; `FUSED` as `Compute::add_square` has it.
#[inline(always)]
pub(super) fn add_term<R: Compute + Into<f64>, const FUSED: bool>(
    added: Added,
    term: R,
    sum: &mut f64,
) {
    *sum = match added {
        Added::AsItIs => *sum + term.into(),
        Added::Squared => term.add_square::<FUSED>(*sum),
    };
}

/// Adds elements to the accumulators, the first to accumulator 0.
///
/// SAFETY of a call: the pointer is aligned and valid for the number of elements of the compute
/// type, and the CPU has the tier.
type Accumulate = unsafe fn(*const u8, usize, &mut Accumulators);

/// Asks for the memory 1 KiB ahead. The arithmetic on each value leaves less of the CPU's window
/// for reads under way than a plain read has; this makes up for it (on a busy Zen 3, from 0.83 of
/// a plain read's speed to 1.0).
#[inline(always)]
fn prefetch_ahead<R>(block: &[R; LANES]) {
    for line in (0..size_of_val(block)).step_by(64) {
        prefetch(std::ptr::from_ref(block).cast::<u8>().wrapping_add(1024 + line));
    }
}

/// Elements stored as `S`, computed in `R`.
///
/// SAFETY: as for [`Accumulate`].
#[inline(always)]
unsafe fn accumulate<M: Measure, S: Stored, R: Compute + Into<f64>, const FUSED: bool>(
    data: *const u8,
    len: usize,
    sums: &mut Accumulators,
) {
    // SAFETY: the caller vouches for pointer and length.
    let elements = unsafe { std::slice::from_raw_parts(data.cast::<S>(), len) };
    let (blocks, rest) = elements.as_chunks::<LANES>();
    let mut local = *sums; // only indexed by constants, so that it stays in registers
    for block in blocks {
        prefetch_ahead(block);
        for (sum, x) in local.iter_mut().zip(block) {
            add_term::<R, FUSED>(M::ADDED, M::term(x.load()), sum);
        }
    }
    *sums = local;
    for (sum, x) in sums.iter_mut().zip(rest) {
        add_term::<R, FUSED>(M::ADDED, M::term(x.load()), sum);
    }
}

#[cfg(target_arch = "x86_64")]
fn select<M: Measure, S: Stored, R: Compute + Into<f64>>() -> Accumulate {
    /// SAFETY: as for [`Accumulate`].
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2<M: Measure, S: Stored, R: Compute + Into<f64>>(
        data: *const u8,
        len: usize,
        sums: &mut Accumulators,
    ) {
        // SAFETY: passed on from the caller.
        unsafe { accumulate::<M, S, R, true>(data, len, sums) }
    }

    /// SAFETY: as for [`Accumulate`].
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,fma")]
    unsafe fn avx512<M: Measure, S: Stored, R: Compute + Into<f64>>(
        data: *const u8,
        len: usize,
        sums: &mut Accumulators,
    ) {
        // SAFETY: passed on from the caller.
        unsafe { accumulate::<M, S, R, true>(data, len, sums) }
    }

    let tiers: [Accumulate; tier::NAMES.len()] =
        [accumulate::<M, S, R, false>, avx2::<M, S, R>, avx512::<M, S, R>];
    tiers[tier::index()]
}

#[cfg(not(target_arch = "x86_64"))]
fn select<M: Measure, S: Stored, R: Compute + Into<f64>>() -> Accumulate {
    accumulate::<M, S, R, false>
}

fn stored_as<M: Measure, R: Compute + Into<f64>>(kind: Kind) -> Accumulate {
    match kind {
        Kind::F16 => select::<M, F16, R>(),
        Kind::BF16 => select::<M, BF16, R>(),
        Kind::F32 => select::<M, f32, R>(),
        Kind::F64 => select::<M, f64, R>(),
    }
}

/// `sums[j] += sums[j + 16]`, then 8, 4, 2, 1.
pub(super) fn fold(mut sums: Accumulators) -> f64 {
    let mut half = LANES / 2;
    while half > 0 {
        for j in 0..half {
            sums[j] += sums[j + half];
        }
        half /= 2;
    }
    sums[0]
}

/// The sum of one leaf whose elements lie in the compute type.
pub(super) fn sum<M: Measure, R: Compute + Stored + Into<f64>>(elements: &[R]) -> f64 {
    let mut sums = [0.0; LANES];
    // SAFETY: these are elements of the compute type; the kernel is for a tier that the CPU has.
    unsafe { select::<M, R, R>()(elements.as_ptr().cast(), elements.len(), &mut sums) };
    fold(sums)
}

/// The same of elements as they are.
pub(super) fn plain_sum<R: Real + Into<f64>>(elements: &[R]) -> f64 {
    let mut sums = [0.0; LANES];
    for block in elements.chunks(LANES) {
        sums.iter_mut().zip(block).for_each(|(sum, x)| *sum += (*x).into());
    }
    fold(sums)
}

/// Fills `to` with the next elements of an array of this format, converted.
///
/// SAFETY: the cursor has as many before it, of a live array.
#[inline]
pub(super) unsafe fn gather_along<R: Tile>(
    format: Format,
    cursor: &mut Cursor<'_>,
    to: &mut [MaybeUninit<R>],
) {
    let gather = R::gather(format.kind);
    let mut filled = 0;
    while filled < to.len() {
        let (place, stride, n) = cursor.take(to.len() - filled);
        let to = &mut to[filled..filled + n];
        // SAFETY: passed on from the caller.
        unsafe { gather(format.swapped, place, &Plane::line(n, stride), to.as_mut_ptr().cast()) };
        filled += n;
    }
}

/// An array of a reduction, its axes kept elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Array {
    pub(super) data: *mut u8,
    pub(super) precision: Precision,
    pub(super) len: usize,
    format: Format,
    aligned: bool,
}

impl Array {
    pub(super) fn new(view: &View, precision: Precision) -> Self {
        let View { data, format, .. } = *view;
        Array { data, precision, len: view.len(), format, aligned: view.is_aligned() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.len.saturating_mul(self.format.kind.size())
    }
}

/// An array's elements in the order of a reduction.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    array: Array,
    /// Outermost first, at least one.
    axes: &'a [Axis],
    /// For stretches that can be read where they lie.
    in_place: Option<Accumulate>,
    /// For elements gathered and converted.
    in_tile: Accumulate,
    /// For elements gathered as they are stored.
    as_stored: Accumulate,
}

// SAFETY: the pointer is the only member that is not Sync, and it is only read through: by
// `leaf`, whose caller vouches for the memory.
unsafe impl Sync for Walk<'_> {}

impl<'a> Walk<'a> {
    pub(super) fn new<M: Measure>(array: Array, axes: &'a [Axis]) -> Self {
        let kind = array.format.kind;
        let (as_stored, in_tile): (Accumulate, Accumulate) = match array.precision {
            Precision::F32 => (stored_as::<M, f32>(kind), select::<M, f32, f32>()),
            Precision::F64 => (stored_as::<M, f64>(kind), select::<M, f64, f64>()),
        };
        let along = axes.last().is_some_and(|(_, stride)| *stride == kind.size() as isize);
        let dense = along && array.aligned && !array.format.swapped;
        Walk { array, axes, in_place: dense.then_some(as_stored), in_tile, as_stored }
    }

    /// Calls `each` with the sums of these leaves, which the array must have.
    ///
    /// SAFETY: the view that it was made of describes live memory that nobody writes meanwhile.
    pub(super) unsafe fn leaves(&self, numbers: Range<usize>, mut each: impl FnMut(usize, f64)) {
        let Array { data, len, format, .. } = self.array;
        if numbers.is_empty() {
            return;
        }
        let bands = if self.in_place.is_some() { None } else { Bands::of(data, format, self.axes) };
        let gathered = bands.as_ref().map(|bands| Gathered::new(bands, numbers.start * LEAF));
        // Without memory for more elements they are gathered leaf by leaf.
        let Some(Ok(mut gathered)) = gathered else {
            // SAFETY: passed on from the caller.
            return numbers.for_each(|number| each(number, unsafe { self.leaf(number) }));
        };
        for number in numbers {
            let (len, mut sums) = (LEAF.min(len - number * LEAF), [0.0; LANES]);
            // SAFETY: passed on from the caller; the kernel is for elements as they are stored.
            unsafe { (self.as_stored)(gathered.take(len), len, &mut sums) };
            each(number, fold(sums));
        }
    }

    /// SAFETY: as for `leaves`.
    unsafe fn leaf(&self, number: usize) -> f64 {
        let begin = number * LEAF;
        let Array { data, len, precision, .. } = self.array;
        let len = LEAF.min(len - begin);
        let mut cursor = Cursor::new(self.axes, data, begin);
        let mut sums = [0.0; LANES];
        // SAFETY: the cursor gives the places of `len` elements; the kernel is that of the
        // precision, for a tier that the CPU has.
        unsafe {
            match (self.in_place, precision) {
                (Some(accumulate), _) if cursor.stretch() >= len => {
                    accumulate(cursor.take(len).0, len, &mut sums);
                }
                (_, Precision::F32) => self.gathered::<f32>(cursor, len, &mut sums),
                (_, Precision::F64) => self.gathered::<f64>(cursor, len, &mut sums),
            }
        }
        fold(sums)
    }

    /// SAFETY: as for `leaf`; the cursor has `len` elements before it and `R` is the precision.
    unsafe fn gathered<R: Tile>(
        &self,
        mut cursor: Cursor<'_>,
        len: usize,
        sums: &mut Accumulators,
    ) {
        let mut tile = [MaybeUninit::<R>::uninit(); TILE];
        for begin in (0..len).step_by(TILE) {
            let tile = &mut tile[..TILE.min(len - begin)];
            // SAFETY: the cursor has these elements before it; the tile is filled with them, in the
            // compute type.
            unsafe { gather_along(self.array.format, &mut cursor, tile) };
            // SAFETY: as above.
            unsafe { (self.in_tile)(tile.as_ptr().cast(), tile.len(), sums) };
        }
    }
}
