//! What the fuzz targets check, each as a function of arbitrary bytes. `tests/fuzz.rs` runs them too.

#![allow(clippy::expect_used, clippy::unwrap_used)]

pub mod arrays;
pub mod device;
pub mod memory;
pub mod model;
pub mod plan;
pub mod reductions;
pub mod step;
#[path = "../../tests/support/table.rs"]
pub mod table;
pub mod vectors;
