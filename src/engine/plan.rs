//! One step over all tensors: what to run on which memory, cut into shares for the threads.

use std::ops::Range;

use smallvec::SmallVec;

use super::block::{ARRAYS, Block, Dense};
use super::control::ControlGuard;
use super::copy::copy;
use super::kernel::RuleLoops;
use super::layout::{Unplanned, in_place, is_dense, traffic_of};
use super::memory::{Grow, OutOfMemory};
use super::task::{Apart, DenseTask, Layout, Task, run_dense};
use super::tier;
use super::tile::Tiled;
use super::touched::Touched;
use super::view::View;
use super::work;
use crate::number::Kind;

/// Pieces begin at multiples of this many elements, so that vectors and cache lines are rarely cut.
const GRAIN: usize = 64;

#[derive(Debug, Default)]
pub struct Plan {
    /// That of all its loops, whatever other threads force meanwhile.
    pub(crate) tier: usize,
    pub(super) tasks: Vec<Task>,
    apart: Vec<Apart>,
    blocks: Vec<Block>,
    /// Arrays whose values are taken from others before anything is run.
    copies: Vec<(View, View)>,
    pub(super) elements: usize,
    bytes: usize,
}

// SAFETY: the pointers are the only members that are not Send or Sync; `push` makes the caller
// vouch for the memory until `run` returns, and `run` gives each thread elements of its own.
unsafe impl Send for Plan {}
// SAFETY: as above.
unsafe impl Sync for Plan {}

impl Plan {
    pub fn new() -> Self {
        Plan { tier: tier::index(), ..Plan::default() }
    }

    pub fn clear(&mut self) {
        self.tier = tier::index();
        self.tasks.clear();
        self.apart.clear();
        self.blocks.clear();
        self.copies.clear();
        self.elements = 0;
        self.bytes = 0;
    }

    /// Adds the scalars that tasks refer to by the index returned.
    pub fn block(&mut self, block: Block) -> Result<usize, OutOfMemory> {
        self.blocks.try_push(block)?;
        Ok(self.blocks.len() - 1)
    }

    /// Gives tasks other scalars.
    pub fn replace_block(&mut self, index: usize, block: Block) {
        self.blocks[index] = block;
    }

    /// The bytes that the step will read and write.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds one parameter in any layout.
    ///
    /// # Safety
    /// The views have one shape, describe live memory, and nothing that is written (parameter
    /// and states) overlaps anything else, until `run` has returned. `states` are as many as the
    /// kernel's.
    pub unsafe fn push(
        &mut self,
        kernel: RuleLoops,
        coupled_decay: bool,
        block: usize,
        p: &View,
        g: &View,
        states: &[View],
    ) -> Result<(), Unplanned> {
        let views: SmallVec<[&View; ARRAYS]> = [p, g].into_iter().chain(states).collect();
        let dense = is_dense(&views);
        let layout = match in_place(kernel, coupled_decay, self.tier, &views).filter(|_| dense) {
            Some((run, kinds, dense)) => Layout::Dense(run, kinds, dense),
            None => {
                let tiled = Tiled::new(kernel, coupled_decay, self.tier, &views, false)?;
                self.apart(Apart::Tiled(tiled))?
            }
        };
        Ok(self.task(block, layout, p.len(), traffic_of(&views))?)
    }

    /// Adds one parameter in any layout, of whose rule the states are only read: it returns them as they are.
    ///
    /// # Safety
    /// As for `push`, but that they may be the same along an axis.
    pub unsafe fn push_beside(
        &mut self,
        kernel: RuleLoops,
        coupled_decay: bool,
        block: usize,
        [p, g]: [&View; 2],
        states: &[View],
    ) -> Result<(), Unplanned> {
        let views: SmallVec<[&View; ARRAYS]> = [p, g].into_iter().chain(states).collect();
        let tiled = Tiled::new(kernel, coupled_decay, self.tier, &views, true)?;
        let layout = self.apart(Apart::Tiled(tiled))?;
        Ok(self.task(block, layout, p.len(), traffic_of(&[p, g]))?)
    }

    /// Adds those rows of a parameter in any layout that are in the list, ascending, none twice; `g` has
    /// them alone, one after the other.
    ///
    /// # Safety
    /// As for `push`, but for the length of `g`'s first axis. The list lives as long as the arrays, and
    /// they have its rows.
    #[allow(clippy::too_many_arguments)] // those of `push`, and the list
    pub unsafe fn push_rows(
        &mut self,
        kernel: RuleLoops,
        coupled_decay: bool,
        block: usize,
        rows: &[usize],
        p: &View,
        g: &View,
        states: &[View],
    ) -> Result<(), Unplanned> {
        let views: SmallVec<[&View; ARRAYS]> = [p, g].into_iter().chain(states).collect();
        let touched = Touched::new(kernel, coupled_decay, self.tier, rows, &views)?;
        let layout = self.apart(Apart::Rows(touched))?;
        Ok(self.task(block, layout, g.len(), traffic_of(&views))?)
    }

