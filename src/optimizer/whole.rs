//! Parameters that are updated as whole matrices, planned apart from those that are run element by
//! element.

use smallvec::SmallVec;

use super::elsewhere::Elsewhere;
use super::group::Compiled;
use super::header::Header;
use super::kept::Optimizer;
use super::part::{Part, Step};
use super::plan::Common;
use super::refusal::{Refusal, Stop};
use super::scales::Scales;
use crate::engine::{CompileLoops, Orthogonal, View, Wholes};
use crate::rules::{MAX_STATES, descent};

impl Compiled {
    /// The work on a parameter of this header, if it is done on a whole matrix, and the size of its step.
    fn whole(&self, parameter: &Header) -> Option<(Orthogonal, f64)> {
        let (whole, [rows, columns]) = (self.method.whole()?, parameter.shape[..].try_into().ok()?);
        let shape = [rows, columns].map(isize::unsigned_abs);
        let work = Orthogonal::new(shape, parameter.precision(), whole.iteration());
        Some((work, whole.step(shape)))
    }

    /// Refuses a parameter that cannot be updated as the rule has it: as a whole.
    pub(super) fn check_parameter(&self, i: usize, header: &Header) -> Result<(), Refusal> {
        if self.method.whole().is_some() && header.shape.len() != 2 {
            return Err(Refusal::NoMatrix { parameter: i, shape: header.shape.clone() });
        }
        Ok(())
    }
}

impl<H: Elsewhere> Optimizer<H> {
    /// Refuses options that one of these parameters cannot have: by its type, shape or place.
    pub fn check_parameters(
        &self,
        mut slots: std::ops::Range<usize>,
        compiled: &Compiled,
    ) -> Result<(), Refusal> {
        self.check_state_kind(slots.clone(), compiled.state_kind)?;
        slots.try_for_each(|i| compiled.check_parameter(i, &self.slots[i].header))
    }

    /// Plans the parts that are updated as a whole, with all the memory that they need.
    pub(super) fn wholes(
        &self,
        caller: H::Caller<'_>,
        parts: &[Part<H>],
        scales: &Scales,
    ) -> Result<Wholes, Stop<H::Error>> {
        let step = Step { slots: &self.slots, groups: &self.groups, parts };
        let work = |part: &Part<H>| {
            let header = &step.slot(part).header;
            let work = step.group(part).compiled.whole(header);
            work.filter(|_| !H::runs(caller, header.place))
        };
        let mut wholes = Wholes::new(parts.iter().filter_map(work).map(|(work, _)| work))?;
        for (i, part) in parts.iter().enumerate() {
            let Some((work, size)) = work(part) else { continue };
            let (slot, compiled) = (step.slot(part), &step.group(part).compiled);
            let block = Common::of(step, part).block(compiled, scales.of(i));
            let (p, g) = (slot.header.view(), part.place.view(&slot.header));
            let states = step.states(part);
            let states: SmallVec<[View; MAX_STATES]> =
                states.iter().map(|state| state.header.view()).collect();
            let last = descent(size, CompileLoops);
            // SAFETY: all headers were read or compared in this call; parameters and states are writable
            // and disjoint, gradients overlap none of them, and slots and parts hold every array until
            // the step is over.
            unsafe { wholes.push(work, (compiled.plain.loops, block), last, &p, &g, &states) }?;
        }
        Ok(wholes)
    }
}
