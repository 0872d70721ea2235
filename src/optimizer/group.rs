//! A group's options, understood.

use std::ops::Range;

use crate::cuda::{self, TraceKernel};
use crate::engine::{CompileLoops, RuleLoops};
use crate::number::Kind;
use crate::rules::{
    self, Clock, Declared, MAX_SUMS, Memory, Method, Number, OptionError, Options, PreludeOptions,
    ScalarBlock, Scope, State,
};

/// A formula's loops, the source of its kernel for devices, and the states that they need.
pub struct Formula {
    pub loops: RuleLoops,
    pub traced: cuda::Kernel,
    pub states: Vec<State>,
}

/// What follows from options: the method and its formula, compiled and traced.
pub struct Compiled {
    pub method: Box<dyn Method>,
    pub prelude: PreludeOptions,
    pub plain: Formula,
    /// Of matrices, where their state is factors.
    pub by_factors: Option<Formula>,
    /// The numbers that the rule remembers.
    pub memory: Vec<Number>,
    /// What state that is made is stored in; None for the compute type.
    pub state_kind: Option<Kind>,
}

impl Compiled {
    pub fn new(rule: &str, options: &Options) -> Result<Self, OptionError> {
        let visitors = || (CompileLoops, TraceKernel);
        let (method, (loops, traced)) = rules::method(rule, options, visitors())?;
        let states = method.states();
        let prelude = PreludeOptions::read(options, &*method)?;
        // What is made of a whole matrix begins without the parameter, which cannot enter the gradient.
        let whole = method.whole().is_some();
        let decays = whole && prelude.coupled_decay();
        if states.len() != loops.states() || decays {
            return Err(OptionError::Together);
        }
        let by_factors = method.factored().map(|factored| {
            let (loops, traced) = rules::by_factors(visitors());
            let states = factored.factors().map(|(state, _)| state).into();
            Formula { loops, traced: traced.by_factors(), states }
        });
        Ok(Compiled {
            plain: Formula {
                loops,
                traced: if whole { traced.of_whole() } else { traced },
                states,
            },
            by_factors,
            memory: method.memory(),
            prelude,
            method,
            state_kind: options.word("state_dtype").ok().and_then(Kind::named),
        })
    }

    /// Whether what was planned with the other's layout holds for this one: formula, names of
    /// states, kind of weight decay, type of state. Numbers may differ.
    fn is_laid_out_as(&self, other: &Self) -> bool {
        let names = |states: &[State]| states.iter().map(|state| state.name).collect::<Vec<_>>();
        self.plain.traced.formula() == other.plain.traced.formula()
            && names(&self.plain.states) == names(&other.plain.states)
            && self.prelude.coupled_decay() == other.prelude.coupled_decay()
            && self.state_kind == other.state_kind
    }

    /// Takes another number for one option. False if the layout hangs on it, or on something that
    /// is no option of the rule; nothing has changed then.
    pub fn set(&mut self, name: &str, value: f64) -> bool {
        if name == "weight_decay" {
            return self.method.decays().is_none() && self.prelude.set(name, value);
        }
        if !self.method.set(name, value) {
            return false;
        }
        if name == "lr" {
            self.prelude.set(name, value);
        }
        self.plain.states = self.method.states();
        self.memory = self.method.memory();
        true
    }

    /// What the sums of a rule that measures are over.
    pub fn sums_over(&self) -> Scope {
        self.plain.loops.measuring().map_or(Scope::Tensor, |loops| loops.scope())
    }

    /// The scalars of the update of a rule that measures all parameters together, from what is made of its
    /// sums; of any other rule as they are.
    pub fn over_all(&self, scalars: ScalarBlock, made: &[f64; MAX_SUMS]) -> ScalarBlock {
        match self.plain.loops.measuring() {
            Some(loops) if loops.scope() == Scope::All => loops.scalars(scalars, made, 0),
            _ => scalars,
        }
    }

    /// What the rule remembers after a step, if it remembers anything.
    #[inline]
    pub fn remember(
        &self,
        sums: &[f64; MAX_SUMS],
        clock: impl FnOnce() -> Clock,
    ) -> Option<Memory> {
        (!self.memory.is_empty()).then(|| self.method.remember(clock(), sums))
    }
}

/// Parameters that have their options in common.
pub struct Group {
    pub compiled: Compiled,
    /// Its parameters among the optimizer's.
    pub slots: Range<usize>,
}

impl Group {
    /// Takes other options. True if what was planned with the old ones is void.
    pub(super) fn replace(&mut self, compiled: Compiled) -> bool {
        let other = !compiled.is_laid_out_as(&self.compiled);
        self.compiled = compiled;
        other
    }
}
