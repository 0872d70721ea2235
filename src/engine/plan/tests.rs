#![allow(clippy::unwrap_used)]

use std::sync::PoisonError;

use super::{DenseTask, Layout, Plan};
use crate::engine::block::Block;
use crate::engine::kernel::compile;
use crate::engine::tier;
use crate::engine::view::View;
use crate::number::{Kind, Kinds, Precision};
use crate::rules::{Clock, Memory, Options, PreludeOptions, Value};

/// Plans momentum in float16 on addresses that nobody reads.
#[test]
#[cfg_attr(miri, ignore)] // the addresses belong to nothing
fn lengths_beyond_32_bits() {
    let _tier = tier::IN_TESTS.lock().unwrap_or_else(PoisonError::into_inner);
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
    let kind = Kind::F16;
    for len in [(1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 32) + 70, 1usize << 40] {
        let at = |i: usize| (1usize << 44) * (i + 1);
        let mut plan = Plan::new();
        let scalars = method.scalars(Clock {
            t: 1,
            fresh: true,
            kind: Kind::F32,
            memory: Memory::first(&method.memory()),
        });
        let block = plan.block(Block::new(scalars, &prelude, Precision::F32)).unwrap();
        let view = |i: usize| View::line(at(i) as *mut u8, kind, len);
        // SAFETY: the plan is never run.
        unsafe { plan.push(kernel, false, block, &view(0), &view(1), &[view(2)]) }.unwrap();
        let kinds = Kinds { p: kind, g: kind, state: kind };
        let (p, state) = (at(3) as *mut u8, at(4) as *mut u8);
        let states = std::iter::once(state);
        let prepared = DenseTask::new(kernel, false, kinds, p, states, len).unwrap();
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
