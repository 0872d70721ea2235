//! What a step moves: of each parameter the sums of the squares of what was added to it and of its old
//! values, leaf by leaf, as `rules/measure.rs` adds them up.

use std::mem::MaybeUninit;
use std::ops::Range;

use smallvec::SmallVec;

use super::control::ControlGuard;
use super::copy::copy;
use super::gather::Tile;
use super::leaf;
use super::measure::Places;
use super::memory::{Grow, OutOfMemory, with_room};
use super::view::{MOST_AXES, View};
use super::walk::{Axis, Cursor, in_c_order};
use super::work;
use crate::number::{Precision, Stored};
use crate::rules::{GradientNorm, LEAF};

/// Where a parameter's old values are when its new ones are there.
#[derive(Debug)]
enum Old {
    /// Here, until the leaf is run, as a part of this task of the plan.
    InPass(usize),
    /// In a copy, in C order.
    Kept(Vec<u8>),
    /// Where the new ones are: it is in no task.
    Same,
}

#[derive(Debug)]
struct Parameter {
    view: View,
    /// Where the old values are to be found first, if not there.
    source: Option<View>,
    /// In C order of the index.
    axes: SmallVec<[Axis; MOST_AXES]>,
    old: Old,
    /// Of each leaf: what was added, and what was there.
    sums: Vec<[f64; 2]>,
}

/// Parameters whose moves are measured.
#[derive(Debug, Default)]
pub struct Moved(Vec<Parameter>);

// SAFETY: the pointers of the views are the only members that are not Send or Sync; they are not read
// through but by the unsafe methods, whose callers vouch for the memory.
unsafe impl Send for Parameter {}
// SAFETY: as above.
unsafe impl Sync for Parameter {}

/// Elements of a leaf in the compute type.
type Leaf<R> = [R; LEAF];

impl Parameter {
    fn elements(&self, leaf: usize) -> Range<usize> {
        leaf * LEAF..self.view.len().min((leaf + 1) * LEAF)
    }

    /// The elements of a leaf, from `data` on along these axes.
    ///
    /// SAFETY: they are elements of a live array.
    unsafe fn load<R: Tile>(
        &self,
        data: *const u8,
        axes: &[Axis],
        number: usize,
        to: &mut Leaf<R>,
    ) {
        let Range { start, end } = self.elements(number);
        // SAFETY: of the same layout; what is gathered are values of the type.
        let to = unsafe { &mut *std::ptr::from_mut(to).cast::<[MaybeUninit<R>; LEAF]>() };
        let mut cursor = Cursor::new(axes, data, start);
        // SAFETY: passed on from the caller.
        unsafe { leaf::gather_along(self.view.format, &mut cursor, &mut to[..end - start]) };
    }

    /// The sums of a leaf; `run` makes its new values out of the old ones, if they lie there.
    ///
    /// SAFETY: the view is of live memory, which nobody else writes meanwhile.
    unsafe fn measure<R: Tile + Stored + Into<f64>>(
        &self,
        leaf: usize,
        run: impl FnOnce(),
    ) -> [f64; 2] {
        let (mut old, mut new) = ([R::constant(0.0); LEAF], [R::constant(0.0); LEAF]);
        let len = self.elements(leaf).len();
        let (data, size) = (self.view.data.cast_const(), self.view.format.kind.size());
        let first = self.source.as_ref().map_or(data, |source| source.data.cast_const());
        // SAFETY: passed on from the caller; a kept copy has as many elements in C order.
        unsafe {
            match &self.old {
                Old::Kept(kept) => {
                    let line = [(self.view.len(), size as isize)];
                    self.load(kept.as_ptr(), &line, leaf, &mut old);
                }
                Old::InPass(_) => self.load(first, &self.axes, leaf, &mut old),
                Old::Same => self.load(data, &self.axes, leaf, &mut old),
            }
        }
        let was = leaf::sum::<GradientNorm, R>(&old[..len]);
        if matches!(self.old, Old::Same) {
            return [0.0, was];
        }
        run();
        // SAFETY: as above.
        unsafe { self.load(data, &self.axes, leaf, &mut new) };
        for (new, old) in new[..len].iter_mut().zip(&old[..len]) {
            *new = *new - *old;
        }
        [leaf::sum::<GradientNorm, R>(&new[..len]), was]
    }

