//! Rows of one array into another, for an array that grows or shrinks along its first axis.

use super::copy::copy;
use super::view::View;

/// Copies row `rows[i]` of one array into row `i` of the other, whose row stays as it is where that is
/// negative.
///
/// # Safety
/// As for `copy`, but for the lengths of the first axes: no entry of `rows` reaches beyond that of
/// `from`, and there are as many as `to` has rows.
pub unsafe fn copy_rows(from: &View, to: &View, rows: &[i64]) {
    let part = |of: &View, first: usize, count: usize| {
        let mut part = of.clone();
        part.data = of.data.wrapping_offset(first as isize * of.strides[0]);
        part.shape[0] = count;
        part
    };
    let mut i = 0;
    while i < rows.len() {
        let mut count = 1;
        if let Ok(first) = usize::try_from(rows[i]) {
            // Rows that lie after each other there and here are copied at once.
            let follows = |pair: &[i64]| pair[1] == pair[0] + 1;
            count += rows[i..].windows(2).take_while(|pair| follows(pair)).count();
            // SAFETY: passed on from the caller; these are rows of both arrays.
            unsafe { copy(&part(from, first, count), &part(to, i, count)) };
        }
        i += count;
    }
}

#[cfg(test)]
mod tests {
    use super::copy_rows;
    use crate::engine::view::View;
    use crate::number::{Format, Kind};

    fn view(data: *mut f32, rows: usize, strides: [isize; 2]) -> View {
        View {
            data: data.cast(),
            format: Format::native(Kind::F32),
            shape: [rows, 3].into_iter().collect(),
            strides: strides.into_iter().collect(),
        }
    }

    #[test]
    fn kept_moved_doubled_and_new() {
        let choices: [&[i64]; 6] =
            [&[0, 1, 2, 3], &[1, 2, -1, -1, 0], &[3, 3], &[-1, 0, 1], &[], &[2, 1, 0, -1]];
        let source: Vec<f32> = (0..32).map(|i| i as f32).collect();
        for rows in choices {
            // C order, Fortran order, with gaps.
            for (from, to) in [([12, 4], [12, 4]), ([4, 16], [12, 4]), ([24, 8], [4, 20])] {
                let mut target = vec![-1.0f32; 32];
                let (a, b) = (source.as_ptr().cast_mut(), target.as_mut_ptr());
                // SAFETY: both lie within their 32 elements.
                unsafe { copy_rows(&view(a, 4, from), &view(b, rows.len(), to), rows) };
                let mut wanted = vec![-1.0f32; 32];
                for (i, row) in rows.iter().enumerate().filter(|(_, row)| **row >= 0) {
                    for j in 0..3 {
                        let at = |i: isize, s: [isize; 2]| ((i * s[0] + j * s[1]) / 4) as usize;
                        wanted[at(i as isize, to)] = source[at(*row as isize, from)];
                    }
                }
                assert_eq!(target, wanted, "{rows:?} {from:?} {to:?}");
            }
        }
    }
}
