//! Memory that matrices use one after the other, and how it is cut for one of them.

use super::Matrix;
use super::kernel::Kernel;
use super::panels::Panels;
use crate::engine::memory::{OutOfMemory, with_room};
use crate::number::Float;
use crate::rules::LEAF;

/// A cache line: everything begins at one.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line(#[allow(dead_code)] [u8; LINE]);

const LINE: usize = 64;

/// So many cache lines, initialized.
#[derive(Debug, Default)]
pub(in crate::engine) struct Workspace(Vec<Line>);

impl Workspace {
    pub(in crate::engine) fn new(lines: usize) -> Result<Self, OutOfMemory> {
        let mut memory = with_room(lines)?;
        memory.resize(lines, Line([0; LINE]));
        Ok(Workspace(memory))
    }

    /// Where it begins, as long as it lives.
    pub(in crate::engine) fn at(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }
}

/// Of a matrix with no more rows than columns.
#[derive(Debug)]
pub(super) struct Room<R> {
    pub(super) kernel: Kernel<R>,
    /// The matrix, and room for the next one.
    pub(super) x: [Matrix<R>; 2],
    /// With as many columns as rows.
    pub(super) squares: [Matrix<R>; 2],
    pub(super) left: *mut R,
    pub(super) right: *mut R,
    /// Of leaves.
    pub(super) sums: *mut f64,
    /// How many it has.
    pub(super) lines: usize,
}

// SAFETY: as for `Matrix`.
unsafe impl<R> Sync for Room<R> {}

/// Cuts a workspace.
struct Cut {
    at: *mut u8,
    lines: usize,
}

impl Cut {
    fn off<T>(&mut self, elements: usize) -> *mut T {
        let here = self.at.wrapping_add(self.lines.wrapping_mul(LINE));
        let lines = elements.saturating_mul(size_of::<T>()) / LINE + 1;
        self.lines = self.lines.saturating_add(lines);
        here.cast()
    }

    /// A matrix that has room for whole kernels. Its rows are an odd number of lines apart, so that
    /// they do not begin in the same sets of a cache.
    fn matrix<R>(&mut self, (rows, columns): (usize, usize), kernel: Kernel<R>) -> Matrix<R> {
        let bytes = columns.next_multiple_of(kernel.columns).saturating_mul(size_of::<R>());
        let stride = (bytes.div_ceil(LINE) | 1) * (LINE / size_of::<R>());
        let at = self.off(rows.next_multiple_of(kernel.rows).saturating_mul(stride));
        Matrix { at, rows, columns, stride }
    }
}

impl<R: Float> Room<R> {
    pub(super) fn new((rows, columns): (usize, usize), kernel: Kernel<R>, at: *mut u8) -> Self {
        let mut cut = Cut { at, lines: 0 };
        let x = [(); 2].map(|()| cut.matrix((rows, columns), kernel));
        let squares = [(); 2].map(|()| cut.matrix((rows, rows), kernel));
        let left = cut.off(Panels::<R>::elements(kernel.rows, rows, columns));
        // The rows of the matrix, later its columns.
        let right = [(rows, columns), (columns, rows)];
        let right =
            right.map(|(vectors, depth)| Panels::<R>::elements(kernel.columns, vectors, depth));
        let right = cut.off(right[0].max(right[1]));
        let sums = cut.off(rows.saturating_mul(columns).div_ceil(LEAF));
        Room { kernel, x, squares, left, right, sums, lines: cut.lines }
    }
}
