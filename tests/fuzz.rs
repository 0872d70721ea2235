//! A short run of what the fuzz targets check, on random bytes instead of a fuzzer's.

#[allow(dead_code, unreachable_pub)] // a library of its own, for cargo-fuzz
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::sync::{Mutex, PoisonError};

use arbitrary::Unstructured;

/// A target forces SIMD tiers, which are the process's: while one test plans, none may choose another.
static TIER: Mutex<()> = Mutex::new(());

/// Inputs of all lengths up to 2 KiB; how many had enough bytes for a whole check.
fn checked(run: fn(&mut Unstructured<'_>) -> arbitrary::Result<()>, inputs: usize) -> usize {
    let _alone = TIER.lock().unwrap_or_else(PoisonError::into_inner);
    let mut state = 20_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    let mut whole = 0;
    for _ in 0..inputs {
        let len = next() as usize % 2048;
        // Small numbers choose what is usual: half of the bytes are small.
        let bytes: Vec<u8> = (0..len)
            .map(|_| if next() % 2 == 0 { next() as u8 } else { (next() % 4) as u8 })
            .collect();
        whole += usize::from(run(&mut Unstructured::new(&bytes)).is_ok());
    }
    whole
}

#[test]
fn steps() {
    assert!(checked(targets::step::run, 1500) > 500);
}

#[test]
fn plans() {
    assert!(checked(targets::plan::run, 2000) > 1000);
}

#[test]
fn reductions() {
    assert!(checked(targets::reductions::run, 3000) > 1500);
}

#[test]
fn memory() {
    assert!(checked(targets::memory::run, 10_000) > 5000);
}
