//! The host half of a rule: what follows from a group's options.

use super::options::Declared;
use super::rule::Visitor;
use super::scalars::ScalarBlock;

/// A state array: its name in Python, and the value that it starts with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    pub name: &'static str,
    pub initial: f64,
}

/// Where a parameter stands: `t` counts its steps from 1; `fresh` if a state array was made for
/// this very step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Clock {
    pub t: u64,
    pub fresh: bool,
}

/// One group's options as a rule understands them.
pub trait Method: Declared + Send + Sync {
    /// The state arrays that the options need, in the rule's order.
    fn states(&self) -> Vec<State>;
    /// The scalars of a step, computed in float64; the engine rounds each once.
    fn scalars(&self, clock: Clock) -> ScalarBlock;
    fn formula<V: Visitor>(&self, visitor: V) -> V::Output
    where
        Self: Sized;
}
