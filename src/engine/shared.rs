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
mod tests {
    use super::{Level, Levels, MOST_TRIED, Region, divisor, order, share_bytes, solvable};

    type Axes = Vec<(usize, isize)>;

    fn shared(a: &(usize, usize, Axes), b: &(usize, usize, Axes)) -> bool {
        let region = |(data, size, axes): &(usize, usize, Axes)| Region {
            data: *data,
            size: *size,
            axes: axes.clone().into_iter(),
        };
        let found = share_bytes(region(a), region(b));
        assert_eq!(found, share_bytes(region(b), region(a)), "{a:?} and {b:?}");
        found
    }

    /// All bytes of an array.
    fn bytes((data, size, axes): &(usize, usize, Axes)) -> Vec<usize> {
        let mut places = vec![*data as isize];
        for &(n, stride) in axes {
            let along = |place: &isize| (0..n as isize).map(move |i| place + i * stride).collect();
            places = places.iter().flat_map::<Vec<_>, _>(along).collect();
        }
        places.iter().flat_map(|place| (0..*size).map(move |i| *place as usize + i)).collect()
    }

    #[test]
    fn against_the_set_of_all_bytes() {
        let mut state = 7u64;
        let mut below = move |n: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % n
        };
        let mut counts = [0, 0];
        for trial in 0..60_000 {
            let aligned = if below(2) == 0 { 4 } else { 1 };
            let mut array = || {
                let axes = (0..below(4)).map(|_| {
                    let stride = below(80 / aligned) as isize - 40 / aligned as isize;
                    (below(6) + usize::from(trial % 16 != 0), stride * aligned as isize)
                });
                let axes: Axes = axes.collect();
                let size = aligned * (below(3) + 1);
                (10_000 + below(160 / aligned) * aligned, size, axes)
            };
            let (a, b) = (array(), array());
            let (in_a, in_b) = (bytes(&a), bytes(&b));
            let wanted = in_a.iter().any(|byte| in_b.contains(byte));
            assert_eq!(shared(&a, &b), wanted, "{a:?} and {b:?}");
            counts[usize::from(wanted)] += 1;
        }
        assert!(counts.iter().all(|count| *count > 10_000), "{counts:?}");
    }

    #[test]
    fn slices_of_large_arrays() {
        // Columns of a matrix, every second row, planes of a cube, forwards and backwards.
        let column = |i: usize| (4096 + 4 * i, 4, vec![(1 << 30, 8000)]);
        assert!(!shared(&column(0), &column(1)));
        assert!(shared(&column(7), &column(7)));
        let reversed = (4096 + 4 * 7 + 8000 * 999, 4, vec![(1000, -8000)]);
        assert!(shared(&column(7), &reversed));
        assert!(!shared(&column(8), &reversed));
        let every = |n: isize, from: usize| (4096 + 8 * from, 8, vec![(1 << 40, 8 * n)]);
        assert!(!shared(&every(2, 0), &every(2, 1)));
        assert!(shared(&every(2, 0), &every(3, 1)));
        assert!(!shared(&every(6, 0), &every(4, 3)));
        let block = |i: usize, j: usize| {
            (4096 + 64_000 * i + 8 * j, 8, vec![(1 << 20, 64_000 * 100), (100, 64_000), (100, 8)])
        };
        assert!(!shared(&block(0, 0), &block(0, 100)));
        assert!(shared(&block(0, 0), &block(0, 99)));
        assert!(!shared(&(4096, 2, vec![(9, 3)]), &(4098, 1, vec![(8, 3)])));
    }

    #[test]
    fn without_bytes_or_without_strides() {
        let scalar = (4096, 8, vec![]);
        assert!(shared(&scalar, &scalar));
        assert!(shared(&scalar, &(4103, 2, vec![(1 << 62, 0), (1, 12345)])));
        assert!(!shared(&scalar, &(4104, 2, vec![(1 << 62, 0)])));
        assert!(!shared(&scalar, &(4096, 8, vec![(3, 8), (0, 8)])));
        // No such array exists; it must end all the same.
        shared(&(usize::MAX, 8, vec![(usize::MAX, isize::MAX); 3]), &(0, 8, vec![(9, isize::MIN)]));
    }

    #[test]
    fn a_knapsack_is_given_up() {
        let primes = [1_000_003, 1_000_033, 1_000_037, 1_000_039, 1_000_081, 1_000_099, 1_000_117];
        let mut levels: Levels = primes.iter().map(|&stride| Level::new(stride, 40)).collect();
        order(&mut levels);
        let mut left = MOST_TRIED;
        assert!(solvable(&levels, primes.iter().sum::<usize>() * 20 + 1, &mut left));
        assert_eq!(left, 0);
    }

    #[test]
    fn inverses() {
        for modulus in 1..60usize {
            for a in 0..130usize {
                let (divisor, inverse) = divisor(a, modulus);
                let gcd = (1..=modulus).rev().find(|d| a % d == 0 && modulus % d == 0);
                assert_eq!(Some(divisor), gcd, "{a}, {modulus}");
                let period = modulus / divisor;
                assert_eq!(a / divisor * inverse % period, 1 % period, "{a}, {modulus}");
            }
        }
    }
}
