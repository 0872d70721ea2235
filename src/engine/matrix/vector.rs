//! A register of numbers, and the two operations of a product.
//!
//! With instructions of a CPU, as in `square.rs`: of loops over arrays the compiler makes gathers where
//! registers are 64 bytes wide, and spills them (docs/experiments.md).

use std::ops::{Add, Mul};

/// SAFETY of all: the CPU has the registers, and a pointer is that of as many elements.
pub(super) trait Vector: Copy {
    type Element: Copy;
    const LEN: usize;

    unsafe fn all(value: Self::Element) -> Self;
    unsafe fn load(from: *const Self::Element) -> Self;
    unsafe fn store(self, to: *mut Self::Element);
    /// `self + left * right`, each operation rounded.
    unsafe fn plus_product(self, left: Self, right: Self) -> Self;
}

/// Of 16 bytes, which every CPU of 64 bits has: the compiler finds the instructions.
impl<R: Copy + Add<Output = R> + Mul<Output = R>, const N: usize> Vector for [R; N] {
    type Element = R;
    const LEN: usize = N;

    #[inline(always)]
    unsafe fn all(value: R) -> Self {
        [value; N]
    }

    #[inline(always)]
    unsafe fn load(from: *const R) -> Self {
        // SAFETY: passed on from the caller.
        unsafe { *from.cast() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut R) {
        // SAFETY: passed on from the caller.
        unsafe { *to.cast() = self }
    }

    #[inline(always)]
    unsafe fn plus_product(self, left: Self, right: Self) -> Self {
        std::array::from_fn(
            #[inline(always)]
            |i| self[i] + left[i] * right[i],
        )
    }
}

#[cfg(target_arch = "x86_64")]
mod registers {
    use std::arch::x86_64::*;

    use super::Vector;

    macro_rules! registers {
        (
            $($register:ident of $element:ident:
                $all:ident $load:ident $store:ident $add:ident $mul:ident;)+
        ) => {
            $(
                impl Vector for $register {
                    type Element = $element;
                    const LEN: usize = size_of::<$register>() / size_of::<$element>();

                    #[inline(always)]
                    unsafe fn all(value: $element) -> Self {
                        // SAFETY: passed on from the caller.
                        unsafe { $all(value) }
                    }

                    #[inline(always)]
                    unsafe fn load(from: *const $element) -> Self {
                        // SAFETY: passed on from the caller.
                        unsafe { $load(from) }
                    }

                    #[inline(always)]
                    unsafe fn store(self, to: *mut $element) {
                        // SAFETY: passed on from the caller.
                        unsafe { $store(to, self) }
                    }

                    #[inline(always)]
                    unsafe fn plus_product(self, left: Self, right: Self) -> Self {
                        // SAFETY: passed on from the caller.
                        unsafe { $add(self, $mul(left, right)) }
                    }
                }
            )+
        };
    }

    registers! {
        __m256 of f32: _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps _mm256_mul_ps;
        __m256d of f64: _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_add_pd _mm256_mul_pd;
        __m512 of f32: _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_add_ps _mm512_mul_ps;
        __m512d of f64: _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_add_pd _mm512_mul_pd;
    }
}