    /// Measures all leaves, whose elements move this many bytes each.
    ///
    /// SAFETY: as for `measure`, with `run` on several threads.
    unsafe fn each_leaf(
        &mut self,
        threads: usize,
        bytes: usize,
        run: impl Fn(Range<usize>) + Sync,
    ) {
        let mut sums = std::mem::take(&mut self.sums);
        let (this, places) = (&*self, Places(sums.as_mut_ptr()));
        work::run(sums.len(), this.view.len().saturating_mul(bytes), threads, |leaves| {
            let _control = ControlGuard::new();
            for leaf in leaves {
                let run = || run(this.elements(leaf));
                // SAFETY: passed on from the caller; this thread alone has this leaf.
                unsafe {
                    let sum = match Precision::of(this.view.format.kind) {
                        Precision::F32 => this.measure::<f32>(leaf, run),
                        Precision::F64 => this.measure::<f64>(leaf, run),
                    };
                    places.set(leaf, sum);
                }
            }
        });
        self.sums = sums;
    }
}

impl Moved {
    /// Adds a parameter, with where its old values are if not there: a task of the plan that can be run
    /// leaf by leaf, or one that is run in some other way (None), or in none (`still`).
    pub fn push(
        &mut self,
        view: &View,
        source: Option<&View>,
        task: Option<usize>,
        still: bool,
    ) -> Result<(), OutOfMemory> {
        let (len, size) = (view.len(), view.format.kind.size());
        let old = match task {
            _ if still => Old::Same,
            Some(task) => Old::InPass(task),
            None => {
                let mut kept = with_room(len.checked_mul(size).ok_or(OutOfMemory)?)?;
                kept.resize(len * size, 0);
                Old::Kept(kept)
            }
        };
        let mut sums = with_room(len.div_ceil(LEAF))?;
        sums.resize(len.div_ceil(LEAF), [0.0; 2]);
        let (view, source, axes) = (view.clone(), source.cloned(), in_c_order(view));
        self.0.try_push(Parameter { view, source, axes, old, sums })
    }

    /// Copies the old values of what is not run leaf by leaf.
    ///
    /// # Safety
    /// The views are of live memory that nobody writes meanwhile.
    pub unsafe fn keep(&mut self) {
        for parameter in &mut self.0 {
            if let Old::Kept(kept) = &mut parameter.old {
                let to = parameter.view.in_c_order_at(kept.as_mut_ptr());
                let from = parameter.source.as_ref().unwrap_or(&parameter.view);
                // SAFETY: passed on from the caller; the copy has room for all elements.
                unsafe { copy(from, &to) };
            }
        }
    }

    /// Measures what is run leaf by leaf: `run` takes a task and a range of its elements, each of which
    /// moves this many bytes.
    ///
    /// SAFETY: the views are of live memory that nobody else writes, and ranges that are disjoint may be
    /// run on several threads.
    pub(super) unsafe fn run_leaves(
        &mut self,
        threads: usize,
        bytes: usize,
        run: impl Fn(usize, Range<usize>) + Sync,
    ) {
        for parameter in &mut self.0 {
            if let Old::InPass(task) = parameter.old {
                // SAFETY: passed on from the caller.
                unsafe { parameter.each_leaf(threads, bytes, |elements| run(task, elements)) };
            }
        }
    }

    /// Compares what was not run leaf by leaf with its old values.
    ///
    /// # Safety
    /// The views are of live memory that nobody writes meanwhile.
    pub unsafe fn compare(&mut self, threads: usize) {
        for parameter in &mut self.0 {
            if !matches!(parameter.old, Old::InPass(_)) {
                let bytes = 2 * parameter.view.format.kind.size();
                // SAFETY: passed on from the caller.
                unsafe { parameter.each_leaf(threads, bytes, |_| ()) };
            }
        }
    }

    /// The bytes that `compare` reads.
    pub fn bytes(&self) -> usize {
        let rest = self.0.iter().filter(|parameter| !matches!(parameter.old, Old::InPass(_)));
        rest.map(|parameter| 2 * parameter.view.len() * parameter.view.format.kind.size()).sum()
    }

    /// By parameter, the sums of its leaves: of what was added, and of what was there.
    pub fn sums(&self) -> impl Iterator<Item = &[[f64; 2]]> + Clone {
        self.0.iter().map(|parameter| &parameter.sums[..])
    }
}
