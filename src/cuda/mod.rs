//! The same rules as the source of a GPU kernel: CUDA C++, ready for NVRTC.
//!
//! A rule is run once on numbers that record, and the record is printed. What stands around it
//! (primitives, storage types, the kernel) is written once, in the `.cu` files of this folder.
//! Knows no rule by name, no device and nothing of Python: whoever launches the kernels reads the
//! layouts of their arguments here.

mod body;
mod kernel;

pub use kernel::{Kernel, TraceKernel};

/// Elements of one tensor that one block updates. Enough that finding the tensor costs little, few
/// enough that a tensor of a million elements keeps a large device busy.
pub const CHUNK: usize = 16_384;
/// Threads of a block, of every kernel.
pub const THREADS: usize = 256;
/// Sums that one thread folds to one.
pub const FOLD: usize = 32;

const PRIMITIVES: &str = include_str!("primitives.cu");
const STORAGE: &str = include_str!("storage.cu");
const TABLE: &str = include_str!("table.cu");
const UPDATE: &str = include_str!("update.cu");
const NORM: &str = include_str!("norm.cu");

/// The kernels of the norm, for gradients of every kind.
pub fn norm_source() -> String {
    use crate::engine::{LANES, LEAF};
    let constants = format!(
        "constexpr int THREADS = {THREADS};\nconstexpr int LEAF = {LEAF};\n\
         constexpr int LANES = {LANES};\nconstexpr int FOLD = {FOLD};\n"
    );
    [PRIMITIVES, STORAGE, TABLE, &constants, NORM].join("\n")
}
