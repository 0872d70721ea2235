//! HOW a rule is run over arrays: SIMD tiers, threads, plans and tiles.
//!
//! Knows no rule by name and nothing of Python: a rule comes as a [`RuleLoops`], an array as a
//! [`View`].

mod added;
mod band;
mod block;
mod control;
mod copy;
mod driver;
mod environment;
mod factors;
mod fill;
mod gather;
mod kernel;
mod layout;
mod leaf;
mod matrix;
mod measure;
pub mod memory;
mod moved;
mod occurrences;
mod overlap;
mod patch;
mod placement;
mod plan;
pub mod process;
mod rows;
mod shared;
mod square;
mod stream;
mod sums;
mod task;
mod terms;
pub mod threads;
pub mod tier;
mod tile;
mod touched;
mod view;
mod walk;
mod watch;
mod whole;
mod work;

pub use added::{Added, RowValues};
pub use block::{ARRAYS, Block};
pub use control::ControlGuard;
pub use copy::copy;
pub use factors::Factors;
pub use fill::fill;
pub use kernel::{CompileLoops, RuleLoops, compile};
pub use layout::{Unplanned, is_dense, rows_are_dense};
pub use matrix::Orthogonal;
pub use measure::{Leaves, Measured, fold_leaves, norm_of_leaves};
pub use memory::OutOfMemory;
pub use moved::Moved;
pub use occurrences::Occurrences;
pub use overlap::{Written, first_shared};
pub use plan::Plan;
pub use rows::copy_rows;
pub use shared::{Region, share_bytes, share_memory};
pub use sums::{Sums, fold_sums};
pub use task::DenseTask;
pub use terms::MeasuringLoops;
pub use view::View;
pub use whole::Wholes;
