//! Parameters whose update is made of all their elements together: matrices that become orthogonal.
//!
//! Each has a plan for what comes before and one for what comes after. All memory is there when they
//! are planned, so that to run them cannot fail.

use super::block::Block;
use super::kernel::RuleLoops;
use super::layout::Unplanned;
use super::matrix::{Orthogonal, Workspace};
use super::memory::{Grow, OutOfMemory};
use super::plan::Plan;
use super::view::View;
use crate::rules::ScalarBlock;

#[derive(Debug)]
struct Whole {
    /// What the rule makes of gradient and state, into the workspace.
    first: Plan,
    work: Orthogonal,
    workspace: *mut u8,
    /// What is made of the parameter.
    last: Plan,
}

/// They are run one after the other, in one workspace.
#[derive(Debug, Default)]
pub struct Wholes {
    all: Vec<Whole>,
    workspace: Workspace,
}

// SAFETY: the pointers are the only members that are not Send or Sync; `push` makes the caller vouch for
// the parameters' memory until `run` returns, and the workspace is ours.
unsafe impl Send for Wholes {}
// SAFETY: as above; who runs them must be the only one.
unsafe impl Sync for Wholes {}

impl Wholes {
    /// With room for the one of these that needs most.
    pub fn new(matrices: impl Iterator<Item = Orthogonal>) -> Result<Self, OutOfMemory> {
        let lines = matrices.map(|work| work.lines()).max().unwrap_or(0);
        Ok(Wholes { all: Vec::new(), workspace: Workspace::new(lines)? })
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The bytes that are read and written, but for the workspace's.
    pub fn bytes(&self) -> usize {
        self.all.iter().map(|whole| whole.first.bytes() + whole.last.bytes()).sum()
    }

    /// Adds a matrix for which there is room, in any layout. The rule's loops make of the gradient and the
    /// states what is to become orthogonal; the others, with scalars of their own, make the new parameter
    /// of the old one and the result, in the place of a gradient.
    ///
    /// # Safety
    /// As for `Plan::push`, and nobody else runs them meanwhile.
    pub unsafe fn push(
        &mut self,
        work: Orthogonal,
        (kernel, block): (RuleLoops, Block),
        (last_kernel, last_scalars): (RuleLoops, ScalarBlock),
        p: &View,
        g: &View,
        states: &[View],
    ) -> Result<(), Unplanned> {
        if p.is_empty() {
            return Ok(());
        }
        let workspace = self.workspace.at();
        let (mut first, mut last) = (Plan::new(), Plan::new());
        first.block(block.without_decay())?;
        last.block(block.with_decay(last_scalars))?;
        // SAFETY: passed on from the caller; the workspace is nobody's else.
        unsafe {
            first.push(kernel, false, 0, &work.given(workspace), g, states)?;
            last.push(last_kernel, false, 0, p, &work.result(workspace), &[])?;
        }
        Ok(self.all.try_push(Whole { first, work, workspace, last })?)
    }

    /// Runs them on up to `threads` threads. The result does not depend on their number.
    ///
    /// # Safety
    /// What was promised at each `push` still holds.
    pub unsafe fn run(&self, threads: usize) {
        for Whole { first, work, workspace, last } in &self.all {
            // SAFETY: passed on from the caller. There is room for each, and only this one is at work.
            unsafe {
                first.run(threads);
                work.run(*workspace, threads);
                last.run(threads);
            }
        }
    }
}
