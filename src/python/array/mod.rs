//! Arrays as they come from Python: NumPy's, and CuPy's on a device. Their headers (pointer, type,
//! shape, strides) are read and checked here and nowhere else.

mod copy;
mod device;
mod exchange;
mod fields;
mod header;
mod held;
mod host;
mod shape;

pub(super) use exchange::Exchange;
pub(super) use header::Seen;
pub(super) use held::{Array, Held};
pub(super) use host::{HostArray, exactly, ndarray, take_c_api};
pub(super) use shape::shape_text;
