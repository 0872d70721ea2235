//! What an array says of itself, but for its type.

use crate::optimizer::{Axes, Place};

#[derive(Debug)]
pub(super) struct Fields {
    pub(super) place: Place,
    pub(super) data: usize,
    pub(super) flags: i32,
    pub(super) shape: Axes,
    pub(super) strides: Axes,
}
