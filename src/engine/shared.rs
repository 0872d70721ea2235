//! Whether two arrays have a byte in common, exactly: arrays whose extents intersect need not.
//!
//! The bytes of an array are `data + s1*i1 + s2*i2 + ...` over all indexes, the byte within an
//! element being an index too. Counted from the lowest byte of one array up and from the highest of
//! the other down, a byte in common is a solution of
//!
//! ```text
//! s1*x1 + s2*x2 + ... = distance,   0 <= xi <= mi
//! ```
//!
//! with the strides of both arrays on the left. Terms whose multiples lie without gaps in those of
//! another become part of it, so that slices of one array leave few. The largest stride is tried
//! first, with those multiples alone that leave a rest within reach of the smaller strides and
//! divisible by what divides all of them; of two terms the first such multiple is the answer.

use std::ops::Range;

use smallvec::SmallVec;

use super::view::View;

/// Where an array lies: its first element's address, an element's size, and by axis a length and
/// a stride in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Region<I> {
    pub data: usize,
    pub size: usize,
    pub axes: I,
}

/// Multiples that are tried before the question is given up, after some milliseconds.
/// Slices of one array take none or a handful. What takes more has strides made for it: the
/// question is a knapsack problem, for which nothing is known that is always quick.
const MOST_TRIED: u32 = 100_000;

/// As many axes as two of NumPy's arrays can have; more would go to the heap.
const MOST_TERMS: usize = 2 * 64;

impl View {
    pub fn region(&self) -> Region<impl Iterator<Item = (usize, isize)> + Clone + '_> {
        let axes = self.shape.iter().copied().zip(self.strides.iter().copied());
        Region { data: self.data as usize, size: self.format.kind.size(), axes }
    }
}

impl<I: Iterator<Item = (usize, isize)> + Clone> Region<I> {
    /// The addresses between the first and the last byte; None if there is none.
    pub fn extent(&self) -> Option<Range<usize>> {
        Reach::of(self).map(|reach| reach.lowest..reach.highest + 1)
    }
}

/// Whether two views have a byte in common; where that is too hard to tell, they have.
pub fn share_memory(a: &View, b: &View) -> bool {
    share_bytes(a.region(), b.region())
}

/// Whether two arrays have a byte in common; where that is too hard to tell, they have.
pub fn share_bytes(
    a: Region<impl Iterator<Item = (usize, isize)> + Clone>,
    b: Region<impl Iterator<Item = (usize, isize)> + Clone>,
) -> bool {
    let (Some(from), Some(to)) = (Reach::of(&a), Reach::of(&b)) else { return false };
    if from.highest < to.lowest || to.highest < from.lowest {
        return false;
    }
    // Elements are aligned as a rule, and then nothing finer than their size makes a difference.
    let apart = from.lowest.abs_diff(to.lowest);
    let unit = (from.bits | to.bits | apart).trailing_zeros();
    let mut levels = Levels::new();
    let bytes = (a.size >> unit) - 1 + (b.size >> unit) - 1;
    if bytes > 0 {
        levels.push(Level::new(1, bytes));
    }
    for (n, stride) in a.axes.chain(b.axes).filter(|(n, stride)| *n > 1 && *stride != 0) {
        levels.push(Level::new(stride.unsigned_abs() >> unit, n - 1));
    }
    order(&mut levels);
    // To the last unit, not to its last byte.
    let distance = (to.highest - from.lowest) >> unit;
    solvable(&levels, distance, &mut { MOST_TRIED })
}

/// The lowest and the highest byte of an array.
struct Reach {
    lowest: usize,
    highest: usize,
    /// The element's size and all strides, one over the other.
    bits: usize,
}

impl Reach {
    /// None if the array has no bytes. No array in memory comes near the bounds of the numbers.
    fn of(region: &Region<impl Iterator<Item = (usize, isize)> + Clone>) -> Option<Self> {
        let Region { data, size, ref axes } = *region;
        let (mut lowest, mut highest, mut bits) = (data, data.saturating_add(size), size);
        for (n, stride) in axes.clone() {
            let span = n.checked_sub(1)?.saturating_mul(stride.unsigned_abs());
            if stride < 0 {
                lowest = lowest.saturating_sub(span);
            } else {
                highest = highest.saturating_add(span);
            }
            if n > 1 {
                bits |= stride as usize;
            }
        }
        (size > 0).then_some(Reach { lowest, highest: highest - 1, bits })
    }
}

