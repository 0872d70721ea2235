//! The compiled loops of a rule: every compute type and SIMD tier, with and without weight decay
//! in the gradient. The only place that enters a SIMD tier.

use super::tier;
use crate::number::{Float, Real, Stored};
use crate::rules::{MAX_STATES, Prelude, PreludeOptions, Rule, ScalarBlock, Scalars, Visitor};

/// The type that a parameter is computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    F32,
    F64,
}

impl Precision {
    pub fn size(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::F64 => 8,
        }
    }
}

/// The scalars of one step of one group, in float64; each loop rounds them once.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    scalars: ScalarBlock,
    prelude: Prelude<f64>,
}

impl Block {
    pub fn new(scalars: ScalarBlock, options: &PreludeOptions, precision: Precision) -> Self {
        let smallest_normal = match precision {
            Precision::F32 => f32::SMALLEST_NORMAL,
            Precision::F64 => f64::SMALLEST_NORMAL,
        };
        Block { scalars, prelude: options.scalars(smallest_normal) }
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

/// SAFETY of a call: the pointers are aligned and valid for `len` elements of the compute type,
/// what is written is not aliased, and the CPU has the tier.
pub(super) type Loop = unsafe fn(&Block, &Dense);

const TIERS: usize = tier::NAMES.len();

#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    states: usize,
    /// By compute type, then by coupled decay.
    loops: [[[Loop; TIERS]; 2]; 2],
}

impl Kernel {
    pub fn states(&self) -> usize {
        self.states
    }

    /// The loop for the tier in use.
    pub(super) fn select(&self, precision: Precision, coupled_decay: bool) -> Loop {
        let by_decay = match precision {
            Precision::F32 => &self.loops[0],
            Precision::F64 => &self.loops[1],
        };
        by_decay[usize::from(coupled_decay)][tier::index()]
    }
}

/// Takes a rule's loops.
pub struct CompileKernel;

impl Visitor for CompileKernel {
    type Output = Kernel;

    fn visit<const N: usize, U: Rule<N>>(self) -> Kernel {
        Kernel {
            states: N,
            loops: [
                [loops::<N, U, f32, false>(), loops::<N, U, f32, true>()],
                [loops::<N, U, f64, false>(), loops::<N, U, f64, true>()],
            ],
        }
    }
}

/// One rule with its scalars in the compute type: what happens to one element.
struct Element<R: Real, K> {
    scalars: K,
    prelude: Prelude<R>,
}

impl<R: Float, K: Scalars<R>> Element<R, K> {
    #[inline(always)]
    fn apply<const N: usize, U, const DECAY: bool>(&self, p: R, g: R, s: [R; N]) -> (R, [R; N])
    where
        U: Rule<N, Scalars<R> = K>,
    {
        let (p, g) = self.prelude.before::<DECAY>(p, g);
        let (p, s) = U::update(&self.scalars, p, g, s);
        (p, s.map(|state| self.prelude.after(state)))
    }
}

/// Runs `apply` over a parameter, a gradient and `N` states of one length. Each stream is an
/// argument of its own, so that the compiler knows them disjoint and vectorises without run-time
/// checks, of which it gives up at five streams.
#[inline(always)]
fn each<const N: usize, R: Copy>(
    p: &mut [R],
    g: &[R],
    states: [&mut [R]; N],
    apply: impl Fn(R, R, [R; N]) -> (R, [R; N]),
) {
    macro_rules! arm {
        ($($state:ident $i:literal),*) => {{
            #[inline(always)]
            fn disjoint<const N: usize, R: Copy>(
                p: &mut [R],
                g: &[R],
                $($state: &mut [R],)*
                apply: impl Fn(R, R, [R; N]) -> (R, [R; N]),
            ) {
                let n = p.len();
                let g = &g[..n];
                $(let $state = &mut $state[..n];)*
                for i in 0..n {
                    let old: [R; const { 0 $(+ { let _ = $i; 1 })* }] = [$($state[i]),*];
                    let (new, _states) = apply(p[i], g[i], std::array::from_fn(|j| old[j]));
                    p[i] = new;
                    $($state[i] = _states[$i];)*
                }
            }
            #[allow(unused_mut, unused_variables)] // of no states
            let mut states = states.into_iter();
            $(let Some($state) = states.next() else { return };)*
            disjoint(p, g, $($state,)* apply)
        }};
    }
    const { assert!(N <= MAX_STATES) };
    match N {
        0 => arm!(),
        1 => arm!(a 0),
        2 => arm!(a 0, b 1),
        _ => arm!(a 0, b 1, c 2),
    }
}

/// SAFETY: as for [`Loop`].
#[inline(always)]
unsafe fn drive<const N: usize, U: Rule<N>, R: Stored, const DECAY: bool>(
    block: &Block,
    arrays: &Dense,
) {
    let element = Element {
        scalars: U::Scalars::<R>::read(|i| R::constant(block.scalars[i])),
        prelude: block.prelude.rounded(),
    };
    // SAFETY: the caller vouches for pointers, length and disjointness.
    let (p, g, states) = unsafe {
        (
            std::slice::from_raw_parts_mut(arrays.p.cast::<R>(), arrays.len),
            std::slice::from_raw_parts(arrays.g.cast::<R>(), arrays.len),
            std::array::from_fn(|i| {
                std::slice::from_raw_parts_mut(arrays.states[i].cast::<R>(), arrays.len)
            }),
        )
    };
    each::<N, R>(
        p,
        g,
        states,
        #[inline(always)]
        |p, g, s| element.apply::<N, U, DECAY>(p, g, s),
    );
}

#[cfg(target_arch = "x86_64")]
fn loops<const N: usize, U: Rule<N>, R: Stored, const DECAY: bool>() -> [Loop; TIERS] {
    /// SAFETY: as for [`Loop`].
    #[target_feature(enable = "avx2")]
    unsafe fn avx2<const N: usize, U: Rule<N>, R: Stored, const DECAY: bool>(b: &Block, a: &Dense) {
        // SAFETY: passed on from the caller.
        unsafe { drive::<N, U, R, DECAY>(b, a) }
    }

    /// SAFETY: as for [`Loop`].
    #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq")]
    unsafe fn avx512<const N: usize, U: Rule<N>, R: Stored, const DECAY: bool>(
        b: &Block,
        a: &Dense,
    ) {
        // SAFETY: passed on from the caller.
        unsafe { drive::<N, U, R, DECAY>(b, a) }
    }

    [drive::<N, U, R, DECAY>, avx2::<N, U, R, DECAY>, avx512::<N, U, R, DECAY>]
}

#[cfg(not(target_arch = "x86_64"))]
fn loops<const N: usize, U: Rule<N>, R: Stored, const DECAY: bool>() -> [Loop; TIERS] {
    [drive::<N, U, R, DECAY>]
}
