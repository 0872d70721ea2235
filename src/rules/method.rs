//! The host half of a rule: what follows from a group's options.

use super::factored::Extent;
use super::means::Averages;
use super::options::Declared;
use super::remembered::Number;
use super::rule::{MAX_SUMS, Visitor};
use super::scalars::ScalarBlock;
use super::whole::Whole;
use crate::number::Kind;

/// A state array: its name in Python, and the value that it starts with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    pub name: &'static str,
    pub initial: f64,
}

/// The most numbers that a rule may remember.
pub const MAX_MEMORY: usize = 3;

/// What a rule remembers of a parameter beside its arrays, in the order of [`Method::memory`]; the
/// rest is 0. It is compared by its bits, since it says whether two parameters have scalars in common.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory(pub [f64; MAX_MEMORY]);

impl Memory {
    /// What is remembered before the first step.
    pub fn first(numbers: &[Number]) -> Self {
        let mut memory = Memory::default();
        for (place, number) in memory.0.iter_mut().zip(numbers) {
            *place = number.initial;
        }
        memory
    }

    fn bits(self) -> [u64; MAX_MEMORY] {
        self.0.map(f64::to_bits)
    }
}

impl PartialEq for Memory {
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Memory {}

impl std::hash::Hash for Memory {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

/// Where a parameter stands before a step: `t` counts its steps from 1, this one too; `fresh` if a
/// state array was made for this very step. `kind` is the parameter's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clock {
    pub t: u64,
    pub fresh: bool,
    pub kind: Kind,
    pub memory: Memory,
}

/// What a method has that keeps factors of matrices; its formula is for all other parameters.
pub trait Factored {
    fn factors(&self) -> [(State, Extent); 2];
    fn averages(&self, clock: Clock) -> Averages;
}

/// One group's options as a rule understands them.
pub trait Method: Declared + Send + Sync {
    /// The state arrays that the options need, in the rule's order.
    fn states(&self) -> Vec<State>;

    /// The numbers that the rule remembers of each parameter, whatever its options. They are state like
    /// the step count, in float64 on the host.
    fn memory(&self) -> Vec<Number> {
        Vec::new()
    }

    /// The scalars of a step, computed in float64; the engine rounds each once.
    fn scalars(&self, clock: Clock) -> ScalarBlock;

    /// What the rule remembers after that step, of a rule that measures with the sums that it took.
    fn remember(&self, clock: Clock, _sums: &[f64; MAX_SUMS]) -> Memory {
        clock.memory
    }

    /// None of a rule whose formula is all of the update.
    fn whole(&self) -> Option<&dyn Whole> {
        None
    }

    /// None of a rule that keeps no factors of matrices.
    fn factored(&self) -> Option<&dyn Factored> {
        None
    }

    /// Whether something of the sums is remembered. No scalar of the terms hangs on what is remembered then,
    /// so that tensors that differ in it are measured together.
    fn remembers_sums(&self) -> bool {
        false
    }

    fn formula<V: Visitor>(&self, visitor: V) -> V::Output
    where
        Self: Sized;

    /// The place of the number that is 1 while the parameter is the average of where steps have led, and not
    /// what they are made from; None of a rule that keeps no such average. One that does needs whole
    /// gradients, since it moves all rows.
    fn averaged(&self) -> Option<usize> {
        None
    }

    /// The weight decay, where it is the rule's own business; None where it is the prelude's.
    fn decays(&self) -> Option<f64> {
        None
    }
}
