//! A plan whose moves are measured.

use std::ops::Range;

use super::memory::OutOfMemory;
use super::moved::Moved;
use super::plan::Plan;
use super::task::{Layout, Task};
use super::view::View;

impl Plan {
    /// Adds a parameter to those whose moves are measured: the one that was added last, or one that is
    /// in no task (`still`). Its old values are in `source` if that is not itself.
    pub fn watch(
        &mut self,
        p: &View,
        source: Option<&View>,
        still: bool,
        moved: &mut Moved,
    ) -> Result<(), OutOfMemory> {
        let last = self.tasks.len().wrapping_sub(1);
        let in_leaves = match self.tasks.get_mut(last) {
            Some(Task { layout: Layout::Dense(_, _, dense), source: from, in_leaves, .. })
                // An empty parameter has no task: the last one is another's.
                if !still && dense.p == p.data && from.is_some() == source.is_some() =>
            {
                *in_leaves = p.is_in_c_order();
                *in_leaves
            }
            _ => false,
        };
        moved.push(p, source, in_leaves.then_some(last), still)
    }

    /// Runs the plan and measures what can be run leaf by leaf; of the rest of `moved` the old values
    /// have been kept.
    ///
    /// # Safety
    /// As for `run`.
    pub unsafe fn run_moved(&self, threads: usize, moved: &mut Moved) {
        // SAFETY: passed on from the caller.
        unsafe { self.copy_sources() };
        let bytes = self.bytes() / self.elements.max(1);
        let in_pass = |number: usize, part: Range<usize>| {
            let start = self.tasks[number].start;
            // SAFETY: passed on from the caller; the ranges are disjoint.
            unsafe { self.run_range(start + part.start..start + part.end) };
        };
        // SAFETY: passed on from the caller.
        unsafe { moved.run_leaves(threads, bytes, in_pass) };
        for &Task { start, len, .. } in self.tasks.iter().filter(|task| !task.in_leaves) {
            // SAFETY: passed on from the caller.
            unsafe { self.run_elements(start..start + len, len * bytes, threads) };
        }
    }
}
