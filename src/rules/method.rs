//! The host half of a rule: what follows from a group's options.

use super::options::{OptionError, Options};
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

/// Takes `value` for an option whose being zero or not chooses the formula; false if that changes.
pub(super) fn set_factor(option: &mut f64, value: f64) -> bool {
    let same = (*option == 0.0) == (value == 0.0);
    if same {
        *option = value;
    }
    same
}

/// `Method::set` for options that only scalars follow from, and for those that `set_factor` takes.
macro_rules! settable {
    ($($name:literal => $field:ident),+ $(; $($factor:literal => $choosing:ident),+)?) => {
        fn set(&mut self, name: &str, value: f64) -> bool {
            match name {
                $($name => self.$field = value,)+
                $($($factor => return crate::rules::method::set_factor(&mut self.$choosing, value),)+)?
                _ => return false,
            }
            true
        }
    };
}
pub(crate) use settable;

/// One group's options as a rule understands them.
pub trait Method: Send + Sync {
    fn read(options: &Options) -> Result<Self, OptionError>
    where
        Self: Sized;
    /// The state arrays that the options need, in the rule's order.
    fn states(&self) -> Vec<State>;
    /// Takes another number for one option. False, with nothing changed, where more follows from
    /// it than scalars and the states' initial values: then all options are read anew.
    fn set(&mut self, name: &str, value: f64) -> bool;
    /// The scalars of a step, computed in float64; the engine rounds each once.
    fn scalars(&self, clock: Clock) -> ScalarBlock;
    fn formula<V: Visitor>(&self, visitor: V) -> V::Output
    where
        Self: Sized;
}
