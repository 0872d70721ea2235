//! The compiled loops of a rule, and the one table of the storage types that they are compiled for.

use std::ops::Range;

use super::driver::loops;
use super::{View, tier};
use crate::number::{BF16, F16, Float, Kind, Stored};
use crate::rules::{
    self, MAX_STATES, Method, OptionError, Options, Prelude, PreludeOptions, Rule, ScalarBlock,
    Visitor,
};

/// The type that a parameter is computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    F32,
    F64,
}

impl Precision {
    /// That of a parameter of this kind: float64 for float64, else float32.
    pub fn of(parameter: Kind) -> Self {
        if parameter == Kind::F64 { Precision::F64 } else { Precision::F32 }
    }

    /// The compute type as a storage type.
    pub fn kind(self) -> Kind {
        match self {
            Precision::F32 => Kind::F32,
            Precision::F64 => Kind::F64,
        }
    }

    pub fn smallest_normal(self) -> f64 {
        match self {
            Precision::F32 => f32::SMALLEST_NORMAL,
            Precision::F64 => f64::SMALLEST_NORMAL,
        }
    }
}

/// How a parameter, its gradient and its states are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kinds {
    pub p: Kind,
    pub g: Kind,
    /// Of all states; of no account where the rule has none.
    pub state: Kind,
}

impl Kinds {
    /// Everything in the compute type.
    pub fn native(precision: Precision) -> Self {
        let kind = precision.kind();
        Kinds { p: kind, g: kind, state: kind }
    }

    /// Those of views, the parameter and the gradient first; None if the states' kinds differ.
    pub(super) fn of(views: &[&View]) -> Option<Self> {
        let [p, g, states @ ..] = views else { return None };
        let p = p.format.kind;
        let mut kinds = states.iter().map(|state| state.format.kind);
        let state = kinds.next().unwrap_or(Precision::of(p).kind());
        kinds.all(|kind| kind == state).then_some(Kinds { p, g: g.format.kind, state })
    }
}

/// The scalars of one step of one group, in float64; each loop rounds them once.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    pub(super) scalars: ScalarBlock,
    pub(super) prelude: Prelude<f64>,
}

impl Block {
    pub fn new(scalars: ScalarBlock, options: &PreludeOptions, precision: Precision) -> Self {
        Block { scalars, prelude: options.scalars(precision.smallest_normal()) }
    }

    /// With gradients multiplied by `scale` first; `maximize` is a factor of -1, so that their
    /// product is exact.
    #[must_use]
    pub fn scaled(mut self, scale: f64) -> Self {
        self.prelude.grad_scale *= scale;
        self
    }
}

/// Dense native arrays of one length. Places beyond the rule's states are unused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dense {
    pub(super) p: *mut u8,
    pub(super) g: *const u8,
    pub(super) states: [*mut u8; MAX_STATES],
    pub(super) len: usize,
}

impl Dense {
    /// The elements of `range`.
    ///
    /// SAFETY: it lies inside the arrays, which are of `kinds`.
    pub(super) unsafe fn part(&self, kinds: Kinds, range: Range<usize>) -> Self {
        let Range { start, end } = range;
        // SAFETY: passed on from the caller. Places beyond the rule's states may be null.
        unsafe {
            Dense {
                p: self.p.add(start * kinds.p.size()),
                g: self.g.add(start * kinds.g.size()),
                states: self.states.map(|state| state.wrapping_add(start * kinds.state.size())),
                len: end - start,
            }
        }
    }
}

/// SAFETY of a call: the pointers are aligned and valid for `len` elements of the kinds that the
/// loop was selected for, what is written is not aliased, and the CPU has the tier.
pub(super) type Loop = unsafe fn(&Block, &Dense);

/// A loop for each tier; None where a tier has none for these kinds.
pub(super) type Loops = [Option<Loop>; tier::NAMES.len()];

#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    states: usize,
    find: fn(Kinds, bool) -> Option<Loops>,
}

impl Kernel {
    pub fn states(&self) -> usize {
        self.states
    }

    /// The loop for the tier in use; None if these kinds have none of their own.
    pub(super) fn select(&self, mut kinds: Kinds, coupled_decay: bool) -> Option<Loop> {
        if self.states == 0 {
            kinds.state = Precision::of(kinds.p).kind();
        }
        (self.find)(kinds, coupled_decay).and_then(|loops| loops[tier::index()])
    }
}

/// Takes a rule's loops.
pub struct CompileKernel;

impl Visitor for CompileKernel {
    type Output = Kernel;

    fn visit<const N: usize, U: Rule<N>>(self) -> Kernel {
        Kernel { states: N, find: find::<N, U> }
    }
}

/// The method called `name` and its loops. It is not generic: what calls it from outside, a test
/// for instance, takes this library's loops instead of compiling all of them again.
#[inline(never)]
pub fn compile(name: &str, options: &Options) -> Result<(Box<dyn Method>, Kernel), OptionError> {
    rules::method(name, options, CompileKernel)
}

/// The loops of a rule for arrays of these kinds.
///
/// The table has what people train with. All 40 combinations of the contract would take two minutes
/// to build and 9 MB; those left out run through the tile with the first two rows' loops.
fn find<const N: usize, U: Rule<N>>(kinds: Kinds, coupled_decay: bool) -> Option<Loops> {
    macro_rules! table {
        ($($compute:ident: $p:ident $g:ident $state:ident;)+) => {
            match (kinds.p, kinds.g, kinds.state) {
                $(
                    // A rule without states needs one row of each parameter and gradient.
                    ($p::KIND, $g::KIND, $state::KIND)
                        if const { N > 0 || $state::KIND.size() == $compute::KIND.size() } =>
                    {
                        Some(if coupled_decay {
                            loops::<N, U, $compute, $p, $g, $state, true>()
                        } else {
                            loops::<N, U, $compute, $p, $g, $state, false>()
                        })
                    }
                )+
                _ => None,
            }
        };
    }
    // Computed in, and stored: parameter, gradient, states.
    table! {
        f64: f64 f64 f64;
        f32: f32 f32 f32;
        // A gradient of the other NumPy type.
        f64: f64 f32 f64;
        f32: f32 f64 f32;
        // States of half the size.
        f32: f32 f32 F16;
        f32: f32 f32 BF16;
        // A 16-bit model, its parameters kept in float32.
        f32: f32 F16 f32;
        f32: f32 F16 F16;
        f32: f32 BF16 f32;
        f32: f32 BF16 BF16;
        // 16-bit parameters.
        f32: F16 F16 f32;
        f32: F16 F16 F16;
        f32: F16 f32 f32;
        f32: F16 f32 F16;
        f32: BF16 BF16 f32;
        f32: BF16 BF16 BF16;
        f32: BF16 f32 f32;
        f32: BF16 f32 BF16;
    }
}
