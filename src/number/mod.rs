//! Numbers: what a rule may do with one, how it is stored, and functions of the host's scalars.
//!
//! Knows nothing of rules, arrays or Python.

mod functions;
mod narrow;
mod power;
mod precision;
mod real;
mod storage;
mod trace;

pub use functions::{exp, log, real_power};
pub use narrow::{BF16, F16};
pub use power::Powers;
pub use precision::{Kinds, Precision};
pub use real::{Float, Real};
pub use storage::{Compute, Format, Kind, Store, Stored};
pub use trace::{Node, Operation, Trace, Traced};
