//! Runs a rule on one number in float64: for the worked-number tests of the rule files.

#![allow(clippy::expect_used)]

use super::measure::{Added, Scope};
use super::method::{Clock, Memory};
use super::options::Options;
pub(super) use super::options::Value;
use super::prelude::{Prelude, PreludeOptions};
use super::rule::{MAX_SUMS, Measuring, Rule, Visitor};
use super::scalars::{ScalarBlock, Scalars};
use super::table::method;
use crate::number::Kind;

type Step = fn(&ScalarBlock, f64, f64, &mut [f64]) -> f64;
/// The sums of the tensor that has one element.
type Sums = fn(&ScalarBlock, f64, f64, &[f64]) -> [f64; MAX_SUMS];
/// The scalars that follow, from sums and what is remembered of them.
type Measured = fn(ScalarBlock, [f64; MAX_SUMS], &Memory) -> ScalarBlock;

struct Evaluate;

impl Visitor for Evaluate {
    type Output = (Step, Sums, Measured);

    fn visit<const N: usize, U: Rule<N>>(self) -> (Step, Sums, Measured) {
        let step: Step = |block, p, g, state| {
            let k = U::Scalars::<f64>::read(|i| block[i]);
            let old: [f64; N] = std::array::from_fn(|i| state[i]);
            let (p, new) = U::update(&k, p, g, old);
            state.copy_from_slice(&new);
            p
        };
        (step, |_, _, _, _| [0.0; MAX_SUMS], |block, _, _| block)
    }

    fn visit_measuring<const N: usize, const M: usize, U: Measuring<N, M>>(
        self,
    ) -> (Step, Sums, Measured) {
        let sums: Sums = |block, p, g, state| {
            let k = U::Scalars::<f64>::read(|i| block[i]);
            let terms = U::terms(&k, p, g, std::array::from_fn(|i| state[i]));
            let mut sums = [0.0; MAX_SUMS];
            for (sum, (term, added)) in sums.iter_mut().zip(terms.into_iter().zip(U::ADDED)) {
                *sum = if added == Added::Squared { term * term } else { term };
            }
            sums
        };
        let measured: Measured = |mut block, sums, memory| {
            let k = U::Scalars::<f64>::read(|i| block[i]);
            let given: &[f64] = if U::SCOPE == Scope::All { &memory.0 } else { &sums };
            let taken = std::array::from_fn(|m| given[m]);
            U::measured(k, taken, 1.0).write(|i, value| block[i] = value);
            block
        };
        (self.visit::<N, U>().0, sums, measured)
    }
}

/// The parameter after each step, and the state at the end.
pub(super) fn run(
    name: &str,
    options: &[(&'static str, Value)],
    mut p: f64,
    gradients: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    let shared = [
        ("weight_decay", Value::Number(0.0)),
        ("decoupled_weight_decay", Value::Flag(false)),
        ("maximize", Value::Flag(false)),
        ("flush_subnormals", Value::Flag(false)),
    ];
    let options: Options = shared
        .into_iter()
        .chain(options.iter().cloned())
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let (method, (step, sums, measured)) =
        method(name, &options, Evaluate).expect("the options are complete");
    let prelude: Prelude<f64> =
        PreludeOptions::read(&options, &*method).expect("complete").scalars(0.0);
    assert_eq!((prelude.grad_scale, prelude.keep), (1.0, 1.0));
    let mut state: Vec<f64> = method.states().iter().map(|state| state.initial).collect();
    let mut path = Vec::new();
    let mut memory = Memory::first(&method.memory());
    for (i, &g) in gradients.iter().enumerate() {
        let clock = Clock { t: i as u64 + 1, fresh: i == 0, kind: Kind::F64, memory };
        let scalars = method.scalars(clock);
        let sums = sums(&scalars, p, g, &state);
        memory = method.remember(clock, &sums);
        p = step(&measured(scalars, sums, &memory), p, g, &mut state);
        path.push(p);
    }
    (path, state)
}

pub(super) fn close(found: f64, wanted: f64) {
    assert!((found - wanted).abs() <= 1e-15 * wanted.abs().max(1.0), "{found} is not {wanted}");
}
