//! Parameters that are updated as whole matrices, planned apart from those that are run element by
//! element.

use smallvec::SmallVec;

use super::elsewhere::Elsewhere;
use super::group::Compiled;
use super::header::{Header, Place};
use super::kept::Optimizer;
use super::part::{Gradient, Part, Step};
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

    /// Refuses a parameter that is to be updated as a whole and cannot be.
    pub(super) fn check_parameter(&self, i: usize, header: &Header) -> Result<(), Refusal> {
        let is_matrix = header.shape.len() == 2;
        match header.place {
            Place::Device(_) if self.is_factored(&header.shape) => Err(Refusal::MatrixElsewhere(i)),
            _ if self.method.whole().is_none() => Ok(()),
            Place::Host if is_matrix => Ok(()),
            _ if is_matrix => Err(Refusal::MatrixElsewhere(i)),
            _ => Err(Refusal::NoMatrix { parameter: i, shape: header.shape.clone() }),
        }
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

    /// Refuses gradients of some rows where all of them are needed.
    pub(super) fn check_wholes(&self, parts: &[Part<H>]) -> Result<(), Refusal> {
        let step = Step { slots: &self.slots, groups: &self.groups, parts };
        let rows = |part: &&Part<H>| matches!(part.place, Gradient::Rows(_));
        match parts.iter().filter(rows).find(|part| step.is_whole(part)) {
            None => Ok(()),
            Some(part) => Err(Refusal::MeasuredRows(part.slot)),
        }
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

impl<H: Elsewhere> Step<'_, H> {
    /// Whether a part needs all of its gradient.
    pub(super) fn is_whole(&self, part: &Part<H>) -> bool {
        let method = &self.group(part).compiled.method;
        method.whole().is_some() || method.factored().is_some()
    }
}
