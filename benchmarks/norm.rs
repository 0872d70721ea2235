//! The sum of squares of one float32 array and the search for what is not finite, against a plain
//! read of the same memory by as many threads.
//!
//! `cargo run --release --example norm -- N THREADS` prints milliseconds (median, the three by
//! turns) and the ratio of the floor to each.

#![allow(clippy::expect_used)] // a wrong argument should end the program

use std::hint::black_box;
use std::time::Instant;

use ferrostep::engine::{Arrays, Precision, View};
use ferrostep::number::{Format, Kind};

const ROUNDS: usize = 21;

/// Adds up what is read, as cheaply as reading can be made to happen.
fn read(words: &[u64]) -> u64 {
    let (blocks, rest) = words.as_chunks::<16>();
    let mut sums = [0u64; 16];
    for block in blocks {
        for (sum, word) in sums.iter_mut().zip(block) {
            *sum ^= word;
        }
    }
    sums.iter().chain(rest).fold(0, |all, x| all ^ x)
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse().expect("a whole number"));
    let n: usize = arguments.next().unwrap_or(64_000_000);
    let threads: usize = arguments.next().unwrap_or(2);
    let mut words = vec![0u64; n / 2];
    for (i, word) in words.iter_mut().enumerate() {
        let bits = u64::from((1.0 + i as f32 * 1e-8).to_bits());
        *word = bits << 32 | bits;
    }
    let view = View {
        data: words.as_mut_ptr().cast(),
        format: Format::native(Kind::F32),
        shape: vec![2 * words.len()],
        strides: vec![4],
    };
    let arrays: Arrays = [(view, Precision::F32)].into_iter().collect();
    let workers = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let share = words.len().div_ceil(threads);
    let mut times = [const { Vec::new() }; 3];
    let mut time = |which: usize, work: &dyn Fn()| {
        let start = Instant::now();
        work();
        times[which].push(start.elapsed().as_secs_f64() * 1e3);
    };
    for _ in 0..ROUNDS {
        time(0, &|| {
            workers.broadcast(|worker| {
                let begin = (worker.index() * share).min(words.len());
                black_box(read(&words[begin..(begin + share).min(words.len())]));
            });
        });
        // SAFETY: the words live until the end and nobody writes them.
        time(1, &|| drop(black_box(unsafe { arrays.squares(threads) })));
        // SAFETY: as above.
        time(2, &|| assert_eq!(unsafe { arrays.first_nonfinite(threads) }, None));
    }
    let [floor, norm, finite] = times.each_mut().map(|times| median(times));
    println!("read   {floor:8.3} ms, {:5.1} GB/s", n as f64 * 4e-6 / floor);
    println!("norm   {norm:8.3} ms, {:.3} of the floor's speed", floor / norm);
    println!("finite {finite:8.3} ms, {:.3} of the floor's speed", floor / finite);
}
