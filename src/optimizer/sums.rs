//! The sums that rules take over whole tensors before anything is written: what their scalars hang on.

use smallvec::SmallVec;

use super::elsewhere::{Elsewhere, Scaling};
use super::group::Group;
use super::header::Place;
use super::kept::Optimizer;
use super::part::{Gradient, Part, Step};
use super::plan::Common;
use super::refusal::{Refusal, Stop};
use crate::engine::memory::{try_collect, with_room};
use crate::engine::{ARRAYS, ControlGuard, Factors, Sums, View, fold_sums, threads};
use crate::rules::{MAX_STATES, MAX_SUMS, Scope};

/// Of a rule that does not measure.
pub(super) const NO_SUMS: [f64; MAX_SUMS] = [0.0; MAX_SUMS];

/// By part; of no rule that measures, nothing of meaning.
pub(super) type ByPart = Vec<[f64; MAX_SUMS]>;

impl<H: Elsewhere> Optimizer<H> {
    /// Whether one of these parts has a rule that measures.
    pub(super) fn measures(&self, parts: &[Part<H>]) -> bool {
        let step = Step { slots: &self.slots, groups: &self.groups, parts };
        parts.iter().any(|part| step.group(part).compiled.plain.loops.measuring().is_some())
    }

    /// What the sums of a rule that measures are over: all groups have the same rule.
    pub fn sums_over(&self) -> Scope {
        let of = |group: &Group| group.compiled.sums_over();
        self.groups.first().map_or(Scope::Tensor, of)
    }

    /// The sums of all parts in host memory, whoever runs them, and those over all parts, wherever they are.
    /// New state has its first values.
    pub(super) fn sums(
        &mut self,
        caller: H::Caller<'_>,
        parts: &[Part<H>],
        (norm, scales): Scaling<'_, H::Norm>,
        factors: &Factors,
    ) -> Result<ByPart, Stop<H::Error>> {
        let step = Step { slots: &self.slots, groups: &self.groups, parts };
        let (mut places, mut sums) = (with_room(parts.len())?, Sums::default());
        for (i, part) in parts.iter().enumerate() {
            let (slot, compiled) = (step.slot(part), &step.group(part).compiled);
            let header = &slot.header;
            let Some(loops) = compiled.of(&header.shape).loops.measuring() else { continue };
            if matches!(part.place, Gradient::Rows(_)) {
                return Err(Refusal::MeasuredRows(part.slot).into());
            }
            if header.place != Place::Host {
                continue; // where it lies
            }
            let (p, g) = (slot.values(), part.place.view(header));
            let states: SmallVec<[View; MAX_STATES]> = match compiled.is_factored(&header.shape) {
                true => match factors.of(i, &p) {
                    Some(states) => states.into_iter().collect(),
                    None => continue, // it has no elements, or is not the engine's
                },
                false => step.states(part).iter().map(|state| state.header.view()).collect(),
            };
            let views: SmallVec<[View; ARRAYS]> = [p, g].into_iter().chain(states).collect();
            let views: SmallVec<[&View; ARRAYS]> = views.iter().collect();
            let block = Common::of(step, part).block(compiled, scales.of(i));
            sums.push(loops, compiled.prelude.coupled_decay(), block, &views)?;
            places.push(i);
        }
        let bytes = sums.bytes();
        // SAFETY: all headers were read or compared in this call, and slots and parts hold every array;
        // another thread that resizes or writes them meanwhile is as unsafe as it is with NumPy itself.
        let take = || unsafe { sums.take(threads::count()) };
        let taken = H::detached(caller, bytes, take)?;
        let mut by_part = with_room(parts.len())?;
        if self.sums_over() == Scope::All {
            let on_host = places.len() == parts.len();
            let mut elsewhere: Vec<Vec<[f64; MAX_SUMS]>> = Vec::new();
            if !on_host {
                elsewhere = try_collect(parts.iter().map(|_| Vec::new()))?;
                H::terms(&mut self.elsewhere, caller, step, (norm, scales), &mut elsewhere)?;
            }
            // The leaves of all parameters are numbered through, wherever they were added up.
            let of =
                |i| places.binary_search(&i).map_or_else(|_| &elsewhere[i][..], |n| taken.of(n));
            by_part.resize(parts.len(), fold_sums((0..parts.len()).flat_map(of)));
        } else {
            by_part.resize(parts.len(), NO_SUMS);
            for (number, place) in places.into_iter().enumerate() {
                by_part[place] = fold_sums(taken.of(number).iter());
            }
        }
        Ok(by_part)
    }

    /// Lets the parts remember what they will after the step, and of sums over all parameters takes what
    /// is remembered in their place. Returns those sums.
    pub(super) fn remember(
        &self,
        parts: &mut [Part<H>],
        sums: &mut ByPart,
    ) -> Option<[f64; MAX_SUMS]> {
        let over_all = sums.first().copied().filter(|_| self.sums_over() == Scope::All);
        for (i, part) in parts.iter_mut().enumerate() {
            let slot = &self.slots[part.slot];
            let compiled = &self.groups[slot.group].compiled;
            let clock = || slot.clock(compiled, !part.made.is_empty());
            part.memory = compiled.remember(sums.get(i).unwrap_or(&NO_SUMS), clock);
            if over_all.is_some()
                && let Some(memory) = part.memory
            {
                sums[i].copy_from_slice(&memory.0[..MAX_SUMS]);
            }
        }
        over_all
    }

    /// Lets every parameter remember what follows from sums over all of them.
    pub(super) fn remember_all(&mut self, sums: &[f64; MAX_SUMS]) {
        // A foreign rounding mode or flush-to-zero touches nothing.
        let _control = ControlGuard::new();
        for slot in self.slots.iter_mut() {
            let compiled = &self.groups[slot.group].compiled;
            slot.memory = compiled.remember(sums, || slot.clock(compiled, false));
        }
    }

    /// Lets parameters that came later begin with what the others have learnt of all.
    pub(super) fn share_memory(&mut self) {
        if self.sums_over() == Scope::All {
            let known = self.slots.iter().find_map(|slot| slot.memory);
            self.slots.iter_mut().for_each(|slot| slot.memory = slot.memory.or(known));
        }
    }
}
