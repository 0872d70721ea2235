//! One piece of work, cut up for the threads.
//!
//! Every thread has a share, the same one at each step, so that a core meets the memory that is in
//! its cache. A share is taken in pieces. An idle thread takes pieces that nobody began, from the far
//! end, so that nobody waits for a thread that still sleeps or whose core is busy. Nothing that is
//! computed depends on who computes it.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};

use super::threads;

/// Below this traffic two threads that were awake gain less than waking one that sleeps costs the
/// caller: some 8 microseconds.
const PARALLEL_BYTES: usize = 1024 * 1024;

/// A piece moves about this much, so that beginning it costs nothing beside it.
const PIECE_BYTES: usize = 64 * 1024;

/// The most pieces that a share is cut into: what is waited for at the end is at most one of them.
const MOST_PIECES: usize = 8;

/// How often the caller looks whether the others are ready before it sleeps: some 30 microseconds
/// on a Zen 3 core. To be woken takes longer.
const SPINS: usize = 2000;

/// Calls `work` on ranges that together make up `0..units`, on up to `most` threads.
pub(super) fn run(units: usize, bytes: usize, most: usize, work: impl Fn(Range<usize>) + Sync) {
    let shares = if bytes < PARALLEL_BYTES { 1 } else { most.min(units).max(1) };
    let pool = if shares > 1 { threads::pool(shares - 1) } else { None };
    let Some(pool) = pool else { return work(0..units) };
    pool.placement.make_way();
    let pieces = (bytes / shares / PIECE_BYTES).clamp(1, MOST_PIECES);
    let work: &(dyn Fn(Range<usize>) + Sync) = &work;
    let job = Arc::new(Job {
        // SAFETY: only the lifetime changes; `take` says why none outlives it.
        work: unsafe { std::mem::transmute::<*const (dyn Fn(Range<usize>) + Sync), Work>(work) },
        units,
        pieces,
        taken: (0..shares * pieces).map(|_| AtomicBool::new(false)).collect(),
        left: AtomicUsize::new(shares * pieces),
        failed: AtomicBool::new(false),
        caller: thread::current(),
    });
    let theirs = Arc::clone(&job);
    pool.threads.spawn_broadcast(move |worker| {
        if worker.index() + 1 < shares && theirs.take(worker.index() + 1) {
            theirs.caller.unpark();
        }
    });
    job.take(0);
    job.wait();
}

type Work = *const (dyn Fn(Range<usize>) + Sync + 'static);

struct Job {
    /// Of the caller, who waits until all pieces are done.
    work: Work,
    units: usize,
    /// Of each share.
    pieces: usize,
    taken: Box<[AtomicBool]>,
    left: AtomicUsize,
    failed: AtomicBool,
    caller: Thread,
}

// SAFETY: `work` is the only member that is not Send or Sync; what it points to is Sync, and `take`
// says when it is read.
unsafe impl Send for Job {}
// SAFETY: as above.
unsafe impl Sync for Job {}

impl Job {
    /// Runs pieces, the thread's own first, until none is left. Whether the last to be ready was
    /// among them.
    fn take(&self, share: usize) -> bool {
        let own = share * self.pieces..(share + 1) * self.pieces;
        let others = (0..self.taken.len()).rev().filter(|piece| !own.contains(piece));
        let mut last = false;
        for piece in own.clone().chain(others) {
            if self.taken[piece].swap(true, Ordering::Relaxed) {
                continue;
            }
            // SAFETY: this thread has just taken a piece, so `left` is not 0 and the caller, in `run`,
            // is before or in `wait`: no panic passes between the two, since this catches them all.
            let run = AssertUnwindSafe(|| unsafe {
                (*self.work)(self.cut(piece)..self.cut(piece + 1));
            });
            if catch_unwind(run).is_err() {
                self.failed.store(true, Ordering::Relaxed);
            }
            // Release: who sees 0 sees what was written.
            last = self.left.fetch_sub(1, Ordering::Release) == 1;
        }
        last
    }

    fn cut(&self, piece: usize) -> usize {
        (self.units as u128 * piece as u128 / self.taken.len() as u128) as usize
    }

    /// Returns when all pieces are done.
    fn wait(&self) {
        let ready = || self.left.load(Ordering::Acquire) == 0;
        for _ in 0..SPINS {
            if ready() {
                break;
            }
            std::hint::spin_loop();
        }
        while !ready() {
            thread::park();
        }
        assert!(!self.failed.load(Ordering::Relaxed), "a thread failed in the middle of its work");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::run;

    #[test]
    fn every_unit_is_worked_on_once_also_after_the_number_of_threads_changed() {
        for (threads, units) in [(1, 1000), (2, 1000), (7, 1000), (3, 2), (7, 3), (2, 0)] {
            let calls: Vec<_> = (0..units).map(|_| AtomicUsize::new(0)).collect();
            run(units, 1 << 24, threads, |range| {
                calls[range].iter().for_each(|calls| {
                    calls.fetch_add(1, Ordering::Relaxed);
                });
            });
            assert!(calls.iter().all(|calls| calls.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn more_units_than_32_bits_hold() {
        for units in [(1 << 32) - 1, 1 << 32, (1usize << 40) + 3] {
            let ranges = std::sync::Mutex::new(Vec::new());
            run(units, 10 * units, 3, |range| ranges.lock().unwrap().push(range));
            let mut ranges = ranges.into_inner().unwrap();
            ranges.sort_by_key(|range| range.start);
            assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, units));
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert_eq!(ranges.len(), 3 * super::MOST_PIECES);
        }
    }

    #[test]
    fn who_is_late_is_not_waited_for() {
        // The caller is slow in its first piece only: the other thread has all the rest meanwhile.
        let caller = std::thread::current().id();
        let by_caller = AtomicUsize::new(0);
        run(64, 1 << 24, 2, |range| {
            if std::thread::current().id() == caller {
                by_caller.fetch_add(range.len(), Ordering::Relaxed);
                std::thread::sleep(std::time::Duration::from_secs(1));
            }
        });
        assert!(by_caller.into_inner() < 32);
    }

    #[test]
    fn a_failure_reaches_the_caller_when_all_are_ready() {
        let failed = std::panic::catch_unwind(|| {
            run(64, 1 << 24, 2, |range| assert!(!range.contains(&63)));
        });
        assert!(failed.is_err());
    }
}
