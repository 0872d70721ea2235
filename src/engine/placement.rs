//! Where the workers run: on the processors that their caller may use, but not on the one it is on.
//!
//! Linux wakes a thread on the processor where it last ran unless it sees another one idle, and on
//! a machine of few it often does not look. A worker that is queued behind its caller begins
//! milliseconds late, while the other processor idles.

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::{MaybeUninit, size_of};
    use std::sync::Mutex;
    use std::thread::{self, ThreadId};
    use std::time::{Duration, Instant};

    use rayon::ThreadPool;

    /// Between two looks at the affinity of a caller that has not changed: to ask for it takes up
    /// to a microsecond.
    const TRUSTED: Duration = Duration::from_millis(1);

    pub(in crate::engine) struct Placement {
        threads: Vec<libc::pid_t>,
        placed: Mutex<Option<Placed>>,
    }

    /// For which caller the workers were placed.
    struct Placed {
        caller: ThreadId,
        processor: libc::c_int,
        affinity: libc::cpu_set_t,
        looked: Instant,
    }

    impl Placement {
        pub(in crate::engine) fn of(pool: &ThreadPool) -> Self {
            // By its number: older C libraries have no function of that name.
            // SAFETY: it has no arguments and cannot fail.
            let id = || unsafe { libc::syscall(libc::SYS_gettid) };
            let threads = pool.broadcast(|_| id() as libc::pid_t);
            Placement { threads, placed: Mutex::new(None) }
        }

        /// Keeps the workers to the affinity of this thread, and off the processor that it is on
        /// unless that is its only one. A change of the affinity is seen within a millisecond; of
        /// several callers at once, the last decides.
        pub(in crate::engine) fn make_way(&self) {
            // Whoever holds the lock is placing the workers.
            let Ok(mut placed) = self.placed.try_lock() else { return };
            let (caller, looked) = (thread::current().id(), Instant::now());
            // SAFETY: it has no arguments; a failure is -1.
            let processor = unsafe { libc::sched_getcpu() };
            let same =
                |placed: &&mut Placed| (placed.caller, placed.processor) == (caller, processor);
            let known = placed.as_mut().filter(same);
            if known.as_ref().is_some_and(|known| looked - known.looked < TRUSTED) {
                return;
            }
            let Some(affinity) = affinity() else { return };
            if let Some(known) = known
                // SAFETY: it reads two sets.
                && unsafe { libc::CPU_EQUAL(&known.affinity, &affinity) }
            {
                known.looked = looked;
                return;
            }
            self.place(processor, affinity);
            *placed = Some(Placed { caller, processor, affinity, looked });
        }

        fn place(&self, processor: libc::c_int, affinity: libc::cpu_set_t) {
            let mut others = affinity;
            if let Ok(processor) = usize::try_from(processor) {
                // SAFETY: the index lies inside the set, or the affinity could not be read.
                unsafe { libc::CPU_CLR(processor, &mut others) };
            }
            // SAFETY: it reads a set.
            let left = unsafe { libc::CPU_COUNT(&others) };
            let others = if left > 0 { others } else { affinity };
            for thread in &self.threads {
                // SAFETY: the set is of the size that is given; the threads are of a pool that
                // lives. Where it is not permitted, they stay where they are.
                unsafe {
                    libc::sched_setaffinity(*thread, size_of_val(&others), &raw const others)
                };
            }
        }
    }

    /// The calling thread's, None on a machine of more processors than a set holds.
    fn affinity() -> Option<libc::cpu_set_t> {
        let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
        let size = size_of::<libc::cpu_set_t>();
        // SAFETY: the set is zeroed, which is a set of none, and of the size that is given.
        unsafe {
            (libc::sched_getaffinity(0, size, set.as_mut_ptr()) == 0).then(|| set.assume_init())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use rayon::ThreadPool;

    pub(in crate::engine) struct Placement;

    impl Placement {
        pub(in crate::engine) fn of(_pool: &ThreadPool) -> Self {
            Placement
        }

        pub(in crate::engine) fn make_way(&self) {}
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::Placement;
#[cfg(target_os = "linux")]
pub(super) use linux::Placement;
