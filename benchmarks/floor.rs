//! The floor of an Adam step: the same streams (parameter, gradient, two states), read and written
//! as often, with almost no arithmetic, through the same plan and threads.
//!
//! `cargo run --release --example floor -- N THREADS` prints microseconds per step (median).

#![allow(clippy::expect_used)] // a wrong input file or argument should end the program

use std::time::Instant;

use ferrostep::engine::{Block, CompileKernel, Kinds, Plan, Precision};
use ferrostep::number::Real;
use ferrostep::rules::{Options, PreludeOptions, Rule, ScalarBlock, Scalars, Value, Visitor};

#[derive(Clone, Copy)]
struct None;

impl<R: Real> Scalars<R> for None {
    const NAMES: &'static [&'static str] = &[];

    fn read(_: impl Fn(usize) -> R) -> Self {
        None
    }
}

struct Touch;

impl Rule<2> for Touch {
    type Scalars<R: Real> = None;

    #[inline(always)]
    fn update<R: Real>(_: &None, p: R, g: R, [m, v]: [R; 2]) -> (R, [R; 2]) {
        (p + g, [m + g, v + g])
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse().expect("a whole number"));
    let n = arguments.next().unwrap_or(40_000_000);
    let threads = arguments.next().unwrap_or(2);
    let options: Options = [
        ("lr", Value::Number(0.0)),
        ("weight_decay", Value::Number(0.0)),
        ("decoupled_weight_decay", Value::Flag(false)),
        ("maximize", Value::Flag(false)),
        ("flush_subnormals", Value::Flag(false)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect();
    let prelude = PreludeOptions::read(&options).expect("complete");
    let mut arrays: Vec<Vec<f32>> = (0..4).map(|i| vec![i as f32 * 1e-6; n]).collect();
    let [p, g, m, v] = [0, 1, 2, 3].map(|i: usize| arrays[i].as_mut_ptr().cast::<u8>());
    let mut plan = Plan::new();
    let block = plan.block(Block::new(ScalarBlock::default(), &prelude, Precision::F32));
    let kernel = CompileKernel.visit::<2, Touch>();
    let kinds = Kinds::native(Precision::F32);
    // SAFETY: four distinct arrays of n elements, alive until the end.
    unsafe { plan.push_dense(kernel, false, block, kinds, p, g, &[m, v], n) }.expect("one type");
    let repeat = (200_000_000 / n.max(1)).clamp(11, 100_001);
    let mut times: Vec<f64> = (0..repeat)
        .map(|_| {
            let start = Instant::now();
            // SAFETY: as above.
            unsafe { plan.run(threads) };
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{:.3}", times[times.len() / 2]);
}
