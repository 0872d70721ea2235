//! WHAT is computed: one file per rule. Here are the traits and the one table that names them all.
//!
//! A rule is a pure function of one element, generic over its number type; it knows nothing of
//! arrays, threads or Python. Its host half, a [`Method`], turns a group's options into the
//! scalars of step `t`, in float64.

mod adadelta;
mod adagrad;
mod adam;
mod adaptive_gains;
mod measure;
mod momentum;
mod options;
mod prelude;
mod rmsprop;
mod rprop;
mod scalars;
mod sgd;
#[cfg(test)]
mod testing;

pub use measure::{LANES, LEAF};
pub use options::{OptionError, Options, Value};
pub use prelude::{Prelude, PreludeOptions};
pub(crate) use scalars::scalars;
pub use scalars::{MAX_SCALARS, ScalarBlock, Scalars};

use crate::number::Real;

/// The most state arrays a rule may have.
pub const MAX_STATES: usize = 3;

/// An update rule with `N` state arrays.
pub trait Rule<const N: usize>: 'static {
    type Scalars<R: Real>: Scalars<R>;
    /// What the formula calls its states: names in a printed kernel.
    const STATES: [&'static str; N];

    /// The new parameter and the new state, from the old ones and the gradient.
    fn update<R: Real>(k: &Self::Scalars<R>, p: R, g: R, state: [R; N]) -> (R, [R; N]);
}

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

/// Receives the rule that a method's options choose. The engine takes its compiled loops from
/// it; whatever else evaluates rules (a tracer) implements this too.
pub trait Visitor {
    type Output;
    fn visit<const N: usize, U: Rule<N>>(self) -> Self::Output;
}

impl<A: Visitor, B: Visitor> Visitor for (A, B) {
    type Output = (A::Output, B::Output);

    fn visit<const N: usize, U: Rule<N>>(self) -> Self::Output {
        (self.0.visit::<N, U>(), self.1.visit::<N, U>())
    }
}

/// Takes `value` for an option whose being zero or not chooses the formula; false if that changes.
fn set_factor(option: &mut f64, value: f64) -> bool {
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
                $($($factor => return crate::rules::set_factor(&mut self.$choosing, value),)+)?
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

macro_rules! table {
    ($($name:literal => $method:ty,)+) => {
        /// The name of every rule.
        pub const NAMES: &[&str] = &[$($name),+];

        /// The method called `name`, and what `visitor` makes of its rule.
        pub fn method<V: Visitor>(
            name: &str,
            options: &Options,
            visitor: V,
        ) -> Result<(Box<dyn Method>, V::Output), OptionError> {
            match name {
                $($name => {
                    let method = <$method>::read(options)?;
                    let output = method.formula(visitor);
                    Ok((Box::new(method), output))
                })+
                _ => Err(OptionError::UnknownRule(name.to_owned())),
            }
        }
    };
}

table! {
    "SGD" => sgd::Sgd,
    "Momentum" => momentum::Momentum,
    "AdaptiveGains" => adaptive_gains::AdaptiveGains,
    "Rprop" => rprop::Rprop,
    "RMSprop" => rmsprop::RmsProp,
    "Adagrad" => adagrad::Adagrad,
    "Adadelta" => adadelta::Adadelta,
    "Adam" => adam::Adam,
}
