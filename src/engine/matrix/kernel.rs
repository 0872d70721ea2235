//! The innermost loop: a few rows of the product, two registers wide, kept in registers while `k` goes
//! up.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};

use super::vector::Vector;
use crate::engine::tier;
use crate::number::{Compute, Stored};

/// Registers side by side.
const WIDTH: usize = 2;

/// SAFETY of a call: the panels have `depth` elements of each of the kernel's rows and columns, there
/// are as many rows and columns of the product, which nobody else has, and the CPU has the tier.
type Run<R> = unsafe fn(depth: usize, left: *const R, right: *const R, to: *mut R, stride: usize);

#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel<R> {
    /// Of the product, at a time.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Adds the products of the panels' elements to the elements that are there.
    pub(super) add: Run<R>,
}

/// A type that products are computed in.
pub(super) trait Element: Compute + Stored {
    const KERNELS: [Kernel<Self>; tier::NAMES.len()];
}

/// SAFETY: as for [`Run`].
#[inline(always)]
unsafe fn add<V: Vector, const ROWS: usize>(
    depth: usize,
    left: *const V::Element,
    right: *const V::Element,
    to: *mut V::Element,
    stride: usize,
) {
    // SAFETY: the caller vouches for panels and product.
    unsafe {
        let place = |i: usize, j: usize| to.add(i * stride + j * V::LEN);
        let mut sums = [[V::load(to); WIDTH]; ROWS];
        for (i, row) in sums.iter_mut().enumerate() {
            for (j, sum) in row.iter_mut().enumerate() {
                *sum = V::load(place(i, j));
            }
        }
        for k in 0..depth {
            let (left, right) = (left.add(k * ROWS), right.add(k * WIDTH * V::LEN));
            let mut values = [V::load(right); WIDTH];
            for (j, value) in values.iter_mut().enumerate() {
                *value = V::load(right.add(j * V::LEN));
            }
            for (i, row) in sums.iter_mut().enumerate() {
                let factor = V::all(*left.add(i));
                for (sum, value) in row.iter_mut().zip(values) {
                    *sum = sum.plus_product(factor, value);
                }
            }
        }
        for (i, row) in sums.into_iter().enumerate() {
            for (j, sum) in row.into_iter().enumerate() {
                sum.store(place(i, j));
            }
        }
    }
}

macro_rules! kernels {
    ($element:ident: $($tier:ident of $rows:literal x $vector:ty $(, $features:literal)?;)+) => {
        impl Element for $element {
            const KERNELS: [Kernel<Self>; tier::NAMES.len()] = [$({
                /// SAFETY: as for [`Run`].
                $(#[target_feature(enable = $features)])?
                unsafe fn $tier(
                    depth: usize,
                    left: *const $element,
                    right: *const $element,
                    to: *mut $element,
                    stride: usize,
                ) {
                    // SAFETY: passed on from the caller.
                    unsafe { add::<$vector, $rows>(depth, left, right, to, stride) }
                }
                Kernel { rows: $rows, columns: WIDTH * <$vector as Vector>::LEN, add: $tier }
            }),+];
        }
    };
}

// Sums, factor and values fill 16 registers, or most of 32.
#[cfg(target_arch = "x86_64")]
kernels! { f32:
    portable of 6 x [f32; 4];
    avx2 of 6 x __m256, "avx2";
    avx512 of 12 x __m512, "avx512f,avx512vl,avx512bw,avx512dq";
}
#[cfg(target_arch = "x86_64")]
kernels! { f64:
    portable of 6 x [f64; 2];
    avx2 of 6 x __m256d, "avx2";
    avx512 of 12 x __m512d, "avx512f,avx512vl,avx512bw,avx512dq";
}
#[cfg(not(target_arch = "x86_64"))]
kernels! { f32: portable of 12 x [f32; 4]; }
#[cfg(not(target_arch = "x86_64"))]
kernels! { f64: portable of 12 x [f64; 2]; }
