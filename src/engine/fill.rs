//! One value in every element of an array, for state that begins.

use super::control::ControlGuard;
use super::view::View;
use super::walk::{Cursor, in_c_order, in_memory_order};
use crate::number::{BF16, F16, Kind, Stored};

/// Writes `value`, rounded once to the view's type, to every element.
///
/// # Safety
/// The view describes live memory that nobody else reads or writes meanwhile.
pub unsafe fn fill(view: &View, value: f64) {
    let _control = ControlGuard::new();
    // SAFETY: passed on from the caller; the type is the view's.
    unsafe {
        match view.format.kind {
            Kind::F16 => fill_with(view, F16::nearest(value)),
            Kind::BF16 => fill_with(view, BF16::nearest(value)),
            Kind::F32 => fill_with(view, f32::nearest(value)),
            Kind::F64 => fill_with(view, f64::nearest(value)),
        }
    }
}

/// SAFETY: as for `fill`, and `T` is the view's type.
unsafe fn fill_with<T: Stored>(view: &View, value: T) {
    if view.is_empty() {
        return;
    }
    let value = if view.format.swapped { value.swap_bytes() } else { value };
    let mut axes = in_c_order(view);
    let (lowest, axes_left) = in_memory_order(view.data, &mut axes);
    let mut cursor = Cursor::new(&axes[..axes_left], lowest, 0);
    let mut left = view.len();
    while left > 0 {
        let (first, stride, len) = cursor.take(left);
        let first = first.cast_mut().cast::<T>();
        // The stride as a constant where there are no gaps, so that this loop vectorises.
        if stride == size_of::<T>() as isize {
            // SAFETY: these are elements of a live array; they need not be aligned.
            (0..len).for_each(|i| unsafe { first.add(i).write_unaligned(value) });
        } else {
            // SAFETY: as above.
            let write =
                |i| unsafe { first.byte_offset(i as isize * stride).write_unaligned(value) };
            (0..len).for_each(write);
        }
        left -= len;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use half::{bf16, f16};

    use super::fill;
    use crate::engine::view::View;
    use crate::number::{Format, Kind};

    /// A value in 16 bits, by what its neighbours and their mean are; `infinity` has the exponent
    /// of all ones. (The crate's own conversion may round twice.)
    fn nearest(value: f64, infinity: u16, widen: fn(u16) -> f64) -> u16 {
        let magnitude = value.abs();
        // Counted on, infinity is the next power of two.
        let step = widen(infinity - 1) - widen(infinity - 2);
        let number = |bits| if bits == infinity { widen(bits - 1) + step } else { widen(bits) };
        let below = (0..infinity).rev().find(|bits| number(*bits) <= magnitude).unwrap();
        let mean = (number(below) + number(below + 1)) / 2.0;
        let up = magnitude > mean || magnitude == mean && below % 2 == 1;
        (below + u16::from(up)) | if value.is_sign_negative() { 0x8000 } else { 0 }
    }

    /// The bytes of a value, in the machine's order.
    fn bytes(kind: Kind, value: f64) -> Vec<u8> {
        let half = |bits| f16::from_bits(bits).to_f64();
        let brain = |bits| bf16::from_bits(bits).to_f64();
        match kind {
            Kind::F16 => nearest(value, 0x7C00, half).to_ne_bytes().to_vec(),
            Kind::BF16 => nearest(value, 0x7F80, brain).to_ne_bytes().to_vec(),
            Kind::F32 => (value as f32).to_ne_bytes().to_vec(),
            Kind::F64 => value.to_ne_bytes().to_vec(),
        }
    }

    const KINDS: [Kind; 4] = [Kind::F16, Kind::BF16, Kind::F32, Kind::F64];

    /// Fills a view whose strides are given in elements, and compares every byte around it.
    fn check(
        kind: Kind,
        swapped: bool,
        off: usize,
        shape: &[usize],
        strides: &[isize],
        value: f64,
    ) {
        let size = kind.size();
        let strides: Vec<isize> = strides.iter().map(|stride| stride * size as isize).collect();
        let mut wanted_element = bytes(kind, value);
        if swapped {
            wanted_element.reverse();
        }
        let mut memory = vec![0xA5u8; 4096];
        let mut wanted = memory.clone();
        let first = 2048 + off;
        for i in 0..shape.iter().product() {
            let (mut rest, mut at) = (i, first as isize);
            for (&n, &stride) in shape.iter().zip(&strides).rev() {
                at += (rest % n) as isize * stride;
                rest /= n;
            }
            wanted[at as usize..at as usize + size].copy_from_slice(&wanted_element);
        }
        let view = View {
            data: memory.as_mut_ptr().wrapping_add(first),
            format: Format { kind, swapped },
            shape: shape.into(),
            strides: strides.into(),
        };
        // SAFETY: the view lies inside the memory.
        unsafe { fill(&view, value) };
        let what = format!("{value:e}, {kind:?}, swapped {swapped}, {off} off, {shape:?}");
        assert!(memory == wanted, "{what}");
    }

    #[test]
    fn every_element_and_no_other_byte() {
        let layouts: [(&[usize], &[isize]); 9] = [
            (&[], &[]),
            (&[1, 1], &[7, 0]),
            (&[37], &[1]),
            (&[37], &[-3]),
            (&[5, 7], &[1, 5]),
            (&[5, 7], &[-9, 1]),
            (&[3, 4, 5], &[4, -12, 1]),
            (&[0, 4], &[4, 1]),
            (&[2, 3], &[0, 2]),
        ];
        for kind in KINDS {
            for (shape, strides) in layouts {
                for (swapped, off) in [(false, 0), (true, 0), (false, 1), (true, 3)] {
                    check(kind, swapped, off, shape, strides, 0.1);
                }
            }
        }
    }

    #[test]
    fn rounded_once() {
        // In float32 the first is a tie of float16 and bfloat16, which would then go to even.
        let above_tie = |unit: f64| 1.0 + unit / 2.0 + f64::EPSILON;
        let below_tie = |unit: f64| 1.0 + unit * 1.5 - f64::EPSILON;
        let values = [0.0, -0.0, 1.0, 0.1, -1e-3, 1e-7, 3e-8, 6e-46, 65519.99999999999, 65520.0];
        let values =
            values.into_iter().chain([3.4e38, 3.4028235677973366e38, 1e39, -1e300, 5e-324]);
        let values = values.chain([f64::INFINITY, f64::NEG_INFINITY]);
        let values = values.chain([2f64.powi(-10), 2f64.powi(-7)].map(above_tie));
        let values = values.chain([2f64.powi(-10), 2f64.powi(-7)].map(below_tie));
        for value in values {
            for kind in KINDS {
                check(kind, false, 0, &[9], &[1], value);
            }
        }
    }

    #[test]
    fn not_a_number_stays_one() {
        let mut x = [0u16; 3];
        for (kind, is_nan) in [
            (Kind::F16, (|bits| f16::from_bits(bits).is_nan()) as fn(u16) -> bool),
            (Kind::BF16, |bits| bf16::from_bits(bits).is_nan()),
        ] {
            let view = View::line(x.as_mut_ptr().cast(), kind, 3);
            // SAFETY: the array is ours.
            unsafe { fill(&view, f64::NAN) };
            assert!(x.iter().all(|bits| is_nan(*bits)));
        }
    }
}
