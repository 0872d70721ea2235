//! The shape of a reduction: part of the numerical contract, the same on every processor.

/// Elements of a leaf.
pub const LEAF: usize = 4096;
/// Accumulators of a leaf. In the widest registers of a CPU they are as many independent sums as
/// hide the latency of an addition.
pub const LANES: usize = 32;
