//! Every combination of storage types, several rules: arrays in place, arrays through the tile, and
//! a model of one element in plain Rust, with the crate `half` for the 16-bit types, agree to the
//! bit at every SIMD tier and thread count.

#![allow(clippy::expect_used, clippy::unwrap_used)] // a failed test is what they are for

#[path = "support/model.rs"]
mod model;
#[path = "support/table.rs"]
mod table;

use ferrostep::engine::{Block, DenseTask, Plan, View, is_dense, tier};
use ferrostep::number::{Kind, Kinds, Precision};
use ferrostep::rules::Value;
use model::{Case, Layout, values};
use table::Given;

const LENGTHS: [usize; 7] = [0, 1, 7, 63, 257, 1025, 40_001];

fn named(name: &str) -> Given {
    let mut cases = table::cases().into_iter();
    cases.find(|case| case.name == name).unwrap_or_else(|| panic!("no case is called {name}"))
}

fn adam() -> Case {
    Case::new(&named("Adam()"))
}

fn sgd() -> Case {
    Case::new(&named("SGD(lr=0.1,momentum=0.9)").with(&[("weight_decay", Value::Number(0.1))]))
}

/// Every class with its defaults, and what takes a path of its own beside it.
fn cases() -> Vec<(String, Case)> {
    let flag = |name| (name, Value::Flag(true));
    let decay = || ("weight_decay", Value::Number(0.1));
    let mut given = table::classes();
    given.extend([
        named("SGD(lr=0.1)").with(&[decay()]),
        named("SGD(lr=0.1,momentum=0.9)").with(&[decay()]),
        named("Adam()").with(&[decay(), flag("decoupled_weight_decay"), flag("flush_subnormals")]),
        named("Adam()").with(&[flag("amsgrad")]),
    ]);
    given.into_iter().map(|given| (given.name.clone(), Case::new(&given))).collect()
}

fn check(name: &str, case: &Case, kinds: &[Kind], lengths: &[usize], threads: &[usize]) {
    for &len in lengths {
        let old: Vec<_> = (1..).zip(kinds).map(|(a, k)| values(*k, len, 97 * a)).collect();
        let expected = case.expected(kinds, &old);
        for tier in tier::available() {
            tier::force(tier).expect("it is available");
            for layout in [Layout::Prepared, Layout::Dense, Layout::Strided] {
                let mixed = kinds[2..].windows(2).any(|pair| pair[0] != pair[1]);
                if mixed && layout == Layout::Prepared {
                    continue; // it takes states of one kind
                }
                for &threads in threads {
                    let found = case.found(kinds, &old, threads, layout);
                    for (a, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        let wrong = (0..len).find(|&i| found[i] != expected[i]);
                        assert!(
                            wrong.is_none(),
                            "{name} {kinds:?} {tier} {layout:?} {threads} threads, array {a}, \
                             element {wrong:?} of {len}: {:#x} is not {:#x}",
                            found[wrong.unwrap_or(0)],
                            expected[wrong.unwrap_or(0)]
                        );
                    }
                }
            }
        }
    }
}

/// One test, since the tier is the process's.
#[test]
fn all_kinds_agree_with_the_model() {
    let narrow = [Kind::F32, Kind::F16, Kind::BF16];
    let all = [Kind::F64, Kind::F32, Kind::F16, Kind::BF16];
    for (name, case) in cases() {
        for g in all {
            let wide: Vec<_> =
                [Kind::F64, g].into_iter().chain(vec![Kind::F64; case.states]).collect();
            check(&name, &case, &wide, &LENGTHS[..6], &[1]);
            for p in narrow {
                for state in narrow {
                    let kinds: Vec<_> =
                        [p, g].into_iter().chain(vec![state; case.states]).collect();
                    check(&name, &case, &kinds, &LENGTHS[..6], &[1]);
                }
            }
        }
        // Long enough for more than one thread.
        let long = vec![Kind::F32; 2 + case.states];
        check(&name, &case, &long, &LENGTHS[6..], &[1, 2, 7]);
        let long = vec![Kind::F16; 2 + case.states];
        check(&name, &case, &long, &[90_001], &[1, 2, 7]);
        let mut long = vec![Kind::BF16; 2 + case.states];
        long[0] = Kind::F32;
        check(&name, &case, &long, &[70_001], &[1, 2, 7]);
    }
    // States of several kinds.
    let adam = adam();
    check("Adam", &adam, &[Kind::F32, Kind::F64, Kind::BF16, Kind::F32], &LENGTHS, &[1, 2]);
    check("Adam", &adam, &[Kind::BF16, Kind::F32, Kind::F32, Kind::F16], &LENGTHS, &[1, 2]);
}

/// Order of axes, and strides that are equal in elements though not in bytes.
#[test]
fn fortran_order_with_other_item_sizes_is_dense() {
    let view = |kind: Kind, strides: [isize; 2]| {
        let mut view = View::line(4096 as *mut u8, kind, 0);
        view.shape = vec![3, 5].into();
        view.strides = strides.map(|stride| stride * kind.size() as isize).to_vec().into();
        view
    };
    let (p, g, m) = (Kind::F32, Kind::F64, Kind::BF16);
    for order in [[5, 1], [1, 3]] {
        assert!(is_dense(&[&view(p, order), &view(g, order), &view(m, order)]));
    }
    assert!(!is_dense(&[&view(p, [5, 1]), &view(g, [5, 1]), &view(m, [1, 3])]));
    let mixed = [view(p, [5, 1]), view(g, [5, 1]), view(m, [5, 1]), view(p, [5, 1])];
    assert!(!is_dense(&mixed.each_ref()));
}

#[test]
fn states_that_cannot_hold_the_results_are_refused() {
    let sgd = sgd();
    let kind = [(Kind::F64, Kind::F32), (Kind::F32, Kind::F64), (Kind::F64, Kind::BF16)];
    for (p, state) in kind {
        let mut plan = Plan::new();
        let block = plan.block(Block::new(sgd.scalars, &sgd.prelude, Precision::of(p))).unwrap();
        let mut memory = [0u64; 3];
        let views = [p, p, state].map(|kind| View::line(memory.as_mut_ptr().cast(), kind, 1));
        let kinds = Kinds { p, g: p, state };
        let [p, g, m] = &views;
        // SAFETY: nothing is run.
        unsafe {
            plan.push(sgd.kernel, false, block, p, g, std::slice::from_ref(m)).unwrap_err();
        }
        let state = std::iter::once(m.data);
        assert!(
            DenseTask::new(sgd.kernel, false, tier::index(), kinds, p.data, state, 1).is_none()
        );
        assert_eq!(plan.bytes(), 0);
    }
}

#[test]
fn bytes_are_counted_by_each_array() {
    let adam = adam();
    let mut plan = Plan::new();
    let block = plan.block(Block::new(adam.scalars, &adam.prelude, Precision::F32)).unwrap();
    let mut memory = [0u64; 40];
    let view = |kind| View::line(memory.as_mut_ptr().cast(), kind, 10);
    let [p, g, m, v] = [Kind::F32, Kind::F64, Kind::BF16, Kind::BF16].map(view);
    // SAFETY: nothing is run.
    unsafe { plan.push(adam.kernel, false, block, &p, &g, &[m, v]) }.unwrap();
    assert_eq!(plan.bytes(), 10 * (2 * 4 + 8 + 2 * 2 * 2));
}
