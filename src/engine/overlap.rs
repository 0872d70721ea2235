//! The memory that a step writes, to find what else overlaps it.

use std::ops::Range;

use super::memory::{OutOfMemory, try_collect};

/// Written intervals by their start, each with its owner and the furthest end so far.
#[derive(Debug, Default)]
pub struct Written {
    intervals: Vec<(Range<usize>, usize, usize)>,
}

impl Written {
    pub fn new(mut intervals: Vec<(Range<usize>, usize)>) -> Result<Self, OutOfMemory> {
        intervals.sort_unstable_by_key(|(range, _)| range.start);
        let mut furthest = 0;
        let intervals = intervals.into_iter().map(|(range, owner)| {
            furthest = furthest.max(range.end);
            (range, owner, furthest)
        });
        Ok(Written { intervals: try_collect(intervals)? })
    }

    /// The owners of the intervals that intersect `range`.
    pub fn hits(&self, range: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        let end = self.intervals.partition_point(|(written, ..)| written.start < range.end);
        let before = self.intervals[..end].iter().rev();
        before
            .take_while(move |(_, _, furthest)| *furthest > range.start)
            .filter(move |(written, ..)| written.end > range.start)
            .map(|(_, owner, _)| *owner)
    }
}

/// The numbers of the first two arrays that `share` says have a byte in common, of those whose extents
/// intersect. `extents` are in the order of their numbers; those below `known` are not held against
/// each other.
pub fn first_shared(
    extents: Vec<(Range<usize>, usize)>,
    known: usize,
    share: impl Fn(usize, usize) -> bool,
) -> Result<Option<(usize, usize)>, OutOfMemory> {
    let later = extents.partition_point(|(_, number)| *number < known);
    let later = try_collect(extents[later..].iter().cloned())?;
    let written = Written::new(extents)?;
    Ok(later.into_iter().find_map(|(range, number)| {
        let before = written.hits(range).filter(|other| *other < number);
        before.filter(|other| share(*other, number)).min().map(|other| (other, number))
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Written, first_shared};

    #[test]
    fn the_first_two_that_share() {
        let extents = || vec![(0..100, 0), (50..60, 1), (100..120, 2), (110..130, 3)];
        let share = |known| first_shared(extents(), known, |a, b| (a, b) != (0, 1)).unwrap();
        assert_eq!(share(0), Some((2, 3)));
        assert_eq!(share(3), Some((2, 3)));
        assert_eq!(share(4), None);
        assert_eq!(first_shared(extents(), 0, |_, _| true).unwrap(), Some((0, 1)));
        assert_eq!(first_shared(extents(), 2, |_, _| true).unwrap(), Some((2, 3)));
    }

    #[test]
    fn finds_all_and_only_what_intersects() {
        let written = Written::new(vec![(50..60, 2), (0..100, 0), (100..120, 1)]).unwrap();
        let mut hits: Vec<_> = written.hits(55..101).collect();
        hits.sort_unstable();
        assert_eq!(hits, [0, 1, 2]);
        assert_eq!(written.hits(60..61).collect::<Vec<_>>(), [0]);
        assert_eq!(written.hits(120..130).count(), 0);
        assert_eq!(Written::default().hits(0..10).count(), 0);
    }
}
