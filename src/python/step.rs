//! The parts of a step: what is checked before anything is written, and the run itself.

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use smallvec::SmallVec;

use super::array::{Array, Header, Place, shape_text};
use super::compiled::Compiled;
use super::gradients::Arrays;
use super::group::Group;
use super::memory;
use super::planned::Blocks;
use super::slot::Slot;
use super::state::{Grown, Maker};
use crate::engine::memory::with_room;
use crate::engine::{ControlGuard, Plan, Unplanned, View, threads};
use crate::number::Kind;
use crate::rules::MAX_STATES;

/// Below this the step is shorter than giving the interpreter away and taking it back.
const DETACH_BYTES: usize = 128 * 1024;

/// Where a gradient lies.
#[allow(clippy::large_enum_variant)]
pub(super) enum Gradient {
    /// It can run in place beside its parameter, from this address on.
    InPlace(usize, Kind),
    /// In no box of its own: a box cannot say that there is no memory for it.
    Elsewhere(Header),
}

impl Gradient {
    pub(super) fn view(&self, beside: &Header) -> View {
        match self {
            Gradient::InPlace(data, kind) => beside.view_at(*data, *kind),
            Gradient::Elsewhere(header) => header.view(),
        }
    }
}

/// One parameter's part in a step.
pub(super) struct Part<'py> {
    pub(super) slot: usize,
    pub(super) gradient: Array<'py>,
    pub(super) fresh: bool,
    pub(super) place: Gradient,
}

/// The parts of all parameters that have a gradient, each gradient of the right type and shape.
pub(super) fn parts<'py>(slots: &[Slot], grads: Arrays<'py>) -> PyResult<Vec<Part<'py>>> {
    let mut parts = with_room(grads.len())?;
    for (i, gradient) in grads.into_iter().enumerate() {
        let Some(gradient) = gradient else { continue };
        let place = place(&slots[i], &gradient)?;
        parts.push(Part { slot: i, gradient, fresh: false, place });
    }
    Ok(parts)
}

/// Where a gradient of the right type and shape lies.
fn place(slot: &Slot, gradient: &Array<'_>) -> PyResult<Gradient> {
    if let Some((data, kind)) = slot.header.beside(gradient) {
        return Ok(Gradient::InPlace(data, kind));
    }
    let header = Header::of_gradient(gradient, &slot.label)?;
    check_place(&slot.header, &header, &slot.label)?;
    if header.shape != slot.header.shape {
        return Err(PyValueError::new_err(format!(
            "the gradient of {} has shape {}, wanted {}",
            slot.label,
            shape_text(&header.shape),
            shape_text(&slot.header.shape)
        )));
    }
    Ok(Gradient::Elsewhere(header))
}

fn check_place(parameter: &Header, gradient: &Header, label: &str) -> PyResult<()> {
    let both_on_devices = parameter.place != Place::Host && gradient.place != Place::Host;
    // Nobody knows which device an empty array of another library is on.
    if parameter.place == gradient.place || both_on_devices && gradient.len() == 0 {
        return Ok(());
    }
    let message = format!(
        "the gradient of {label} is {}, the parameter {}; they must be in one place",
        gradient.place, parameter.place
    );
    Err(match both_on_devices {
        true => PyValueError::new_err(message),
        false => PyTypeError::new_err(message),
    })
}

