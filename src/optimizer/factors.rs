//! Matrices whose state is factors: of another shape than their parameter, and made before the sums are
//! taken.

use super::elsewhere::Elsewhere;
use super::group::{Compiled, Formula};
use super::header::Axes;
use super::kept::Optimizer;
use super::part::{Part, Step};
use super::plan::Common;
use super::refusal::Stop;
use super::scales::Scales;
use crate::engine::{Factors, threads};
use crate::rules::{Extent, Factored, State};

impl Compiled {
    /// What makes the factors of a parameter of this shape, if it has any.
    fn factored(&self, shape: &Axes) -> Option<&dyn Factored> {
        self.method.factored().filter(|_| self.is_factored(shape))
    }

    /// Whether the state of a parameter of this shape is factors.
    #[inline]
    pub(super) fn is_factored(&self, shape: &Axes) -> bool {
        self.by_factors.is_some() && shape.len() >= 2
    }

    /// The formula of a parameter of this shape.
    #[inline]
    pub fn of(&self, shape: &Axes) -> &Formula {
        match &self.by_factors {
            Some(by_factors) if self.is_factored(shape) => by_factors,
            _ => &self.plain,
        }
    }

    /// Whether this state of a parameter of this shape has no rows of its own.
    pub(super) fn is_of_all_rows(&self, name: &str, parameter: &Axes) -> bool {
        let factors = self.factored(parameter).map(Factored::factors);
        let columns =
            |(state, extent): &(State, Extent)| state.name == name && *extent == Extent::Columns;
        parameter.len() == 2 && factors.iter().flatten().any(columns)
    }

    /// The shape of a state beside a parameter of this one.
    pub fn state_shape(&self, name: &str, parameter: &Axes) -> Axes {
        let mut shape = parameter.clone();
        let factors = self.factored(parameter).map(Factored::factors);
        if let Some((_, extent)) = factors.iter().flatten().find(|(state, _)| state.name == name) {
            extent.cut(&mut shape);
        }
        shape
    }
}

impl<H: Elsewhere> Optimizer<H> {
    /// The factors of the parts that have some and are run by the engine. New state has its first values.
    pub(super) fn factors(
        &self,
        caller: H::Caller<'_>,
        parts: &[Part<H>],
        scales: &Scales,
    ) -> Result<Factors, Stop<H::Error>> {
        let step = Step { slots: &self.slots, groups: &self.groups, parts };
        let mut factors = Factors::default();
        for (i, part) in parts.iter().enumerate() {
            let (slot, compiled) = (step.slot(part), &step.group(part).compiled);
            let Some(factored) = compiled.factored(&slot.header.shape) else { continue };
            if H::runs(caller, slot.header.place) {
                continue;
            }
            let block = Common::of(step, part).block(compiled, scales.of(i));
            let averages = factored.averages(step.clock(part));
            let (p, g) = (slot.values(), part.place.view(&slot.header));
            if let [rows, columns] = step.states(part)[..] {
                let states = [&rows.header.view(), &columns.header.view()];
                let decay = compiled.prelude.coupled_decay();
                factors.push(i, (block, decay), averages, [&p, &g], states)?;
            }
        }
        let bytes = factors.bytes();
        // SAFETY: all headers were read or compared in this call, and slots and parts hold every array;
        // another thread that resizes or writes them meanwhile is as unsafe as it is with NumPy itself.
        let take = || unsafe { factors.take(threads::count()) };
        H::detached(caller, bytes, take)?;
        Ok(factors)
    }
}
