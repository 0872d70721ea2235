//! A STEP: parameters, their state and their options, and the order in which all of it is checked
//! and run.
//!
//! Knows nothing of Python: how arrays are held is a [`Holder`]'s business, and a refusal is a
//! [`Refusal`]. One step:
//!
//! 1. As many gradients as parameters; the state is this process's (`kept`).
//! 2. Every parameter and state array is compared with what it was; what changed is checked (`slot`).
//! 3. If all gradients lie where they lay in the last step, its plan is run again (`repeat`). Else:
//! 4. Each gradient is looked at: its type, shape and place (`part`).
//! 5. Missing state is made and kept aside (`missing`); what was made by foreign code voids 2. and 4.
//! 6. Nothing that is written shares memory with anything else (`overlap`).
//! 7. The gradients' norm is taken, and what is not finite is found, if that is asked for (`measure`).
//! 8. Parts are planned: by the engine (`plan`), or by whatever runs elsewhere (`elsewhere`).
//! 9. Up to here a refusal has changed nothing (`prepare`). Headers are compared once more if foreign
//!    code may have run.
//! 10. New state gets its first values, the plan runs, steps are counted (`commit`).

mod asked;
mod commit;
mod elsewhere;
mod group;
mod header;
mod holder;
mod kept;
mod measure;
mod missing;
mod overlap;
mod part;
mod plan;
mod prepare;
mod refusal;
mod repeat;
mod scales;
mod slot;

pub use asked::{Asked, NonFinite, Norm, Outcome, Skipped};
pub use elsewhere::Elsewhere;
pub use group::{Compiled, Group};
pub use header::{Axes, Header, Place};
pub use holder::Holder;
pub use kept::{Added, Optimizer};
pub use missing::make;
pub use overlap::{Region, check_disjoint, check_heirs, check_new};
pub use part::{Gradient, Part, Step};
pub use prepare::{Prepared, Readiness};
pub use refusal::{Looks, Named, Refusal, Stop, Which};
pub use scales::{Measured, Scales};
pub use slot::{Slot, StateArray};
