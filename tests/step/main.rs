//! The step without Python: on plain vectors, with factories of state that do what users' do.

#![allow(clippy::unwrap_used)] // a failed test is what it is for

mod alone;
#[allow(dead_code, unreachable_pub)] // the fuzz targets' own, of which these tests use a part
#[path = "../../fuzz/src/arrays.rs"]
mod arrays;
#[allow(dead_code, unreachable_pub)]
#[path = "../../fuzz/src/device.rs"]
mod device;
mod devices;
mod memory;
mod model;
mod refusals;
mod repeated;
mod replaced;
mod rows;
mod scenes;
mod sources;
mod two_halves;
#[allow(dead_code, unreachable_pub)]
#[path = "../../fuzz/src/vectors.rs"]
mod vectors;
