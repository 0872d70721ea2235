//! The compiled loops of a rule, and the one table of the storage types that they are compiled for.

use super::block::{Loop, Loops};
use super::driver::loops;
use super::terms::MeasuringLoops;
use crate::number::{BF16, F16, Kind, Kinds, Precision, Stored};
use crate::rules::{self, Measuring, Method, OptionError, Options, Rule, Visitor};

#[derive(Clone, Copy, Debug)]
pub struct RuleLoops {
    states: usize,
    find: fn(Kinds, bool) -> Option<Loops>,
    measuring: Option<MeasuringLoops>,
}

impl RuleLoops {
    pub fn states(&self) -> usize {
        self.states
    }

    /// What measures first, of a rule that does.
    pub fn measuring(&self) -> Option<MeasuringLoops> {
        self.measuring
    }

    /// The loop for this tier; None if these kinds have none of their own.
    pub(super) fn select(
        &self,
        mut kinds: Kinds,
        coupled_decay: bool,
        tier: usize,
    ) -> Option<Loop> {
        if self.states == 0 {
            kinds.state = Precision::of(kinds.p).kind();
        }
        (self.find)(kinds, coupled_decay).and_then(|loops| loops[tier])
    }
}

/// Takes a rule's loops.
pub struct CompileLoops;

impl Visitor for CompileLoops {
    type Output = RuleLoops;

    fn visit<const N: usize, U: Rule<N>>(self) -> RuleLoops {
        RuleLoops { states: N, find: find::<N, U>, measuring: None }
    }

    fn visit_measuring<const N: usize, const M: usize, U: Measuring<N, M>>(self) -> RuleLoops {
        let measuring = MeasuringLoops::of::<N, M, U>();
        RuleLoops { measuring: Some(measuring), ..self.visit::<N, U>() }
    }
}

/// The method called `name` and its loops. It is not generic: what calls it from outside, a test
/// for instance, takes this library's loops instead of compiling all of them again.
#[inline(never)]
pub fn compile(name: &str, options: &Options) -> Result<(Box<dyn Method>, RuleLoops), OptionError> {
    rules::method(name, options, CompileLoops)
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
                        if const {
                            (N > 0 || $state::KIND.size() == $compute::KIND.size())
                                && (U::STORED_IN_ALL || is_usual($p::KIND, $g::KIND, $state::KIND))
                        } =>
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

/// What a rule that is used less has loops for, too: no float16, and no gradient of another type than the
/// parameter's, but bfloat16. All rows of all rules would be 4.7 MB of wheel.
const fn is_usual(p: Kind, g: Kind, state: Kind) -> bool {
    let half = matches!(p, Kind::F16) || matches!(g, Kind::F16) || matches!(state, Kind::F16);
    let wider = matches!((p, g), (Kind::F32 | Kind::BF16, Kind::F64) | (Kind::BF16, Kind::F32));
    !half && !wider && !matches!((p, g), (Kind::F64, Kind::F32))
}
