//! MATRICES: products with one order of additions, and what is made of them.
//!
//! Knows no rule by name and nothing of Python. Every element of a product is the sum of
//! `left[i, k] * right[k, j]` over `k` ascending from +0.0, multiplication and addition each rounded:
//! what `sum += np.outer(left[:, k], right[k])` gives in NumPy. Which elements are computed together, on
//! which thread and how wide the registers are changes no bit. A BLAS multiplies and adds in one
//! rounding, in an order that its blocks decide: about twice as fast, and other bits on other machines.

mod kernel;
mod orthogonal;
mod panels;
mod product;
mod room;
mod vector;

pub use orthogonal::Orthogonal;
pub(super) use room::Workspace;

/// Elements of a workspace in rows.
#[derive(Clone, Copy, Debug)]
struct Matrix<R> {
    at: *mut R,
    rows: usize,
    columns: usize,
    /// Elements from one row to the next.
    stride: usize,
}

// SAFETY: the pointer is the only member that is not Send or Sync; it is not read or written through
// but by unsafe functions, whose callers vouch for the memory.
unsafe impl<R> Send for Matrix<R> {}
// SAFETY: as above.
unsafe impl<R> Sync for Matrix<R> {}

impl<R> Matrix<R> {
    /// Where a row has its element of this column.
    fn place(&self, row: usize, column: usize) -> *mut R {
        self.at.wrapping_add(row * self.stride + column)
    }
}

#[cfg(test)]
mod tests;
