//! Arrays that cannot all be run in place: gathered into tiles, run by the same loops, scattered.

use std::mem::MaybeUninit;
use std::ops::Range;

use smallvec::SmallVec;

use super::block::{ARRAYS, Block, Dense, Loop};
use super::gather::{Gather, Plane, Scatter, Tile, prefetch};
use super::kernel::RuleLoops;
use super::memory::OutOfMemory;
use super::patch::{Axis, Patch, axes, cut, each_index, joined, offset};
use super::view::View;
use crate::number::{Format, Kinds};

/// Bytes of all tiles of a patch. They stay in the second-level cache, and are so many because rows
/// in place are slow to begin; no power of two, so that rows of a tile do not share cache sets.
const TILES: usize = 62 * 1024;

/// Arrays are run in place if as many elements lie one after the other: entering a loop is cheap
/// beside them.
const ROW: usize = 64;

/// Bytes of the next row that are asked for, since the CPU does not foresee where it begins.
const AHEAD: usize = 512;

#[repr(align(64))]
struct Tiles(#[allow(dead_code)] [u8; TILES]);

#[derive(Debug)]
struct Array<R> {
    data: *mut u8,
    swapped: bool,
    gather: Gather<R>,
    /// None for the gradient, which is never written.
    scatter: Option<Scatter<R>>,
    /// The place of its tile among all tiles; None if it is run in place.
    tile: Option<usize>,
    /// The axis along which its elements are nearest to each other.
    inner: usize,
}

/// A parameter, its gradient and its states (in this order) over common axes.
#[derive(Debug)]
pub(super) struct Tiled<R> {
    kernel: Loop,
    arrays: SmallVec<[Array<R>; ARRAYS]>,
    axes: Vec<Axis>,
    /// Elements of a tile.
    room: usize,
    /// From this axis on the elements of a patch lie one after the other where they are run.
    joined: usize,
}

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
            let gather = R::gather(kind);
            Some(Array { data: view.data, swapped, gather, scatter, tile: None, inner: 0 })
        });
        let Some(mut arrays) = arrays.collect::<Option<SmallVec<[Array<R>; ARRAYS]>>>() else {
            return Ok(None);
        };
        let axes = axes(views)?;
        let far = |i: usize, a: usize| match axes[i].strides[a].unsigned_abs() {
            0 => usize::MAX,
            stride => stride,
        };
        for (a, array) in arrays.iter_mut().enumerate() {
            array.inner = (0..axes.len()).rev().min_by_key(|i| far(*i, a)).unwrap_or(0);
        }
        let mut tiled = Tiled { kernel: |_, _| (), arrays, axes, room: 0, joined: 0 };
        let found = tiled.in_place(kernel, coupled_decay, views) || {
            tiled.lay_out(views, |_| false);
            let kernel = kernel.select(Kinds::native(R::PRECISION), coupled_decay);
            kernel.map(|kernel| tiled.kernel = kernel).is_some()
        };
        Ok(found.then_some(tiled))
    }

    /// Runs in place what lies ready for a loop; false if that is not worth it or no loop does.
    fn in_place(&mut self, kernel: RuleLoops, coupled_decay: bool, views: &[&View]) -> bool {
        let ready = |a: usize| {
            let (view, size) = (views[a], views[a].format.kind.size());
            let near = self.axes.last().is_none_or(|axis| axis.strides[a] == size as isize);
            view.format == Format::native(view.format.kind) && view.is_aligned() && near
        };
        let states = views[2..].windows(2).all(|two| two[0].format == two[1].format)
            && (2..views.len()).all(ready);
        let ready: SmallVec<[bool; ARRAYS]> =
            (0..views.len()).map(|a| if a < 2 { ready(a) } else { states }).collect();
        let kinds = (0..views.len())
            .map(|a| if ready[a] { views[a].format.kind } else { R::PRECISION.kind() });
        let kernel = Kinds::of(kinds).and_then(|kinds| kernel.select(kinds, coupled_decay));
        let Some(kernel) = kernel.filter(|_| ready.contains(&true)) else { return false };
        self.kernel = kernel;
        self.lay_out(views, |a| ready[a]) >= ROW
    }

    /// Cuts the axes into patches; returns the elements that are run at a time.
    fn lay_out(&mut self, views: &[&View], in_place: impl Fn(usize) -> bool) -> usize {
        let mut tiles = 0..;
        for (a, array) in self.arrays.iter_mut().enumerate() {
            array.tile = if in_place(a) { None } else { tiles.next() };
        }
        self.room = TILES / size_of::<R>() / tiles.start.max(1);
        let sizes = views.iter().map(|view| view.format.kind.size());
        let sizes: SmallVec<[usize; ARRAYS]> = sizes.collect();
        cut(&mut self.axes, views.len(), self.room);
        let direct = (0..views.len()).filter(|a| in_place(*a)).map(|a| (a, sizes[a]));
        let row;
        (self.joined, row) = joined(&self.axes, direct);
        row
    }

    /// Runs the patches whose first element has a number in `range`, of arrays that begin `origin` bytes
    /// further on than the views that it was made of.
    ///
    /// SAFETY: those arrays are live and nothing written is aliased; no other thread has numbers of this
    /// range.
    #[inline(never)] // or the tiles would be in the stack frame of every step
    pub(super) unsafe fn run(&self, block: &Block, origin: &[isize; ARRAYS], range: Range<usize>) {
        let mut memory = MaybeUninit::<Tiles>::uninit();
        let (begin, len) = (memory.as_mut_ptr().cast(), TILES / size_of::<R>());
        // SAFETY: this is the memory, aligned, and its elements need not be initialised.
        let tiles = unsafe { std::slice::from_raw_parts_mut(begin, len) };
        let (mut patch, mut begin) = Patch::around(&self.axes, range.start);
        while begin < range.end {
            if begin >= range.start {
                // SAFETY: passed on from the caller; patches have no element in common.
                unsafe { self.run_patch(block, origin, &patch, tiles) };
            }
            begin += patch.len();
            patch.advance(&self.axes);
        }
    }

    /// SAFETY: as for `run`; no other thread has elements of this patch.
    unsafe fn run_patch(
        &self,
        block: &Block,
        origin: &[isize; ARRAYS],
        patch: &Patch,
        tiles: &mut [MaybeUninit<R>],
    ) {
        let begins: [isize; ARRAYS] =
            std::array::from_fn(|a| origin[a] + patch.offset(&self.axes, a));
        for (a, array) in self.arrays.iter().enumerate() {
            let Some(tile) = array.tile else { continue };
            self.planes(patch, begins[a], a, |data, plane, at| {
                let tile = &mut tiles[tile * self.room..][at..self.room];
                // SAFETY: these are elements of a live array, and there is room for a patch.
                unsafe { (array.gather)(array.swapped, data, plane, tile) };
            });
        }
        let (outer, inner) = patch.lens.split_at(self.joined);
        let len = inner.iter().product();
        let mut done = 0;
        let tile_memory = tiles.as_mut_ptr();
        let run = |row: &Dense| {
            // SAFETY: tiles and arrays are disjoint, aligned, from here on `len` elements or more
            // without gaps, and of the types that the kernel was selected for.
            unsafe { (self.kernel)(block, row) };
        };
        let mut before: Option<Dense> = None;
        each_index(outer, |at| {
            let place = |a: usize| match self.arrays.get(a) {
                None => std::ptr::null_mut(),
                Some(Array { tile: Some(tile), .. }) => {
                    tile_memory.wrapping_add(tile * self.room + done).cast()
                }
                Some(Array { data, .. }) => {
                    let data = data.wrapping_offset(begins[a] + offset(&self.axes, at, a));
                    (0..AHEAD).step_by(64).for_each(|line| prefetch(data.wrapping_add(line)));
                    data
                }
            };
            let states = std::array::from_fn(|i| place(2 + i));
            let row = Dense { p: place(0), g: place(1), states, len };
            if let Some(before) = before.replace(row) {
                run(&before);
            }
            done += len;
        });
        if let Some(last) = before {
            run(&last);
        }
        for (a, array) in self.arrays.iter().enumerate() {
            let (Some(tile), Some(scatter)) = (array.tile, array.scatter) else { continue };
            self.planes(patch, begins[a], a, |data, plane, at| {
                let tile = &tiles[tile * self.room..][at..self.room];
                // SAFETY: as for gather; parameter and states are the caller's to write, and the
                // tile was filled by gather.
                unsafe { scatter(array.swapped, data, plane, tile) };
            });
        }
    }

    /// Calls `visit` with the planes of a patch in array `a`, which begins so far from its data: where
    /// each begins, its form, and its place in the tile.
    fn planes(
        &self,
        patch: &Patch,
        begin: isize,
        a: usize,
        mut visit: impl FnMut(*mut u8, &Plane, usize),
    ) {
        let Array { data, inner, .. } = self.arrays[a];
        let data = data.wrapping_offset(begin);
        let last = self.axes.len().saturating_sub(1);
        let outer = if inner < last { last } else { last.wrapping_sub(1) };
        let step = |axis: usize| patch.lens[axis + 1..].iter().product::<usize>();
        let along = |axis: usize| match self.axes.get(axis) {
            Some(Axis { strides, .. }) => (patch.lens[axis], strides[a], step(axis)),
            None => (1, 0, 1),
        };
        let plane = Plane([outer, inner].map(along));
        if self.axes.len() <= 2 {
            return visit(data, &plane, 0);
        }
        let mut others = patch.lens.clone();
        (others[outer], others[inner]) = (1, 1);
        each_index(&others, |at| {
            let place = at.iter().enumerate().map(|(axis, i)| i * step(axis)).sum();
            visit(data.wrapping_offset(offset(&self.axes, at, a)), &plane, place);
        });
    }
}