    /// Adds a parameter that was prepared, with this step's gradient.
    ///
    /// # Safety
    /// As for `push`; the pointers are the lowest addresses of that many elements each.
    pub unsafe fn push_dense(
        &mut self,
        prepared: &DenseTask,
        block: usize,
        g: *const u8,
    ) -> Result<(), OutOfMemory> {
        let DenseTask { run, kinds, dense, bytes, .. } = prepared;
        self.task(block, Layout::Dense(*run, *kinds, Dense { g, ..*dense }), dense.len, *bytes)
    }

    /// Lets the parameter that was added last begin with the values of another array, of its shape and
    /// format: in the same pass where both lie alike, else in one before it.
    ///
    /// # Safety
    /// Until `run` has returned, both describe live memory, and the source is not written.
    pub unsafe fn copy_first(&mut self, source: &View, p: &View) -> Result<(), OutOfMemory> {
        self.bytes += p.len() * p.format.kind.size();
        match self.tasks.last_mut() {
            Some(Task { layout: Layout::Dense(_, _, dense), source: from, .. })
                if dense.p == p.lowest() && source.is_aligned() && source.same_strides(p) =>
            {
                *from = Some(source.lowest());
                Ok(())
            }
            _ => self.copies.try_push((source.clone(), p.clone())),
        }
    }

    /// Whether each of so many parameters is a dense task whose values come from another array.
    pub fn is_dense_from_sources(&self, parameters: usize) -> bool {
        let dense = |task: &Task| matches!(task.layout, Layout::Dense(..)) && task.source.is_some();
        self.tasks.len() == parameters && self.copies.is_empty() && self.tasks.iter().all(dense)
    }

    /// Gives a dense task another gradient. False, and nothing done, if it is not dense, or its loop is
    /// for another type.
    pub fn replace_gradient(&mut self, task: usize, (g, kind): (*const u8, Kind)) -> bool {
        match &mut self.tasks[task].layout {
            Layout::Dense(_, kinds, dense) if kinds.g == kind => dense.g = g,
            _ => return false,
        }
        true
    }

    /// The same with all that comes anew: parameter and source of its values too.
    pub fn replace_arrays(
        &mut self,
        task: usize,
        (p, source): (*mut u8, *const u8),
        gradient: (*const u8, Kind),
    ) -> bool {
        let replaced = self.replace_gradient(task, gradient);
        if replaced
            && let Task { layout: Layout::Dense(_, _, dense), source: from, .. } =
                &mut self.tasks[task]
        {
            (dense.p, *from) = (p, Some(source));
        }
        replaced
    }

    /// A place among what does not run in memory order.
    fn apart(&mut self, apart: Apart) -> Result<Layout, OutOfMemory> {
        self.apart.try_push(apart)?;
        Ok(Layout::Apart(self.apart.len() - 1))
    }

    /// `bytes` are those of an element.
    fn task(
        &mut self,
        block: usize,
        layout: Layout,
        len: usize,
        bytes: usize,
    ) -> Result<(), OutOfMemory> {
        if len > 0 {
            let start = self.elements;
            self.tasks.try_push(Task {
                block,
                start,
                len,
                layout,
                source: None,
                in_leaves: false,
            })?;
            self.elements += len;
            self.bytes += len * bytes;
        }
        Ok(())
    }

    /// Runs all tasks on up to `threads` threads. The result does not depend on their number.
    ///
    /// # Safety
    /// What was promised at each `push` still holds.
    pub unsafe fn run(&self, threads: usize) {
        // SAFETY: passed on from the caller.
        unsafe {
            self.copy_sources();
            self.run_elements(0..self.elements, self.bytes, threads);
        }
    }

    /// Gives parameters the values that they are not given in the same pass.
    ///
    /// SAFETY: as for `run`.
    pub(super) unsafe fn copy_sources(&self) {
        for (from, to) in &self.copies {
            // SAFETY: passed on from the caller.
            unsafe { copy(from, to) };
        }
    }

    /// Runs elements, which move this many bytes, cut into pieces for the threads.
    ///
    /// SAFETY: as for `run`.
    #[inline]
    pub(super) unsafe fn run_elements(&self, range: Range<usize>, bytes: usize, threads: usize) {
        let Range { start, end } = range;
        work::run((end - start).div_ceil(GRAIN), bytes, threads, |units| {
            let _control = ControlGuard::new();
            let piece = start + units.start * GRAIN..(start + units.end * GRAIN).min(end);
            // SAFETY: the ranges are disjoint; the rest is the caller's promise.
            unsafe { self.run_range(piece) };
        });
    }

    /// One piece.
    ///
    /// SAFETY: as for `run`, and no other thread has elements of this range.
    pub(super) unsafe fn run_range(&self, range: Range<usize>) {
        let first = self.tasks.partition_point(|task| task.start + task.len <= range.start);
        for task in &self.tasks[first..] {
            if task.start >= range.end {
                break;
            }
            let begin = range.start.max(task.start) - task.start;
            let end = range.end.min(task.start + task.len) - task.start;
            let block = &self.blocks[task.block];
            // SAFETY: parts lie inside the arrays, whose length is `len`; loops and tiles read and
            // write elements of this range only.
            unsafe {
                match &task.layout {
                    Layout::Dense(run, kinds, dense) => {
                        run_dense((*run, *kinds, dense), block, task.source, begin..end);
                    }
                    Layout::Apart(place) => self.apart[*place].run(block, begin..end),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
