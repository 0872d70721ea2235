//! How many threads, and the pool that they live in.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::thread::available_parallelism;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::placement::Placement;
use super::process;

/// More would be a mistake in a program, and an exhausted machine.
const MOST: usize = 1024;

static PROCESS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LOCAL: Cell<usize> = const { Cell::new(0) };
}

/// The CPUs that affinity and cgroup leave us.
pub fn default_count() -> usize {
    static CPUS: OnceLock<usize> = OnceLock::new();
    *CPUS.get_or_init(|| available_parallelism().map_or(1, usize::from).min(MOST))
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

/// Obeys the environment variable `FERROSTEP_NUM_THREADS`.
pub fn init() -> Result<(), String> {
    let Ok(text) = std::env::var("FERROSTEP_NUM_THREADS") else { return Ok(()) };
    match text.trim().parse() {
        Ok(n) if (1..=MOST).contains(&n) => set_process(n),
        _ if text.is_empty() => {}
        _ => {
            return Err(format!(
                "FERROSTEP_NUM_THREADS must be a whole number from 1 to {MOST}, found {text:?}"
            ));
        }
    }
    Ok(())
}

pub(super) struct Pool {
    process: u32,
    workers: usize,
    pub(super) threads: ThreadPool,
    pub(super) placement: Placement,
}

static POOL: AtomicPtr<Pool> = AtomicPtr::new(std::ptr::null_mut());

/// A pool of at least `workers` threads that lives in this process, or None if the system gives
/// no threads. A pool that a fork left without threads, or one too small, is left behind: another
/// thread may be using it.
pub(super) fn pool(workers: usize) -> Option<&'static Pool> {
    let process = process::id();
    loop {
        let found = POOL.load(Ordering::Acquire);
        // SAFETY: what is stored is null or a leaked Box, never freed.
        if let Some(pool) = unsafe { found.as_ref() }
            && pool.process == process
            && pool.workers >= workers
        {
            return Some(pool);
        }
        let builder = ThreadPoolBuilder::new().num_threads(workers);
        let threads = builder.thread_name(|i| format!("ferrostep-{i}")).build().ok()?;
        let placement = Placement::of(&threads);
        let made = Box::into_raw(Box::new(Pool { process, workers, threads, placement }));
        if POOL.compare_exchange(found, made, Ordering::AcqRel, Ordering::Acquire).is_err() {
            // SAFETY: nobody else has seen this pool.
            drop(unsafe { Box::from_raw(made) });
        }
    }
}
