//! Which process this is, without a system call at each step: a fork changes a number that we keep.
//!
//! A fork takes no threads along and leaves locks as they were, so a pool and a lock must know.

#[cfg(unix)]
mod forks {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static FORKS: AtomicU32 = AtomicU32::new(0);

    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn id() -> u32 {
        static COUNTED: OnceLock<bool> = OnceLock::new();
        // SAFETY: the handler touches one atomic, which is allowed in a forked child, and this
        // module is never unloaded.
        let counted = COUNTED
            .get_or_init(|| unsafe { libc::pthread_atfork(None, None, Some(in_child)) } == 0);
        if *counted { FORKS.load(Ordering::Relaxed) } else { std::process::id() }
    }
}

#[cfg(not(unix))]
mod forks {
    pub(super) fn id() -> u32 {
        0
    }
}

/// A number that differs from every ancestor's.
pub fn id() -> u32 {
    forks::id()
}
