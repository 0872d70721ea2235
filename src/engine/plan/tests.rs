#![allow(clippy::unwrap_used)]

use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{DenseTask, Layout, Plan};
use crate::engine::block::Block;
use crate::engine::kernel::{RuleLoops, compile};
use crate::engine::tier;
use crate::engine::view::View;
use crate::number::{Kind, Kinds, Precision};
use crate::rules::{Clock, Memory, Options, PreludeOptions, Value};

/// Momentum, its loops, and a block of its first step.
fn momentum() -> (RuleLoops, Block) {
    let options: Options = [("lr", 0.1), ("momentum", 0.9), ("weight_decay", 0.0)]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::Number(value)))
        .chain(
            ["nesterov", "maximize", "flush_subnormals", "decoupled_weight_decay"]
                .map(|name| (name.to_owned(), Value::Flag(false))),
        )
        .collect();
    let (method, kernel) = compile("Momentum", &options).unwrap();
    let prelude = PreludeOptions::read(&options, &*method).unwrap();
    let memory = Memory::first(&method.memory());
    let scalars = method.scalars(Clock { t: 1, fresh: true, kind: Kind::F32, memory });
    (kernel, Block::new(scalars, &prelude, Precision::F32))
}

/// Plans momentum in float16 on addresses that nobody reads.
#[test]
#[cfg_attr(miri, ignore)] // the addresses belong to nothing
fn lengths_beyond_32_bits() {
    let _tier = tier::IN_TESTS.lock().unwrap_or_else(PoisonError::into_inner);
    let (kernel, block) = momentum();
    let kind = Kind::F16;
    for len in [(1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 32) + 70, 1usize << 40] {
        let at = |i: usize| (1usize << 44) * (i + 1);
        let mut plan = Plan::new();
        let block = plan.block(block).unwrap();
        let view = |i: usize| View::line(at(i) as *mut u8, kind, len);
        // SAFETY: the plan is never run.
        unsafe { plan.push(kernel, false, block, &view(0), &view(1), &[view(2)]) }.unwrap();
        let kinds = Kinds { p: kind, g: kind, state: kind };
        let (p, state) = (at(3) as *mut u8, at(4) as *mut u8);
        let states = std::iter::once(state);
        let prepared = DenseTask::new(kernel, false, plan.tier, kinds, p, states, len).unwrap();
        // SAFETY: as above.
        unsafe { plan.push_dense(&prepared, block, at(5) as *const u8) }.unwrap();
        assert_eq!((plan.elements, plan.bytes), (2 * len, 2 * len * 10));
        for (task, first) in plan.tasks.iter().zip([0, 3]) {
            let Layout::Dense(_, kinds, dense) = &task.layout else { panic!("not in place") };
            // SAFETY: nothing is read there.
            let part = unsafe { dense.part(*kinds, len - 3..len) };
            let last = |i: usize| at(i) + (len - 3) * kind.size();
            assert_eq!(part.len, 3);
            assert_eq!(
                (part.p as usize, part.g as usize),
                match first {
                    0 => (last(0), last(1)),
                    _ => (last(3), last(5)),
                }
            );
            assert_eq!(part.states[0] as usize, last(if first == 0 { 2 } else { 4 }));
        }
    }
}

/// Rows that are run in place need a loop for what is stored, which not every tier has.
#[test]
#[cfg_attr(miri, ignore)] // the addresses belong to nothing
fn the_tier_that_another_thread_forces_is_that_of_later_plans() {
    let _tier = tier::IN_TESTS.lock().unwrap_or_else(PoisonError::into_inner);
    let (widest, (kernel, block)) = (tier::current(), momentum());
    let view = |i: usize, rows: usize| View {
        shape: [rows, 100].into_iter().collect(),
        strides: [if rows == 1 { 200 } else { 256 }, 2].into_iter().collect(),
        ..View::line(((1usize << 44) * (i + 1)) as *mut u8, Kind::F16, 100)
    };
    let push = |plan: &mut Plan, rows: usize| {
        let block = plan.block(block).unwrap();
        let [p, g, state] = [0, 1, 2].map(|i| view(i, rows));
        // SAFETY: the plan is never run.
        unsafe { plan.push(kernel, false, block, &p, &g, &[state]) }
    };
    let mut plan = Plan::new();
    tier::force(tier::available()[0]).unwrap();
    push(&mut plan, 1).unwrap();
    tier::force(widest).unwrap();
    let kinds = Kinds { p: Kind::F16, g: Kind::F16, state: Kind::F16 };
    let has_loop = kernel.select(kinds, false, tier::index());
    assert_eq!(matches!(plan.tasks[0].layout, Layout::Dense(..)), has_loop.is_some());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                tier::available().into_iter().for_each(|name| tier::force(name).unwrap());
            }
        });
        let failed = (0..20_000).find(|_| push(&mut Plan::new(), 2).is_err());
        done.store(true, Ordering::Relaxed);
        assert_eq!(failed, None);
    });
    tier::force(widest).unwrap();
}