/// Makes what state is missing, for all parameters before any is kept; its values come later, by
/// `state::fill`.
pub(super) fn make_states(
    py: Python<'_>,
    slots: &mut [Slot],
    groups: &[Group],
    parts: &mut [Part<'_>],
    maker: &Maker<'_>,
) -> PyResult<Vec<Grown>> {
    let mut fresh = with_room(parts.len())?;
    for part in &*parts {
        let slot = &mut slots[part.slot];
        fresh.push(slot.prepare(groups[slot.group].compiled()?).is_none());
    }
    let count = fresh.iter().filter(|fresh| **fresh).count();
    let (mut made, mut grown) = (with_room(count)?, with_room(count)?);
    for (part, fresh) in parts.iter_mut().zip(fresh).filter(|(_, fresh)| *fresh) {
        let slot = &slots[part.slot];
        let missing = slot.missing(groups[slot.group].compiled()?);
        let new = missing.map(|(name, kind)| maker.make(py, slots, part.slot, name.into(), kind));
        made.push((part.slot, memory::all(MAX_STATES, new)?));
        part.fresh = fresh;
    }
    for (i, states) in &made {
        slots[*i].reserve_states(states.len())?;
    }
    // From here on nothing can fail.
    for (i, states) in made {
        grown.push((i, slots[i].states.len()));
        slots[i].add_states(states);
    }
    Ok(grown)
}

/// Finds everything where it lies now, for slots that have all their state.
pub(super) fn find_again(
    slots: &mut [Slot],
    groups: &[Group],
    parts: &mut [Part<'_>],
) -> PyResult<()> {
    for part in parts {
        let slot = &mut slots[part.slot];
        slot.prepare(groups[slot.group].compiled()?);
        part.place = place(slot, &part.gradient)?;
    }
    Ok(())
}

/// Refuses what is no longer as it was checked. Whatever may run Python code comes before this, and
/// nothing between this and the writing: a signal's handler, a callback or another thread may have
/// resized or replaced what the plan points to.
pub(super) fn check_unchanged(py: Python<'_>, slots: &[Slot], parts: &[Part<'_>]) -> PyResult<()> {
    let changed = |label: &str| {
        PyRuntimeError::new_err(format!(
            "{label} was changed while the step was being prepared, by a signal handler, a callback \
             or another thread; nothing was written"
        ))
    };
    if let Some(slot) = slots.iter().find(|slot| !slot.is_unchanged(py)) {
        return Err(changed(&slot.label));
    }
    let still = |part: &&Part<'_>| match &part.place {
        Gradient::InPlace(data, kind) => {
            slots[part.slot].header.beside(&part.gradient) == Some((*data, *kind))
        }
        Gradient::Elsewhere(header) => header.is_still_of(&part.gradient),
    };
    match parts.iter().find(|part| !still(part)) {
        Some(part) => Err(changed(&format!("the gradient of {}", slots[part.slot].label))),
        None => Ok(()),
    }
}

/// Runs what moves this many bytes, without the interpreter if they are many.
pub(super) fn detached<T: Send>(py: Python<'_>, bytes: usize, run: impl FnOnce() -> T + Send) -> T {
    if bytes > DETACH_BYTES { py.detach(run) } else { run() }
}

/// Plans the parts in host memory; returns what their scalars were computed for.
pub(super) fn plan(
    slots: &mut [Slot],
    groups: &[Group],
    plan: &mut Plan,
    parts: &[Part<'_>],
    scale: f64,
) -> PyResult<Blocks> {
    let _control = ControlGuard::new();
    plan.clear();
    let mut blocks = Blocks::new(scale);
    for part in parts {
        let slot = &mut slots[part.slot];
        if slot.header.place != Place::Host {
            continue;
        }
        let compiled = groups[slot.group].compiled()?;
        let block = blocks.of(plan, slot, compiled, part.fresh)?;
        // SAFETY: all headers were read or compared in this call, under the lock; parameters and
        // states are writable and disjoint (`written`), gradients overlap none of them
        // (`check_gradient`), and slots and `parts` hold every array until the run is over.
        unsafe { push(plan, slot, compiled, block, &part.place) }?;
    }
    Ok(blocks)
}

/// Runs the plan, without the interpreter if it is long.
///
/// # Safety
/// The arrays that it was made of are held, and nothing has happened to them since.
pub(super) unsafe fn run(py: Python<'_>, plan: &Plan) {
    let _control = ControlGuard::new();
    let threads = threads::count();
    // SAFETY: the caller's promise; without the interpreter too, since another thread that resizes
    // or writes the arrays meanwhile is as unsafe as it is with NumPy itself.
    detached(py, plan.bytes(), || unsafe { plan.run(threads) });
}

/// SAFETY: as for `Plan::push`.
unsafe fn push(
    plan: &mut Plan,
    slot: &mut Slot,
    compiled: &Compiled,
    block: usize,
    place: &Gradient,
) -> Result<(), Unplanned> {
    if let Gradient::InPlace(data, kind) = place
        && let Some(prepared) = slot.prepared(compiled, *kind)
    {
        // SAFETY: passed on from the caller.
        return Ok(unsafe { plan.push_prepared(prepared, block, *data as *const u8) }?);
    }
    let Compiled { kernel, prelude, .. } = compiled;
    let (p, g) = (slot.header.view(), place.view(&slot.header));
    let states: SmallVec<[View; MAX_STATES]> =
        slot.ready_states(kernel.states()).map(|state| state.header.view()).collect();
    // SAFETY: passed on from the caller.
    unsafe { plan.push(*kernel, prelude.coupled_decay(), block, &p, &g, &states) }
}
