//! Arrays that cannot be run in place: gathered into a small tile, run by the same loop, scattered.

use std::ops::Range;

use smallvec::SmallVec;

use super::block::{ARRAYS, Block, Dense, Loop};
use super::gather::{Gather, Scatter, Tile};
use super::kernel::RuleLoops;
use super::memory::{OutOfMemory, try_collect};
use super::view::{MOST_AXES, View};
use crate::number::Kinds;

/// Elements of a tile: it stays in the first-level cache with all its arrays.
const TILE: usize = 256;

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
        kernel: RuleLoops,
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
