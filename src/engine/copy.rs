//! The elements of one array into another, as they are.

use super::view::View;
use super::walk::{Cursor, in_c_order};

/// Copies every element. Nothing is converted: the views have one shape and one format.
///
/// # Safety
/// The views describe live memory that nobody else writes meanwhile, and share none of it.
pub unsafe fn copy(from: &View, to: &View) {
    let size = from.format.kind.size();
    let mut left = to.len();
    if left == 0 {
        return;
    }
    if from.fills_extent() && to.fills_extent() && from.same_strides(to) {
        // SAFETY: both fill what lies between their lowest and highest address, in one order.
        unsafe { std::ptr::copy_nonoverlapping(from.lowest(), to.lowest(), left * size) };
        return;
    }
    let (axes_from, axes_to) = (in_c_order(from), in_c_order(to));
    let mut source = Cursor::new(&axes_from, from.data, 0);
    let mut target = Cursor::new(&axes_to, to.data, 0);
    while left > 0 {
        // Both in C order, each along its own last axis.
        let (a, stride_a, len) = source.take(target.stretch().min(left));
        let (b, stride_b, _) = target.take(len);
        for i in 0..len as isize {
            // SAFETY: these are elements of both arrays.
            unsafe {
                let (a, b) = (a.offset(i * stride_a), b.cast_mut().offset(i * stride_b));
                std::ptr::copy_nonoverlapping(a, b, size);
            }
        }
        left -= len;
    }
}

#[cfg(test)]
mod tests {
    use super::copy;
    use crate::engine::view::View;
    use crate::number::{Format, Kind};

    #[test]
    fn any_layout_into_any_other() {
        let source: Vec<f32> = (0..64).map(|i| i as f32).collect();
        // Of 3 x 4 elements: C order, Fortran order, with gaps, backwards.
        let layouts: [(usize, [isize; 2]); 4] =
            [(0, [16, 4]), (0, [4, 12]), (1, [80, 8]), (35, [-48, -4])];
        for (start, strides) in layouts {
            for (to_start, to_strides) in layouts {
                let mut target = vec![-1.0f32; 64];
                let view = |data: *mut f32, start: usize, strides: [isize; 2]| View {
                    data: data.wrapping_add(start).cast(),
                    format: Format::native(Kind::F32),
                    shape: [3, 4].into_iter().collect(),
                    strides: strides.into_iter().collect(),
                };
                let from = view(source.as_ptr().cast_mut(), start, strides);
                let to = view(target.as_mut_ptr(), to_start, to_strides);
                // SAFETY: the layouts lie within the 64 elements of both vectors.
                unsafe { copy(&from, &to) };
                let at = |start: usize, strides: [isize; 2], i: isize, j: isize| {
                    (start as isize + (i * strides[0] + j * strides[1]) / 4) as usize
                };
                for (i, j) in (0..12).map(|k| (k / 4, k % 4)) {
                    let found = target[at(to_start, to_strides, i, j)];
                    assert_eq!(found, source[at(start, strides, i, j)]);
                }
                assert_eq!(target.iter().filter(|x| **x == -1.0).count(), 64 - 12);
            }
        }
    }
}
