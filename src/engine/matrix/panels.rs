//! Operands as the innermost loop reads them: a few rows (or columns) side by side, element after
//! element, so that it reads one stretch of memory.

use super::Matrix;
use crate::engine::work;
use crate::number::Real;

/// So many vectors of this depth, cut into panels of a width; the last one is filled up with zeros.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panels<R> {
    pub(super) at: *mut R,
    pub(super) width: usize,
    pub(super) vectors: usize,
    pub(super) depth: usize,
}

// SAFETY: as for `Matrix`.
unsafe impl<R> Send for Panels<R> {}
// SAFETY: as above.
unsafe impl<R> Sync for Panels<R> {}

/// What becomes a vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Along {
    Rows,
    Columns,
}

impl<R: Real + Send + Sync> Panels<R> {
    /// The elements that panels of this width take.
    pub(super) fn elements(width: usize, vectors: usize, depth: usize) -> usize {
        vectors.next_multiple_of(width).saturating_mul(depth)
    }

    /// Where the panel with this number has its elements from `k` on.
    pub(super) fn place(&self, panel: usize, k: usize) -> *mut R {
        self.at.wrapping_add((panel * self.depth + k) * self.width)
    }

    /// The rows or columns of a matrix.
    ///
    /// SAFETY: the matrix is initialized and there is room from `at` on, which nobody else uses.
    pub(super) unsafe fn of(
        from: Matrix<R>,
        along: Along,
        width: usize,
        at: *mut R,
        threads: usize,
    ) -> Self {
        let (vectors, depth) = match along {
            Along::Rows => (from.rows, from.columns),
            Along::Columns => (from.columns, from.rows),
        };
        let panels = Panels { at, width, vectors, depth };
        let bytes = 2 * size_of::<R>() * Self::elements(width, vectors, depth);
        work::run(vectors.div_ceil(width), bytes, threads, |numbers| {
            for number in numbers {
                // SAFETY: passed on from the caller; this thread alone has this panel.
                unsafe { panels.fill(number, from, along) };
            }
        });
        panels
    }

    /// SAFETY: as for `of`, and nobody else has the panel.
    unsafe fn fill(&self, number: usize, from: Matrix<R>, along: Along) {
        let first = number * self.width;
        let taken = self.width.min(self.vectors - first);
        for k in 0..self.depth {
            let to = self.place(number, k);
            // SAFETY: the matrix has these elements, and the panel this place.
            unsafe {
                match along {
                    Along::Rows => {
                        (0..taken).for_each(|i| to.add(i).write(*from.place(first + i, k)));
                    }
                    Along::Columns => to.copy_from_nonoverlapping(from.place(k, first), taken),
                }
                (taken..self.width).for_each(|i| to.add(i).write(R::constant(0.0)));
            }
        }
    }
}
