//! Reading arrays once more than an update does, on as many threads.

use std::hint::black_box;
use std::ops::Range;

use ferrostep::engine::View;
use numpy::PyUntypedArrayMethods;
use pyo3::PyResult;
use pyo3::exceptions::PyValueError;

use crate::Array;

/// A dense array's memory in words of eight bytes; what is left over is not worth reading.
pub(crate) fn words(array: &Array<'_>, view: &View) -> PyResult<Range<*const u64>> {
    if !array.is_contiguous() {
        return Err(PyValueError::new_err("what is read once more must be contiguous"));
    }
    let start = view.data.cast_const().cast::<u64>();
    if !start.is_aligned() {
        return Err(PyValueError::new_err("what is read once more must be aligned"));
    }
    Ok(start..start.wrapping_add(view.len() * view.format.kind.size() / 8))
}

/// SAFETY: the ranges are live memory that nobody writes.
pub(crate) unsafe fn all(ranges: &[Range<*const u64>], threads: usize) {
    let arrays: Vec<&[u64]> = ranges
        .iter()
        // SAFETY: both ends belong to one array, promised to be live.
        .map(|range| unsafe {
            std::slice::from_raw_parts(range.start, range.end.offset_from_unsigned(range.start))
        })
        .collect();
    let share = |i: usize| {
        for words in &arrays {
            let part = &words[words.len() * i / threads..words.len() * (i + 1) / threads];
            black_box(part.iter().fold(0u64, |sum, word| sum.wrapping_add(*word)));
        }
    };
    if arrays.is_empty() {
        return;
    }
    std::thread::scope(|scope| {
        for i in 1..threads {
            scope.spawn(move || share(i));
        }
        share(0);
    });
}
