//! Arrays that cannot be run in place: gathered into a small tile, run by the same loop, scattered.

use std::ops::Range;

use smallvec::SmallVec;

use super::View;
use super::kernel::{Block, Dense, Kernel, Kinds, Loop, Precision};
use super::memory::{OutOfMemory, try_collect};
use super::view::MOST_AXES;
use crate::number::{BF16, Compute, F16, Kind, Store, Stored};
use crate::rules::MAX_STATES;

/// Elements of a tile: it stays in the first-level cache with all its arrays.
const TILE: usize = 256;
/// The most arrays of a parameter: itself, its gradient and its states.
pub const ARRAYS: usize = 2 + MAX_STATES;

/// Reads strided elements, in the machine's byte order or the other, and converts each once.
///
/// SAFETY of a call: pointer and stride lead to elements of the type in live memory.
type Gather<R> = unsafe fn(bool, *const u8, isize, &mut [R]);

/// Writes strided elements, each rounded once.
///
/// SAFETY of a call: as for [`Gather`], and the memory is the caller's to write.
type Scatter<R> = unsafe fn(bool, *mut u8, isize, &[R]);

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

#[derive(Debug)]
struct Array<R> {
    data: *mut u8,
    swapped: bool,
    gather: Gather<R>,
    /// None for the gradient, which is never written.
    scatter: Option<Scatter<R>>,
}

/// A parameter, its gradient and its states (in this order) over common axes, outermost first.
#[derive(Debug)]
pub(super) struct Tiled<R> {
    kernel: Loop,
    arrays: SmallVec<[Array<R>; ARRAYS]>,
    axes: Vec<Axis>,
}

/// A length, and the stride of each array.
type Axis = (usize, [isize; ARRAYS]);

impl<R: Tile> Tiled<R> {
    /// None if parameter or states are of a kind that does not hold results of `R`.
    pub(super) fn new(
        kernel: Kernel,
        coupled_decay: bool,
        views: &[&View],
    ) -> Result<Option<Self>, OutOfMemory> {
        let arrays = views.iter().enumerate().map(|(a, view)| {
            let kind = view.format.kind;
            let scatter = if a == 1 { None } else { Some(R::scatter(kind)?) };
            let swapped = view.format.swapped;
            Some(Array { data: view.data, swapped, gather: R::gather(kind), scatter })
        });
        let arrays = arrays.collect::<Option<_>>();
        let kernel = kernel.select(Kinds::native(R::PRECISION), coupled_decay);
        let (Some(arrays), Some(kernel)) = (arrays, kernel) else { return Ok(None) };
        Ok(Some(Tiled { kernel, arrays, axes: axes(views)? }))
    }

    /// Runs the elements of `range`, counted along the axes.
    ///
    /// SAFETY: the views that it was made of are live and nothing written is aliased; no other
    /// thread has elements of this range.
    pub(super) unsafe fn run(&self, block: &Block, range: Range<usize>) {
        let mut tile = [[R::constant(0.0); TILE]; ARRAYS];
        let inner = self.axes.last().map_or([0; ARRAYS], |(_, strides)| *strides);
        let mut at = range.start;
        while at < range.end {
            let part = at..range.end.min(at + TILE);
            let mut filled = 0;
            for (offsets, len) in stretches(&self.axes, part.clone()) {
                for (a, array) in self.arrays.iter().enumerate() {
                    let to = &mut tile[a][filled..filled + len];
                    let data = array.data.wrapping_offset(offsets[a]);
                    // SAFETY: the offsets are those of elements of a live array.
                    unsafe { (array.gather)(array.swapped, data, inner[a], to) };
                }
                filled += len;
            }
            let [p, g, states @ ..] = &mut tile;
            let arrays = Dense {
                p: p.as_mut_ptr().cast(),
                g: g.as_ptr().cast(),
                states: states.each_mut().map(|state| state.as_mut_ptr().cast()),
                len: filled,
            };
            // SAFETY: the tile's arrays are disjoint, aligned and `filled` elements long or more,
            // and of the type that the kernel was selected for.
            unsafe { (self.kernel)(block, &arrays) };
            let mut taken = 0;
            for (offsets, len) in stretches(&self.axes, part.clone()) {
                for (a, array) in self.arrays.iter().enumerate() {
                    let Some(scatter) = array.scatter else { continue };
                    let from = &tile[a][taken..taken + len];
                    let data = array.data.wrapping_offset(offsets[a]);
                    // SAFETY: as for gather; parameter and states are the caller's to write.
                    unsafe { scatter(array.swapped, data, inner[a], from) };
                }
                taken += len;
            }
            at = part.end;
        }
    }
}

