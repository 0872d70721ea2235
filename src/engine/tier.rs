//! Which SIMD instructions the loops use: chosen once, or forced for a test.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::environment;

/// The tiers of this architecture, widest last. On aarch64 the baseline has NEON.
#[cfg(target_arch = "x86_64")]
pub(super) const NAMES: [&str; 3] = ["portable", "avx2", "avx512"];
#[cfg(target_arch = "aarch64")]
pub(super) const NAMES: [&str; 1] = ["neon"];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) const NAMES: [&str; 1] = ["portable"];

/// Unit tests share a process: those that force a tier, or depend on the one in use, hold this.
#[cfg(test)]
pub(super) static IN_TESTS: std::sync::Mutex<()> = std::sync::Mutex::new(());

const UNKNOWN: usize = usize::MAX;
static CURRENT: AtomicUsize = AtomicUsize::new(UNKNOWN);

/// How many of the tiers this CPU has.
#[cfg(target_arch = "x86_64")]
fn count() -> usize {
    // Every CPU with the one has the other, but for one that nobody computes on.
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq");
    1 + usize::from(avx2) + usize::from(avx2 && avx512)
}

#[cfg(not(target_arch = "x86_64"))]
fn count() -> usize {
    1
}

/// The index of the tier in use: never above what the CPU has.
pub fn index() -> usize {
    match CURRENT.load(Ordering::Relaxed) {
        UNKNOWN => {
            let widest = count() - 1;
            CURRENT.store(widest, Ordering::Relaxed);
            widest
        }
        index => index,
    }
}

pub fn available() -> Vec<&'static str> {
    NAMES[..count()].to_vec()
}

pub fn current() -> &'static str {
    NAMES[index()]
}

/// Uses the tier called `name` from now on, in the whole process.
pub fn force(name: &str) -> Result<(), String> {
    take("the SIMD tier", name)
}

fn take(what: &str, name: &str) -> Result<(), String> {
    let place = available().iter().position(|tier| *tier == name);
    let index = place.ok_or_else(|| {
        format!("{what} must be one that this CPU has ({}), found {name:?}", available().join(", "))
    })?;
    CURRENT.store(index, Ordering::Relaxed);
    Ok(())
}

/// Obeys the environment variable `FERROSTEP_SIMD`.
pub fn init() -> Result<(), String> {
    match environment::text("FERROSTEP_SIMD")? {
        Some(name) => take("FERROSTEP_SIMD", &name),
        None => Ok(()),
    }
}
