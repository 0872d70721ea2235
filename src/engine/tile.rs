//! Arrays that cannot all be run in place: gathered into tiles, run by the same loops, scattered.

use std::mem::MaybeUninit;
use std::ops::Range;

use smallvec::SmallVec;

use super::block::{ARRAYS, Block, Dense, Loop};
use super::gather::{Gather, Plane, Scatter, as_they_are, converted, prefetch};
use super::kernel::RuleLoops;
use super::layout::{Unplanned, kinds};
use super::patch::{Axis, Patch, align, axes, cut, each_index, joined, offset};
use super::view::View;
use crate::number::{Format, Kinds, Precision};

/// Bytes of all tiles of a patch. They stay in the second-level cache, and are so many because rows
/// in place are slow to begin; no power of two, so that rows of a tile do not share cache sets.
const TILES: usize = 62 * 1024;

/// Arrays are run in place if as many elements lie one after the other: entering a loop is cheap
/// beside them.
const ROW: usize = 64;

/// If fewer do, the gradient is rather gathered, if the others then lie in longer rows.
const GOOD_ROW: usize = 512;

/// Bytes of the next row that are asked for, since the CPU does not foresee where it begins.
const AHEAD: usize = 512;

#[repr(align(64))]
struct Tiles(#[allow(dead_code)] [u8; TILES]);

#[derive(Debug)]
struct Array {
    data: *mut u8,
    swapped: bool,
    /// None if it is run in place.
    tile: Option<Moves>,
    /// The axis along which its elements are nearest to each other.
    inner: usize,
}

/// How elements come into a tile and back.
#[derive(Debug)]
struct Moves {
    gather: Gather,
    /// None for what is only read.
    scatter: Option<Scatter>,
    /// Of an element in the tile, in bytes.
    size: usize,
    /// Where the tile begins among all tiles, in bytes.
    begin: usize,
}

/// A parameter, its gradient and its states (in this order) over common axes.
#[derive(Debug)]
pub(super) struct Tiled {
    kernel: Loop,
    arrays: SmallVec<[Array; ARRAYS]>,
    axes: Vec<Axis>,
    /// From this axis on the elements of a patch lie one after the other where they are run.
    joined: usize,
    /// Whether the states are only read; they may then be the same along an axis, and are in tiles.
    beside: bool,
}

/// By array: whether it is run in place.
type InPlace = SmallVec<[bool; ARRAYS]>;

impl Tiled {
    pub(super) fn new(
        kernel: RuleLoops,
        coupled_decay: bool,
        tier: usize,
        views: &[&View],
        beside: bool,
    ) -> Result<Self, Unplanned> {
        let axes = axes(views)?;
        let far = |i: usize, a: usize| match axes[i].strides[a].unsigned_abs() {
            0 => usize::MAX,
            stride => stride,
        };
        let arrays = views.iter().enumerate().map(|(a, view)| {
            let inner = (0..axes.len()).rev().min_by_key(|i| far(*i, a)).unwrap_or(0);
            Array { data: view.data, swapped: view.format.swapped, tile: None, inner }
        });
        let arrays = arrays.collect();
        let mut tiled = Tiled { kernel: |_, _| (), arrays, axes, joined: 0, beside };
        let all = tiled.ready(views);
        let mut but_gradient = all.clone();
        but_gradient[1] = false;
        let none: InPlace = views.iter().map(|_| false).collect();
        // The elements that are run at a time; 0 if that is not to be done.
        let mut row = |in_place: &InPlace| match tiled.lay_out(
            kernel,
            coupled_decay,
            tier,
            views,
            in_place,
        ) {
            Some(row) if in_place.contains(&true) => row,
            _ => 0,
        };
        let (short, long) = (row(&all), row(&but_gradient));
        let in_place = if short < GOOD_ROW && long >= ROW.max(2 * short) {
            but_gradient
        } else if short >= ROW {
            all
        } else {
            none
        };
        match tiled.lay_out(kernel, coupled_decay, tier, views, &in_place) {
            Some(_) => Ok(tiled),
            None => Err(Unplanned::Unsupported(views[0].format.kind)),
        }
    }

    /// What lies ready for a loop, states all or none.
    fn ready(&self, views: &[&View]) -> InPlace {
        let ready = |a: usize| {
            let (view, size) = (views[a], views[a].format.kind.size());
            let near = self.axes.last().is_none_or(|axis| axis.strides[a] == size as isize);
            view.format == Format::native(view.format.kind) && view.is_aligned() && near
        };
        let states = !self.beside
            && views[2..].windows(2).all(|two| two[0].format == two[1].format)
            && (2..views.len()).all(ready);
        (0..views.len()).map(|a| if a < 2 { ready(a) } else { states }).collect()
    }

    /// Finds a loop and cuts the axes into patches. Tiles have elements as they are stored, if there is
    /// a loop for these, else of the compute type. Returns the elements that are run at a time; None if
    /// there is no loop.
    fn lay_out(
        &mut self,
        kernel: RuleLoops,
        coupled_decay: bool,
        tier: usize,
        views: &[&View],
        in_place: &[bool],
    ) -> Option<usize> {
        let precision = Precision::of(views[0].format.kind);
        let as_stored = kinds(views).and_then(|kinds| kernel.select(kinds, coupled_decay, tier));
        let computed = |a: usize| if in_place[a] { views[a].format.kind } else { precision.kind() };
        let computed = || Kinds::of((0..views.len()).map(computed));
        self.kernel = match as_stored {
            Some(found) => found,
            None => kernel.select(computed()?, coupled_decay, tier)?,
        };
        let compute = if as_stored.is_some() { None } else { Some(precision) };
        let kind = |a: usize| compute.map_or(views[a].format.kind, Precision::kind);
        let tiled = || (0..views.len()).filter(|a| !in_place[*a]);
        let all: usize = tiled().map(|a| kind(a).size()).sum();
        // A cache line for each, to begin at.
        let room = (TILES - 64 * views.len()) / all.max(1);
        let mut begin = 0;
        for (a, array) in self.arrays.iter_mut().enumerate() {
            array.tile = None;
            if in_place[a] {
                continue;
            }
            let (stored, size) = (views[a].format.kind, kind(a).size());
            let (gather, scatter) = match compute {
                None => {
                    let (gather, scatter) = as_they_are(size);
                    (gather, Some(scatter))
                }
                Some(precision) => converted(precision, stored),
            };
            let scatter = if a == 1 || (a > 1 && self.beside) { None } else { Some(scatter?) };
            array.tile = Some(Moves { gather, scatter, size, begin });
            begin += (room * size).next_multiple_of(64);
        }
        let size = |a: usize| views[a].format.kind.size();
        let sizes: SmallVec<[usize; ARRAYS]> = (0..views.len()).map(size).collect();
        cut(&mut self.axes, &sizes, room);
        let direct = (0..views.len()).filter(|a| in_place[*a]).map(|a| (a, sizes[a]));
        if !in_place[1] {
            align(&mut self.axes, 1, views[1]);
        }
        let row;
        (self.joined, row) = joined(&self.axes, direct);
        Some(row)
    }

    /// Runs the patches whose first element has a number in `range`, of arrays that begin `origin` bytes
    /// further on than the views that it was made of.
    ///
    /// SAFETY: those arrays are live and nothing written is aliased; no other thread has numbers of this
    /// range.
    #[inline(never)] // or the tiles would be in the stack frame of every step
    pub(super) unsafe fn run(&self, block: &Block, origin: &[isize; ARRAYS], range: Range<usize>) {
        let mut memory = MaybeUninit::<Tiles>::uninit();
        let tiles = memory.as_mut_ptr().cast();
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

    /// SAFETY: as for `run`; no other thread has elements of this patch, and the tiles are memory for
    /// [`Tiles`].
    unsafe fn run_patch(
        &self,
        block: &Block,
        origin: &[isize; ARRAYS],
        patch: &Patch,
        tiles: *mut u8,
    ) {
        let begins: [isize; ARRAYS] =
            std::array::from_fn(|a| origin[a] + patch.offset(&self.axes, a));
        for (a, array) in self.arrays.iter().enumerate() {
            let Some(tile) = &array.tile else { continue };
            self.planes(patch, begins[a], a, |data, plane, at| {
                let place = tiles.wrapping_add(tile.begin + at * tile.size);
                // SAFETY: these are elements of a live array, and there is room for a patch.
                unsafe { (tile.gather)(array.swapped, data, plane, place) };
            });
        }
        let (outer, inner) = patch.lens.split_at(self.joined);
        let len = inner.iter().product();
        let mut done = 0;
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
                    tiles.wrapping_add(tile.begin + done * tile.size)
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
            let Some(tile) = &array.tile else { continue };
            let Some(scatter) = tile.scatter else { continue };
            self.planes(patch, begins[a], a, |data, plane, at| {
                let place = tiles.wrapping_add(tile.begin + at * tile.size);
                // SAFETY: as for gather; parameter and states are the caller's to write, and the
                // tile was filled by gather.
                unsafe { scatter(array.swapped, data, plane, place) };
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
