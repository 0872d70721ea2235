//! Squares of elements that lie in rows here and in columns there, moved as they are.
//!
//! The one place besides the hints for the cache with instructions of a CPU: what the compiler makes
//! of loops takes two to four times as long (docs/experiments.md).

/// An element's bits.
///
/// SAFETY of `turn`: from both pointers on there are as many rows of as many elements as a square has,
/// so many bytes apart; they need not be aligned. `to` is the caller's to write and has no element of
/// `from`.
pub(super) trait Bits: Copy {
    /// Elements of a row.
    const SIDE: usize;
    /// Writes row `i`'s element `j` as row `j`'s element `i`.
    unsafe fn turn(from: *const u8, down: isize, to: *mut u8, across: isize);
    fn swap_bytes(self) -> Self;
}

macro_rules! bits {
    ($($bits:ident, $low:ident, $high:ident;)+) => {
        $(
            impl Bits for $bits {
                const SIDE: usize = 16 / size_of::<$bits>();

                #[cfg(target_arch = "x86_64")]
                #[inline(always)]
                unsafe fn turn(from: *const u8, down: isize, to: *mut u8, across: isize) {
                    use std::arch::x86_64::{$high, $low, _mm_loadu_si128, _mm_storeu_si128};
                    const SIDE: usize = <$bits as Bits>::SIDE;
                    // SAFETY: the caller vouches for the memory, and every x86-64 has SSE2.
                    unsafe {
                        let mut rows: [_; SIDE] = std::array::from_fn(|i| {
                            _mm_loadu_si128(from.offset(i as isize * down).cast())
                        });
                        // Riffled like cards, half and half, once for each bit of a row's number:
                        // then the bits of row and column have changed places.
                        for _ in 0..SIDE.ilog2() {
                            rows = std::array::from_fn(|i| {
                                let (a, b) = (rows[i / 2], rows[i / 2 + SIDE / 2]);
                                if i % 2 == 0 { $low(a, b) } else { $high(a, b) }
                            });
                        }
                        for (i, row) in rows.into_iter().enumerate() {
                            _mm_storeu_si128(to.offset(i as isize * across).cast(), row);
                        }
                    }
                }

                #[cfg(not(target_arch = "x86_64"))]
                #[inline(always)]
                unsafe fn turn(from: *const u8, down: isize, to: *mut u8, across: isize) {
                    for i in 0..Self::SIDE {
                        for j in 0..Self::SIDE {
                            let row = from.wrapping_offset(i as isize * down).cast::<$bits>();
                            let turned = to.wrapping_offset(j as isize * across).cast::<$bits>();
                            // SAFETY: the caller vouches for the memory.
                            unsafe { turned.add(i).write_unaligned(row.add(j).read_unaligned()) };
                        }
                    }
                }

                #[inline(always)]
                fn swap_bytes(self) -> Self {
                    <$bits>::swap_bytes(self)
                }
            }
        )+
    };
}

bits! {
    u16, _mm_unpacklo_epi16, _mm_unpackhi_epi16;
    u32, _mm_unpacklo_epi32, _mm_unpackhi_epi32;
    u64, _mm_unpacklo_epi64, _mm_unpackhi_epi64;
}

#[cfg(test)]
mod tests {
    use super::Bits;

    fn turned<T: Bits + From<u8> + PartialEq + std::fmt::Debug>() {
        let (side, size) = (T::SIDE, size_of::<T>());
        // Rows with gaps, backwards in the one.
        let (down, across) = (side + 3, side + 1);
        let from: Vec<T> = (0..side * down).map(|i| T::from(i as u8)).collect();
        let mut to = vec![T::from(255); side * across];
        // SAFETY: there is room for all rows.
        unsafe {
            let last = to.as_mut_ptr().add((side - 1) * across).cast();
            let (down, across) = ((down * size) as isize, (across * size) as isize);
            T::turn(from.as_ptr().cast(), down, last, -across);
        }
        for i in 0..side {
            for j in 0..side {
                assert_eq!(to[(side - 1 - j) * across + i], from[i * down + j], "{i}, {j}");
            }
        }
        let gaps = (0..side).map(|i| to[i * across + side]);
        gaps.for_each(|gap| assert_eq!(gap, T::from(255)));
    }

    #[test]
    fn rows_become_columns() {
        turned::<u16>();
        turned::<u32>();
        turned::<u64>();
    }
}
