//! A product of two matrices, cut into tiles for the caches and the threads.

use std::ops::Range;

use super::Matrix;
use super::kernel::{Element, Kernel};
use super::panels::Panels;
use crate::engine::control::ControlGuard;
use crate::engine::work;

/// Rows and columns of a tile: a multiple of every kernel's. A tile's operands of one depth lie in the
/// second cache.
const TILE: usize = 192;

/// Bytes of a row of a panel that are added before the next rows are: a panel of the right operand
/// stays in the first cache meanwhile.
const DEPTH: usize = 1024;

/// What is done with a sum: `factors[0] * other + factors[1] * sum`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Combined<R> {
    pub(super) factors: [R; 2],
    pub(super) other: Matrix<R>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Product<R> {
    pub(super) kernel: Kernel<R>,
    pub(super) left: Panels<R>,
    pub(super) right: Panels<R>,
    /// It has room for whole kernels, and shares no memory with anything else.
    pub(super) to: Matrix<R>,
    /// Whether it is its own mirror image, since both operands are the same vectors: half of it is
    /// computed, which gives the same bits, since `a * b` is `b * a`.
    pub(super) symmetric: bool,
    pub(super) combined: Option<Combined<R>>,
}

impl<R: Element> Product<R> {
    /// SAFETY: the operands are filled, and all memory is there.
    pub(super) unsafe fn run(&self, threads: usize) {
        let Matrix { rows, columns, .. } = self.to;
        let (down, across) = (rows.div_ceil(TILE), columns.div_ceil(TILE));
        let tiles = if self.symmetric { down * (down + 1) / 2 } else { down * across };
        // As many operations as a pass over memory makes in the time that it takes to move a byte.
        let work = (rows * columns).saturating_mul(self.left.depth) / 4;
        work::run(tiles, work, threads, |numbers| {
            let _control = ControlGuard::new();
            for number in numbers {
                let (i, j) = if self.symmetric {
                    in_triangle(number)
                } else {
                    (number / across, number % across)
                };
                let tile = |i: usize, n: usize| i * TILE..n.min((i + 1) * TILE);
                // SAFETY: passed on from the caller; this thread alone has this tile, and its mirror
                // image.
                unsafe { self.tile(tile(i, rows), tile(j, columns)) };
            }
        });
    }

    /// SAFETY: as for `run`, and nobody else has these elements.
    unsafe fn tile(&self, rows: Range<usize>, columns: Range<usize>) {
        let Kernel { rows: high, columns: wide, add } = self.kernel;
        let depth = self.left.depth;
        let whole = columns.len().next_multiple_of(wide);
        for row in rows.start..rows.end.next_multiple_of(high) {
            // SAFETY: the product has room for whole kernels.
            unsafe { self.to.place(row, columns.start).write_bytes(0, whole) };
        }
        let step = DEPTH / size_of::<R>();
        for k in (0..depth).step_by(step) {
            let depth = step.min(depth - k);
            for j in columns.clone().step_by(wide) {
                let right = self.right.place(j / wide, k);
                for i in rows.clone().step_by(high) {
                    if self.symmetric && i + high <= j {
                        continue; // above the diagonal
                    }
                    let (left, to) = (self.left.place(i / high, k), self.to.place(i, j));
                    // SAFETY: the panels have these rows and columns at this depth.
                    unsafe { add(depth, left, right, to, self.to.stride) };
                }
            }
        }
        for i in rows {
            let columns =
                columns.start..if self.symmetric { columns.end.min(i + 1) } else { columns.end };
            // SAFETY: these are elements of the tile.
            unsafe { self.finish(i, columns) };
        }
    }

    /// Combines a row's sums, and writes their mirror image.
    ///
    /// SAFETY: as for `tile`.
    unsafe fn finish(&self, i: usize, columns: Range<usize>) {
        // SAFETY: these are elements of the product and of a matrix of its size.
        unsafe {
            if let Some(Combined { factors: [first, second], other }) = self.combined {
                for j in columns.clone() {
                    let (to, other) = (self.to.place(i, j), *other.place(i, j));
                    *to = first * other + second * *to;
                }
            }
            if self.symmetric {
                columns.for_each(|j| *self.to.place(j, i) = *self.to.place(i, j));
            }
        }
    }
}

/// The row and column of a number among those at or below the diagonal, row after row.
fn in_triangle(number: usize) -> (usize, usize) {
    let (mut row, mut before) = (0, 0);
    while before + row < number {
        row += 1;
        before += row;
    }
    (row, number - before)
}

#[cfg(test)]
mod tests {
    use super::in_triangle;

    #[test]
    fn the_triangle_row_after_row() {
        let places: Vec<_> = (0..6).map(in_triangle).collect();
        assert_eq!(places, [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]);
    }
}
