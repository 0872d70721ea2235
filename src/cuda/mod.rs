//! The same rules as the source of a GPU kernel: CUDA C++, ready for NVRTC.
//!
//! A rule is run once on numbers that record, and the record is printed. What stands around it
//! (primitives, storage types, the kernel) is written once, in the `.cu` files of this folder.
//! Knows no rule by name, no device and nothing of Python: whoever launches the kernels reads the
//! layouts of their arguments here.

mod body;
mod factors;
mod kernel;
mod matrix;
mod measure;
mod measuring;
mod source;

pub use factors::averages;
pub use kernel::{Kernel, TraceKernel};
pub use matrix::Room;
pub use measure::norm_source;
pub use measuring::Measuring;
pub use source::{CHUNK, FOLD, THREADS};
