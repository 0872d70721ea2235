//! What runs the parts that the engine does not: devices, or another implementation of the rules.

use super::asked::{Asked, Norm};
use super::header::Place;
use super::holder::Holder;
use super::part::Step;
use super::refusal::Stop;
use super::scales::{Measured, Scales};
use super::slot::Slot;
use crate::rules::MAX_SUMS;

/// What some parts have added up, each with its number.
pub type SumsOfParts = Vec<(usize, [f64; MAX_SUMS])>;

/// What multiplies the gradients: the scales, and the whole of them with a norm that lies elsewhere.
pub type Scaling<'a, E> = (&'a Norm<E>, &'a Scales);

/// # Safety
/// As for `Holder`; and `run` writes nothing but the arrays of the step that it was prepared for, and
/// says if foreign code has run.
pub unsafe trait Elsewhere: Holder {
    /// What is kept for it from step to step.
    type Kept: Default;
    /// A norm that lies where it was taken: to ask for it is to wait.
    type Norm;
    /// All that its parts of a step need, ready to run.
    type Work;
    /// Copies of the parameters that are not in host memory.
    type Old;

    /// Whether it runs what lies in this place; the engine runs the rest.
    fn runs(caller: Self::Caller<'_>, place: Place) -> bool;

    /// Begins a step.
    fn begin(kept: &mut Self::Kept);

    /// Writes the first value of a new state that is not in host memory.
    fn fill(caller: Self::Caller<'_>, array: &Self::Held, initial: f64) -> Result<(), Self::Error>;

    /// Copies row `rows[i]` of a state that is not in host memory into row `i` of another, whose row
    /// stays as it is where that is negative.
    fn copy_rows(
        caller: Self::Caller<'_>,
        from: &Self::Held,
        to: &Self::Held,
        rows: &[i64],
    ) -> Result<(), Self::Error>;

    /// The norm of all gradients and their scales, where they are taken as a whole; None if they are
    /// to be folded from the sums of leaves. A norm that is asked for as known stands for its own: it
    /// is no `Elsewhere` then.
    fn norm(
        kept: &mut Self::Kept,
        caller: Self::Caller<'_>,
        step: Step<'_, Self>,
        asked: &Asked,
    ) -> Result<Option<Measured<Self::Norm>>, Self::Error>;

    /// Puts the sums of the leaves of each part that is not in host memory at the part's place.
    fn leaf_sums(
        kept: &mut Self::Kept,
        caller: Self::Caller<'_>,
        step: Step<'_, Self>,
        by_part: &mut [Vec<f64>],
    ) -> Result<(), Self::Error>;

    /// The first part out of host memory whose gradient is not finite.
    fn first_nonfinite(
        kept: &mut Self::Kept,
        caller: Self::Caller<'_>,
        step: Step<'_, Self>,
    ) -> Result<Option<usize>, Self::Error>;

    /// Puts what the leaves of each part that is not in host memory add to sums over all parameters at the
    /// part's place. Waits for it.
    fn terms(
        kept: &mut Self::Kept,
        caller: Self::Caller<'_>,
        step: Step<'_, Self>,
        scaling: Scaling<'_, Self::Norm>,
        by_part: &mut [Vec<[f64; MAX_SUMS]>],
    ) -> Result<(), Stop<Self::Error>>;

    /// Does all that can fail before its parts are run. New state in host memory has its first values.
    /// `sums` has, of a rule that measures all parameters together, by part what is made of its sums.
    fn prepare(
        kept: &mut Self::Kept,
        caller: Self::Caller<'_>,
        step: Step<'_, Self>,
        scaling: Scaling<'_, Self::Norm>,
        sums: &[[f64; MAX_SUMS]],
    ) -> Result<Self::Work, Stop<Self::Error>>;

    /// The sums of parts whose rules remember something of what they measure, each with the number of its
    /// part. Waits for them.
    fn sums(caller: Self::Caller<'_>, work: &Self::Work) -> Result<SumsOfParts, Self::Error>;

    /// Copies the parameters that are not in host memory and that the step moves; None if there are none
    /// out of host memory.
    fn keep(
        kept: &mut Self::Kept,
        caller: Self::Caller<'_>,
        slots: &[Slot<Self>],
        moving: &[bool],
    ) -> Result<Option<Self::Old>, Self::Error>;

    /// Puts, by slot, the sums of the leaves of what was added to those parameters, and of what they
    /// were. Waits for it.
    fn moved(
        kept: &mut Self::Kept,
        caller: Self::Caller<'_>,
        slots: &[Slot<Self>],
        old: Self::Old,
        sums: &mut [Vec<[f64; 2]>],
    ) -> Result<(), Self::Error>;

    /// Whether there is nothing to run.
    fn is_empty(work: &Self::Work) -> bool;

    /// Runs it. True if foreign code has run that may have changed arrays.
    ///
    /// # Safety
    /// All arrays of the step are what they were when it was prepared.
    unsafe fn run(caller: Self::Caller<'_>, work: &Self::Work) -> Result<bool, Self::Error>;
}