/// The common axes of the views: axes of length 1 are dropped and the first view's smallest stride
/// is innermost.
fn axes(views: &[&View]) -> Result<Vec<Axis>, OutOfMemory> {
    let Some(first) = views.first() else { return Ok(Vec::new()) };
    let mut axes: SmallVec<[usize; MOST_AXES]> =
        (0..first.shape.len()).filter(|&axis| first.shape[axis] != 1).collect();
    axes.sort_by_key(|&axis| std::cmp::Reverse(first.strides[axis].unsigned_abs()));
    try_collect(axes.into_iter().map(|axis| {
        let mut strides = [0; ARRAYS];
        for (stride, view) in strides.iter_mut().zip(views) {
            *stride = view.strides[axis];
        }
        (first.shape[axis], strides)
    }))
}

/// The stretches along the innermost axis that make up `range`, as each array's offset at the
/// beginning and a length.
fn stretches(axes: &[Axis], range: Range<usize>) -> impl Iterator<Item = ([isize; ARRAYS], usize)> {
    let inner = axes.last().map_or(1, |(n, _)| *n);
    let mut at = range.start;
    std::iter::from_fn(move || {
        if at >= range.end {
            return None;
        }
        let len = (inner - at % inner).min(range.end - at);
        let mut offsets = [0isize; ARRAYS];
        let mut rest = at;
        for (n, strides) in axes.iter().rev() {
            let index = (rest % n) as isize;
            rest /= n;
            for (offset, stride) in offsets.iter_mut().zip(strides) {
                *offset += index * stride;
            }
        }
        at += len;
        Some((offsets, len))
    })
}

/// SAFETY: as for [`Gather`].
unsafe fn gather<T: Stored, R: Compute>(
    swapped: bool,
    data: *const u8,
    stride: isize,
    to: &mut [R],
) {
    // The stride as a constant where there are no gaps, so that this loop vectorises.
    let dense = !swapped && stride == size_of::<T>() as isize;
    if dense {
        let data = data.cast::<T>();
        for (i, place) in to.iter_mut().enumerate() {
            // SAFETY: the caller vouches for the element; it need not be aligned.
            *place = unsafe { data.add(i).read_unaligned() }.load();
        }
        return;
    }
    for (i, place) in to.iter_mut().enumerate() {
        let element = data.wrapping_offset(i as isize * stride).cast::<T>();
        // SAFETY: as above.
        let value = unsafe { element.read_unaligned() };
        *place = if swapped { value.swap_bytes() } else { value }.load();
    }
}

/// SAFETY: as for [`Scatter`].
unsafe fn scatter<T: Store<R>, R: Compute>(
    swapped: bool,
    data: *mut u8,
    stride: isize,
    from: &[R],
) {
    let dense = !swapped && stride == size_of::<T>() as isize;
    if dense {
        let data = data.cast::<T>();
        for (i, &value) in from.iter().enumerate() {
            // SAFETY: the caller vouches for the element; it need not be aligned.
            unsafe { data.add(i).write_unaligned(T::store(value)) };
        }
        return;
    }
    for (i, &value) in from.iter().enumerate() {
        let value = T::store(value);
        let element = data.wrapping_offset(i as isize * stride).cast::<T>();
        // SAFETY: as above.
        unsafe { element.write_unaligned(if swapped { value.swap_bytes() } else { value }) };
    }
}
