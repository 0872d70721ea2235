//! The parts of a step: one for each parameter that has a gradient.

use smallvec::SmallVec;

use super::group::Group;
use super::header::{Header, Place};
use super::holder::Holder;
use super::refusal::{Looks, Named, Refusal, Stop, Which};
use super::rows::{AddedUp, Rows, check_place};
use super::slot::{Slot, StateArray, in_order};
use crate::engine::View;
use crate::engine::memory::with_room;
use crate::number::Kind;
use crate::rules::{Clock, MAX_STATES, Memory};

/// Where a gradient lies.
#[allow(clippy::large_enum_variant)] // in no box of its own, which cannot say that there is no memory
pub enum Gradient<H: Holder> {
    /// It can run in place beside its parameter, from this address on.
    InPlace(usize, Kind),
    AnyLayout(H::Header),
    /// It has some rows of the parameter alone, and is no longer where it lay.
    Rows(Rows<H>),
}

impl<H: Holder> Gradient<H> {
    pub fn view(&self, parameter: &Header) -> View {
        match self {
            Gradient::InPlace(data, kind) => parameter.view_at(*data, *kind),
            Gradient::AnyLayout(header) => header.view(),
            Gradient::Rows(rows) => rows.view(parameter),
        }
    }
}

pub struct Part<H: Holder> {
    pub slot: usize,
    pub gradient: H::Held,
    pub place: Gradient<H>,
    /// State that the slot lacks, made for this step and kept aside.
    pub made: Vec<StateArray<H>>,
    /// What the rule remembers after the step, if it remembers anything.
    pub memory: Option<Memory>,
}

impl<H: Holder> Part<H> {
    /// The header of the gradient as it is held, if the engine does not run it in place.
    pub fn apart(&self) -> Option<&H::Header> {
        match &self.place {
            Gradient::AnyLayout(header) => Some(header),
            Gradient::Rows(Rows { values: AddedUp::Elsewhere(header), .. }) => Some(header),
            Gradient::InPlace(..) | Gradient::Rows(_) => None,
        }
    }
}

/// What a step is of.
pub struct Step<'a, H: Holder> {
    pub slots: &'a [Slot<H>],
    pub groups: &'a [Group],
    pub parts: &'a [Part<H>],
}

impl<H: Holder> Clone for Step<'_, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H: Holder> Copy for Step<'_, H> {}

impl<'a, H: Holder> Step<'a, H> {
    pub fn slot(&self, part: &Part<H>) -> &'a Slot<H> {
        &self.slots[part.slot]
    }

    pub fn group(&self, part: &Part<H>) -> &'a Group {
        &self.groups[self.slot(part).group]
    }

    pub fn clock(&self, part: &Part<H>) -> Clock {
        self.slot(part).clock(&self.group(part).compiled, !part.made.is_empty())
    }

    /// All states that the parameter has in this step.
    pub fn all_states(&self, part: &'a Part<H>) -> impl Iterator<Item = &'a StateArray<H>> + Clone {
        self.slot(part).states.iter().chain(&part.made)
    }

    /// Those of the rule, in its order.
    pub fn states(&self, part: &'a Part<H>) -> SmallVec<[&'a StateArray<H>; MAX_STATES]> {
        let formula = self.group(part).compiled.of(&self.slot(part).header.shape);
        in_order(&formula.states, self.all_states(part)).collect()
    }
}

/// The parts of all parameters that have a gradient, each gradient of the right type and shape. There are
/// as many gradients as parameters.
pub(super) fn parts<'a, H: Holder>(
    caller: H::Caller<'_>,
    slots: &[Slot<H>],
    gradients: impl IntoIterator<Item = Option<H::Given<'a>>>,
) -> Result<Vec<Part<H>>, Stop<H::Error>> {
    let mut parts = with_room(slots.len())?;
    for (i, gradient) in gradients.into_iter().enumerate() {
        let Some(gradient) = gradient else { continue };
        let beside = H::beside(caller, &slots[i].header, &gradient);
        let rows = if beside.is_none() { H::rows(&gradient) } else { None };
        let mut gradient = H::hold(gradient);
        let place = match (beside, rows) {
            (Some((data, kind)), _) => Gradient::InPlace(data, kind),
            (None, None) => any_layout(caller, &slots[i], i, &gradient)?,
            (None, Some(rows)) => {
                Gradient::Rows(Rows::of(caller, &slots[i], i, rows, &mut gradient)?)
            }
        };
        parts.push(Part { slot: i, gradient, place, made: Vec::new(), memory: None });
    }
    Ok(parts)
}

