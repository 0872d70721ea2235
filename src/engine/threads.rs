//! How many threads, and the pool that they live in.

use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::available_parallelism;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::placement::Placement;
use super::{environment, process};

/// More would be a mistake in a program, and an exhausted machine.
const MOST: usize = 1024;

static PROCESS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LOCAL: Cell<usize> = const { Cell::new(0) };
}

/// What `OMP_NUM_THREADS` allowed when the module was imported.
static OPENMP: AtomicUsize = AtomicUsize::new(MOST);

/// The CPUs that affinity and cgroup leave us, or fewer if OpenMP's libraries are to use fewer.
pub fn default_count() -> usize {
    static CPUS: OnceLock<usize> = OnceLock::new();
    let cpus = *CPUS.get_or_init(|| available_parallelism().map_or(1, usize::from));
    cpus.min(OPENMP.load(Ordering::Relaxed))
}

/// The number for the calling thread: its own, or the process's, or the default.
pub fn count() -> usize {
    match (LOCAL.get(), PROCESS.load(Ordering::Relaxed)) {
        (0, 0) => default_count(),
        (0, process) => process,
        (local, _) => local,
    }
}

/// `n` is at least 1.
pub fn set_process(n: usize) {
    PROCESS.store(n.min(MOST), Ordering::Relaxed);
}

/// Sets or lifts the calling thread's own number, and returns what it was.
pub fn set_local(n: Option<usize>) -> Option<usize> {
    let before = LOCAL.replace(n.unwrap_or(0).min(MOST));
    (before != 0).then_some(before)
}

/// The number for the outermost level in OpenMP's list of numbers, None of what is no such list:
/// that OpenMP ignores too.
fn openmp(list: &str) -> Option<usize> {
    let numbers = list.split(',').map(|number| number.trim().parse().ok().filter(|n| *n > 0));
    numbers.collect::<Option<Vec<_>>>()?.first().copied()
}

/// Obeys the environment variables `FERROSTEP_NUM_THREADS` and `OMP_NUM_THREADS`.
pub fn init() -> Result<(), String> {
    if let Some(n) = environment::text("OMP_NUM_THREADS").ok().flatten().as_deref().and_then(openmp)
    {
        OPENMP.store(n.min(MOST), Ordering::Relaxed);
    }
    let Some(text) = environment::text("FERROSTEP_NUM_THREADS")? else { return Ok(()) };
    match text.trim().parse() {
        Ok(n) if (1..=MOST).contains(&n) => {
            set_process(n);
            Ok(())
        }
        _ => Err(format!(
            "FERROSTEP_NUM_THREADS must be a whole number from 1 to {MOST}, found {text:?}"
        )),
    }
}

pub(super) struct Pool {
    workers: usize,
    pub(super) threads: ThreadPool,
    pub(super) placement: Placement,
}

impl Pool {
    /// None if the system gives no threads.
    fn new(workers: usize) -> Option<Self> {
        let builder = ThreadPoolBuilder::new().num_threads(workers);
        let threads = builder.thread_name(|i| format!("ferrostep-{i}")).build().ok()?;
        let placement = Placement::of(&threads);
        Some(Pool { workers, threads, placement })
    }
}

/// The pool of a process: threads do not survive a fork, and a lock that another thread held stays
/// locked, so that a child has its own and lets its parent's be.
struct Home {
    process: u32,
    pool: Mutex<Option<Arc<Pool>>>,
}

fn home() -> &'static Home {
    static HOME: AtomicPtr<Home> = AtomicPtr::new(std::ptr::null_mut());
    let process = process::id();
    loop {
        let found = HOME.load(Ordering::Acquire);
        // SAFETY: what is stored is null or a leaked Box, never freed.
        if let Some(home) = unsafe { found.as_ref() }
            && home.process == process
        {
            return home;
        }
        let made = Box::into_raw(Box::new(Home { process, pool: Mutex::new(None) }));
        if HOME.compare_exchange(found, made, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: nobody else has seen it.
            drop(unsafe { Box::from_raw(made) });
        }
    }
}

/// A pool of at least `workers` threads, or None if the system gives none. The threads of one that
/// was too small end when the last step that uses them is over.
pub(super) fn pool(workers: usize) -> Option<Arc<Pool>> {
    // What is locked is whole at all times.
    let mut current = home().pool.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = &*current
        && pool.workers >= workers
    {
        return Some(Arc::clone(pool));
    }
    let pool = Arc::new(Pool::new(workers)?);
    *current = Some(Arc::clone(&pool));
    Some(pool)
}

#[cfg(test)]
mod tests {
    use super::openmp;

    #[test]
    fn lists_of_numbers() {
        for (list, wanted) in [
            ("4", Some(4)),
            (" 4 ", Some(4)),
            ("4,2", Some(4)),
            ("2 , 3,1", Some(2)),
            ("", None),
            ("0", None),
            ("-1", None),
            ("4,0", None),
            ("4,", None),
            ("many", None),
            ("2.5", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(openmp(list), wanted, "{list:?}");
        }
    }
}
