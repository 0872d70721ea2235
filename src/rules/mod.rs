//! WHAT is computed: one file per rule, the traits, and the one table that names all rules.
//!
//! A rule is a pure function of one element, generic over its number type; it knows nothing of
//! arrays, threads or Python. Its host half, a [`Method`], turns a group's options into the
//! scalars of step `t`, in float64.

mod adabelief;
mod adadelta;
mod adafactor;
mod adagrad;
mod adam;
mod adamax;
mod adan;
mod adaptive_gains;
mod ademamix;
mod adopt;
mod asgd;
mod averages;
mod cautious;
mod clip;
mod factored;
mod ftrl;
mod lamb;
mod lars;
mod lion;
mod means;
mod measure;
mod method;
mod momentum;
mod muon;
mod nadam;
mod novograd;
mod options;
mod prelude;
mod prodigy;
mod radam;
mod remembered;
mod rmsprop;
mod rprop;
mod rule;
mod scalars;
mod schedule_free;
mod schedule_free_adamw;
mod sgd;
mod signum;
mod sparse_adam;
mod stableadamw;
mod table;
#[cfg(test)]
mod testing;
mod whole;
mod wrappers;
mod yogi;

pub use clip::{clip_factor, clip_scale, norm};
pub use factored::{Extent, by_factors};
pub use means::{Averages, averaged, divisor, entering};
pub use measure::{Added, Finite, GradientNorm, LANES, LEAF, Measure, Scope};
pub use method::{Clock, Factored, MAX_MEMORY, Memory, Method, State};
pub use options::{Declared, Factor, OptionError, Options, Value};
pub use prelude::{Prelude, PreludeOptions};
pub use remembered::{Number, Wanted};
pub use rule::{MAX_STATES, MAX_SUMS, Measuring, Rule, Visitor};
pub use scalars::{MAX_SCALARS, ScalarBlock, Scalars};
pub use sgd::descent;
pub use table::{NAMES, method};
pub use whole::{NewtonSchulz, Whole};
