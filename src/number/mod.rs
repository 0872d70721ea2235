//! Numbers: what a rule may do with one, how it is stored, and powers of a decay rate.
//!
//! Knows nothing of rules, arrays or Python.

mod power;
mod real;
mod storage;

pub use power::Powers;
pub use real::{Float, Real};
pub use storage::{Format, Kind, Stored};
