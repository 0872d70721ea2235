//! Whether arrays share memory, for Python code.

use pyo3::prelude::*;

use crate::engine::{Region, first_shared, share_bytes};

/// An array as Python tells of it: its address, the size of an element, its shape and strides.
type Told = (usize, usize, Vec<usize>, Vec<isize>);

/// The numbers of the first two arrays that share memory.
#[pyfunction(name = "first_shared")]
pub(super) fn first_of_told(arrays: Vec<Told>) -> PyResult<Option<(usize, usize)>> {
    let region = |(data, size, shape, strides): &Told| Region {
        data: *data,
        size: *size,
        axes: shape.clone().into_iter().zip(strides.clone()),
    };
    let extents = arrays.iter().enumerate();
    let extents = extents.filter_map(|(i, array)| Some((region(array).extent()?, i))).collect();
    let share = |a: usize, b: usize| share_bytes(region(&arrays[a]), region(&arrays[b]));
    Ok(first_shared(extents, 0, share)?)
}
