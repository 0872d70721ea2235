//! Where the workers run: on any processor but the caller's.
//!
//! Linux wakes a thread on the processor where it last ran unless it sees another one idle, and on
//! a machine of few it often does not look. A worker that is queued behind its caller begins
//! milliseconds late, while the other processor idles.

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::{MaybeUninit, size_of};
    use std::sync::atomic::{AtomicI32, Ordering};

    use rayon::ThreadPool;

    pub(in crate::engine) struct Placement {
        threads: Vec<libc::pid_t>,
        /// The processor that they keep off.
        avoided: AtomicI32,
    }

    impl Placement {
        pub(in crate::engine) fn of(pool: &ThreadPool) -> Self {
            // By its number: older C libraries have no function of that name.
            // SAFETY: it has no arguments and cannot fail.
            let id = || unsafe { libc::syscall(libc::SYS_gettid) };
            let threads = pool.broadcast(|_| id() as libc::pid_t);
            Placement { threads, avoided: AtomicI32::new(-1) }
        }

        /// Keeps the workers off the processor that this thread is on.
        pub(in crate::engine) fn make_way(&self) {
            // SAFETY: it has no arguments; a failure is -1, which is never looked up.
            let here = unsafe { libc::sched_getcpu() };
            if here < 0 || self.avoided.swap(here, Ordering::Relaxed) == here {
                return;
            }
            let mut allowed = MaybeUninit::<libc::cpu_set_t>::zeroed();
            let size = size_of::<libc::cpu_set_t>();
            // SAFETY: the set is zeroed, which is a set of none, and of the size that is given; the
            // index lies inside it, or the first call fails. The threads are of a pool that never
            // ends. Where a call is not permitted, they stay where they are.
            unsafe {
                if libc::sched_getaffinity(0, size, allowed.as_mut_ptr()) != 0 {
                    return;
                }
                let mut others = allowed.assume_init();
                libc::CPU_CLR(here as usize, &mut others);
                if libc::CPU_COUNT(&others) > 0 {
                    for thread in &self.threads {
                        libc::sched_setaffinity(*thread, size, &raw const others);
                    }
                }
            }
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