/// A term, and what is known of it together with all of smaller stride.
#[derive(Clone, Copy, Debug)]
struct Level {
    stride: usize,
    most: usize,
    /// The largest sum, or more than any distance.
    reach: usize,
    /// The greatest common divisor of the strides.
    divisor: usize,
    /// If a multiple leaves what the smaller strides divide, so does every `period`-th.
    period: usize,
    /// The inverse of `stride / divisor` modulo the period.
    inverse: usize,
}

type Levels = SmallVec<[Level; MOST_TERMS]>;

impl Level {
    /// The multiples of a stride, from 0 times to `most` times.
    fn new(stride: usize, most: usize) -> Self {
        Level { stride, most, reach: 0, divisor: 0, period: 1, inverse: 0 }
    }

    /// Takes over the multiples of a stride that is not smaller, if its own reach from each to the
    /// next.
    fn take(&mut self, Level { stride, most, .. }: Level) -> bool {
        let times = stride / self.stride;
        let fits = times * self.stride == stride && self.most >= times - 1;
        if fits {
            self.most = self.most.saturating_add(times.saturating_mul(most));
        }
        fits
    }
}

/// Makes of terms as few as can be, of growing strides, and finds what is to be known of each.
fn order(levels: &mut Levels) {
    levels.sort_unstable_by_key(|level| level.stride);
    let mut kept = 0;
    for i in 0..levels.len() {
        let level = levels[i];
        if !levels[..kept].iter_mut().any(|smaller| smaller.take(level)) {
            levels[kept] = level;
            kept += 1;
        }
    }
    levels.truncate(kept);
    let (mut reach, mut below) = (0usize, 0);
    for level in levels {
        reach = reach.saturating_add(level.stride.saturating_mul(level.most));
        level.reach = reach;
        (level.divisor, level.inverse) = divisor(level.stride, below);
        level.period = if below == 0 { 1 } else { below / level.divisor };
        below = level.divisor;
    }
}

/// The greatest common divisor of `a` and `modulus`, and the inverse of `a / divisor` modulo
/// `modulus / divisor`.
fn divisor(a: usize, modulus: usize) -> (usize, usize) {
    if modulus == 0 {
        return (a, 0);
    }
    // Euclid's algorithm with one of its two factors: each remainder is that factor times `a`,
    // modulo `modulus`. Signs alternate, and magnitudes stay below the modulus.
    let (mut old, mut now) = ((modulus, 0usize), (a % modulus, 1usize));
    let mut negative = false;
    while now.0 != 0 {
        let quotient = old.0 / now.0;
        (old, now) = (now, (old.0 % now.0, old.1 + quotient * now.1));
        negative = !negative;
    }
    let period = modulus / old.0;
    let factor = old.1 % period;
    // After an odd number of divisions the factor is positive.
    (old.0, if negative || factor == 0 { factor } else { period - factor })
}

/// Whether the distance is a sum of terms. `left` counts the multiples that may still be tried;
/// when there are none, it is taken for one.
fn solvable(levels: &[Level], distance: usize, left: &mut u32) -> bool {
    let Some((level, smaller)) = levels.split_last() else { return distance == 0 };
    if distance > level.reach || !distance.is_multiple_of(level.divisor) {
        return false;
    }
    let Some(next) = smaller.last() else { return true };
    let lowest = distance.saturating_sub(next.reach).div_ceil(level.stride);
    let highest = (distance / level.stride).min(level.most);
    let mut multiple = lowest + level.ahead(distance, lowest);
    while multiple <= highest {
        if *left == 0 {
            return true;
        }
        *left -= 1;
        if solvable(smaller, distance - multiple * level.stride, left) {
            return true;
        }
        multiple += level.period;
    }
    false
}

impl Level {
    /// How far it is from `multiple` to the next one that leaves what the smaller strides divide.
    fn ahead(&self, distance: usize, multiple: usize) -> usize {
        if self.period == 1 {
            return 0;
        }
        let period = self.period as u128;
        let wanted = (distance / self.divisor) as u128 % period * self.inverse as u128 % period;
        let ahead = wanted + period - multiple as u128 % period;
        (ahead % period) as usize
    }
}

#[cfg(test)]
mod tests;
