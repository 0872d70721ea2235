//! Adam on one parameter, its arrays stored in other types than float32: how much faster a step is.
//!
//! `cargo run --release --example storage -- N THREADS` prints for each combination of types
//! (parameter, gradient, states) microseconds per step (median) and how many times faster than
//! float32 that is. The combinations take turns, so that a noisy machine is noisy to all.

#![allow(clippy::expect_used)] // a wrong argument should end the program

use std::time::Instant;

use ferrostep::engine::{Block, ControlGuard, Kinds, Plan, Precision, compile};
use ferrostep::number::Kind::{self, BF16, F16, F32, F64};
use ferrostep::rules::{Clock, Options, PreludeOptions, Value};

const COMBINATIONS: [[Kind; 3]; 11] = [
    [F32, F32, F32],
    [F32, F32, BF16],
    [F32, F32, F16],
    [F32, BF16, F32],
    [F32, F16, F32],
    [BF16, BF16, F32],
    [F16, F16, F32],
    [BF16, BF16, BF16],
    [F16, F16, F16],
    [F32, F64, F32],
    [F16, F16, BF16], // has no loop of its own: through the tile
];

/// Numbers like 0.01 in this kind.
fn fill(kind: Kind, n: usize) -> Vec<u64> {
    let pattern = match kind {
        F16 => 0x211F_211F_211F_211F,
        BF16 => 0x3C24_3C24_3C24_3C24,
        F32 => 0x3C23_D70A_3C23_D70A,
        F64 => 0x3F84_7AE1_47AE_147B,
    };
    vec![pattern; (n * kind.size()).div_ceil(8)]
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse().expect("a whole number"));
    let n: usize = arguments.next().unwrap_or(60_000_000);
    let threads = arguments.next().unwrap_or(2);
    let options: Options = [
        ("lr", Value::Number(1e-6)),
        ("weight_decay", Value::Number(0.0)),
        ("decoupled_weight_decay", Value::Flag(false)),
        ("maximize", Value::Flag(false)),
        ("flush_subnormals", Value::Flag(false)),
        ("betas", Value::Pair(0.9, 0.999)),
        ("eps", Value::Number(1e-8)),
        ("amsgrad", Value::Flag(false)),
        ("bias_correction", Value::Flag(true)),
        ("epsilon_hat", Value::Flag(false)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect();
    let prelude = PreludeOptions::read(&options).expect("complete");
    let (method, kernel) = compile("Adam", &options).expect("complete");
    let scalars = method.scalars(Clock { t: 10, fresh: false });
    let rounds = (2_000_000_000 / n.max(1)).clamp(7, 2001);
    let _control = ControlGuard::new();
    for kinds in COMBINATIONS {
        // Large arrays of all combinations would not fit beside each other: float32 takes turns
        // with each of the others.
        let mut plans = Vec::new();
        let mut memory = Vec::new();
        for [p, g, state] in [COMBINATIONS[0], kinds] {
            let mut arrays = [p, g, state, state].map(|kind| fill(kind, n));
            let [p_at, g_at, m, v] = arrays.each_mut().map(|array| array.as_mut_ptr().cast());
            let mut plan = Plan::new();
            let block = plan.block(Block::new(scalars, &prelude, Precision::F32));
            let kinds = Kinds { p, g, state };
            // SAFETY: four distinct arrays of n elements, kept until the runs are over.
            unsafe { plan.push_dense(kernel, false, block, kinds, p_at, g_at, &[m, v], n) }
                .expect("the contract allows these kinds");
            memory.push(arrays);
            plans.push(plan);
        }
        let mut times = Vec::new();
        for _ in 0..rounds {
            let round: Vec<f64> = plans
                .iter()
                .map(|plan| {
                    let start = Instant::now();
                    // SAFETY: as above.
                    unsafe { plan.run(threads) };
                    start.elapsed().as_secs_f64() * 1e6
                })
                .collect();
            times.push((round[0], round[1]));
        }
        drop(memory);
        let median = |mut all: Vec<f64>| {
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        let float32 = median(times.iter().map(|(float32, _)| *float32).collect());
        let this = median(times.iter().map(|(_, this)| *this).collect());
        println!("{kinds:?}  {this:10.1} us  {:.2}x", float32 / this);
    }
}
