//! The text that stands around a printed rule, and what the kernels' launches are cut into.

/// Elements of one tensor that one block updates. Enough that finding the tensor costs little, few
/// enough that a tensor of a million elements keeps a large device busy.
pub const CHUNK: usize = 16_384;
/// Threads of a block, of every kernel.
pub const THREADS: usize = 256;
/// Sums that one thread folds to one.
pub const FOLD: usize = 32;

pub(super) const PRIMITIVES: &str = include_str!("primitives.cu");
pub(super) const STORAGE: &str = include_str!("storage.cu");
pub(super) const TABLE: &str = include_str!("table.cu");
pub(super) const TENSOR: &str = include_str!("tensor.cu");
pub(super) const LEAVES: &str = include_str!("leaf.cu");
pub(super) const FOLDS: &str = include_str!("fold.cu");
pub(super) const UPDATE: &str = include_str!("update.cu");
pub(super) const PLAIN: &str = include_str!("plain.cu");
pub(super) const TERMS: &str = include_str!("terms.cu");
pub(super) const MEASURED: &str = include_str!("measured.cu");
pub(super) const OWN: &str = include_str!("own.cu");
pub(super) const FACTORS: &str = include_str!("factors.cu");
pub(super) const FACTORED: &str = include_str!("factored.cu");
pub(super) const MATRIX: &str = include_str!("matrix.cu");
pub(super) const NORM: &str = include_str!("norm.cu");
