//! A STEP: parameters, their state and their options, and the order in which all of it is checked
//! and run.
//!
//! Knows nothing of Python: how arrays are held is a [`Holder`]'s business, and a refusal is a
//! [`Refusal`]. Foreign code is whatever a holder calls that is not ours: a factory of state, say.
//! One step:
//!
//! 1. There must be as many gradients as parameters, and state of this process, not of one before a
//!    fork (`kept`).
//! 2. Every parameter and state array is compared with what it was; what changed is checked again
//!    (`slot`).
//! 3. If nothing but numbers can have changed since the last step, its plan runs again (`repeat`).
//!    Otherwise:
//! 4. Each gradient is checked: its type, shape and place (`part`). Values of rows are added up
//!    (`rows`).
//! 5. Missing state is allocated and kept aside (`missing`). Foreign code may have run, so 2 and 4 are
//!    repeated.
//! 6. Nothing that is written may share memory with anything else (`overlap`).
//! 7. If asked for, the norm of the gradients is taken and the first one that is not finite is found
//!    (`measure`).
//! 8. What the engine runs is planned (`plan`); the rest is prepared by whatever runs it
//!    (`elsewhere`).
//! 9. Up to here an error has changed nothing (`prepare`). If foreign code may have run, headers are
//!    compared again.
//! 10. New state in host memory gets its first values, the plan runs, and steps are counted (`commit`).

mod alone;
mod anew;
mod asked;
mod away;
mod commit;
mod elsewhere;
mod factors;
mod group;
mod header;
mod holder;
mod initial;
mod kept;
mod last;
mod measure;
mod missing;
mod moved;
mod overlap;
mod part;
mod plan;
mod prepare;
mod refusal;
mod repeat;
mod replace;
mod rows;
mod scales;
mod slot;
mod slots;
mod sums;
mod whole;

pub use alone::Alone;
pub use anew::Anew;
pub use asked::{Asked, Gradients, Move, Moves, NonFinite, Norm, Outcome, Skipped};
pub use elsewhere::{Elsewhere, Scaling, SumsOfParts};
pub use group::{Compiled, Formula, Group};
pub use header::{Axes, Header, Place};
pub use holder::Holder;
pub use kept::{AddedSlots, Optimizer};
pub use missing::make;
pub use overlap::{WrittenArray, check_disjoint, check_heirs, check_new};
pub use part::{Gradient, Part, Step};
pub use prepare::Prepared;
pub use refusal::{Cause, Looks, Named, Refusal, Stop, Which};
pub use rows::{AddedUp, Rows};
pub use scales::{Measured, Scales};
pub use slot::{Slot, StateArray, check_same};