/// The slots that are in no part, each with its number. Parts are in the order of slots.
pub(super) fn still<'a, H: Holder>(
    slots: &'a [Slot<H>],
    parts: &'a [Part<H>],
) -> impl Iterator<Item = (usize, &'a Slot<H>)> {
    let mut parts = parts.iter().map(|part| part.slot).peekable();
    slots.iter().enumerate().filter(move |(i, _)| parts.next_if_eq(i).is_none())
}

/// Looks at the gradients again, but for rows, whose values were taken.
pub(super) fn find_again<H: Holder>(
    caller: H::Caller<'_>,
    slots: &[Slot<H>],
    parts: &mut [Part<H>],
) -> Result<(), Stop<H::Error>> {
    for part in parts.iter_mut().filter(|part| !matches!(part.place, Gradient::Rows(_))) {
        let slot = &slots[part.slot];
        part.place = match H::held_beside(caller, &slot.header, &part.gradient) {
            Some((data, kind)) => Gradient::InPlace(data, kind),
            None => any_layout(caller, slot, part.slot, &part.gradient)?,
        };
    }
    Ok(())
}

/// Where a gradient lies that does not run in place in C order.
fn any_layout<H: Holder>(
    caller: H::Caller<'_>,
    slot: &Slot<H>,
    i: usize,
    gradient: &H::Held,
) -> Result<Gradient<H>, Stop<H::Error>> {
    let header = H::read(caller, gradient, Named::Gradient(i)).map_err(Stop::Holder)?;
    check_place(i, &header, &slot.header)?;
    if header.shape != slot.header.shape {
        let (found, wanted) = (Looks::of(&header), Looks::of(&slot.header));
        return Err(Refusal::looks(Which::Gradient(i), found, wanted).into());
    }
    Ok(Gradient::AnyLayout(header))
}

/// Refuses what is no longer as it was checked. Whatever may run foreign code comes before this, and
/// nothing between this and the writing: a signal's handler, a callback or another thread may have
/// resized or replaced what the plan points to. To look at a device's array may run some too, so host
/// memory comes last.
pub(super) fn check_unchanged<H: Holder>(
    caller: H::Caller<'_>,
    slots: &[Slot<H>],
    parts: &[Part<H>],
) -> Result<(), Refusal> {
    for host in [false, true] {
        let here = |slot: &Slot<H>| (slot.header.place == Place::Host) == host;
        let changed = |slot: &Slot<H>| here(slot) && !slot.is_unchanged(caller);
        if let Some(i) = slots.iter().position(changed) {
            return Err(Refusal::ChangedMeanwhile(Which::Parameter(i)));
        }
        for part in parts.iter().filter(|part| here(&slots[part.slot])) {
            check_part(caller, &slots[part.slot], part)?;
        }
    }
    Ok(())
}

fn check_part<H: Holder>(
    caller: H::Caller<'_>,
    slot: &Slot<H>,
    part: &Part<H>,
) -> Result<(), Refusal> {
    let still = match &part.place {
        Gradient::InPlace(data, kind) => {
            H::held_beside(caller, &slot.header, &part.gradient) == Some((*data, *kind))
        }
        Gradient::AnyLayout(header) => H::is_unchanged(caller, &part.gradient, header),
        Gradient::Rows(_) => true,
    };
    if !still {
        return Err(Refusal::ChangedMeanwhile(Which::Gradient(part.slot)));
    }
    let same = |state: &StateArray<H>| H::is_unchanged(caller, &state.array, &state.header);
    match part.made.iter().all(same) {
        true => Ok(()),
        false => Err(Refusal::ChangedMeanwhile(Which::Parameter(part.slot))),
    }
}
