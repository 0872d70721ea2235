//! The loop over the elements, written once: generic over the rule, the compute type, the storage
//! of each stream and the SIMD tier. With `leaf`, the only place that enters a tier.

use super::block::{Block, Dense, Loops};
use crate::number::{Compute, Real, Store, Stored};
use crate::rules::{MAX_STATES, Prelude, Rule, Scalars};

/// One rule with its scalars in the compute type: what happens to one element.
struct Element<R: Real, K> {
    scalars: K,
    prelude: Prelude<R>,
}

impl<R: Compute, K: Scalars<R>> Element<R, K> {
    /// Widens, computes, and rounds each result once, all in registers.
    #[inline(always)]
    fn apply<const N: usize, U, P, G, S, const DECAY: bool>(
        &self,
        p: P,
        g: G,
        s: [S; N],
    ) -> (P, [S; N])
    where
        U: Rule<N, Scalars<R> = K>,
        P: Store<R>,
        G: Stored,
        S: Store<R>,
    {
        let (p, g) = self.prelude.before::<DECAY>(p.load(), g.load());
        let (p, s) = U::update(&self.scalars, p, g, s.map(S::load));
        (P::store(p), s.map(|state| S::store(self.prelude.after(state))))
    }
}

/// Runs `apply` over a parameter, a gradient and `N` states of one length. Each stream is an
/// argument of its own, so that the compiler knows them disjoint and vectorises without run-time
/// checks, of which it gives up at five streams.
#[inline(always)]
fn each<const N: usize, P: Copy, G: Copy, S: Copy>(
    p: &mut [P],
    g: &[G],
    states: [&mut [S]; N],
    apply: impl Fn(P, G, [S; N]) -> (P, [S; N]),
) {
    macro_rules! arm {
        ($($state:ident $i:literal),*) => {{
            #[inline(always)]
            fn disjoint<const N: usize, P: Copy, G: Copy, S: Copy>(
                p: &mut [P],
                g: &[G],
                $($state: &mut [S],)*
                apply: impl Fn(P, G, [S; N]) -> (P, [S; N]),
            ) {
                let n = p.len();
                let g = &g[..n];
                $(let $state = &mut $state[..n];)*
                for i in 0..n {
                    let old: [S; const { 0 $(+ { let _ = $i; 1 })* }] = [$($state[i]),*];
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
    const { assert!(N <= MAX_STATES && MAX_STATES == 4) }; // an arm for each
    match N {
        0 => arm!(),
        1 => arm!(a 0),
        2 => arm!(a 0, b 1),
        3 => arm!(a 0, b 1, c 2),
        _ => arm!(a 0, b 1, c 2, d 3),
    }
}

/// The function `$name`, compiled for `$features` (for the baseline without any).
macro_rules! driver {
    ($name:ident $(, $features:literal)?) => {
        /// SAFETY: as for a `Loop`.
        $(#[target_feature(enable = $features)])?
        unsafe fn $name<const N: usize, U, R, P, G, S, const DECAY: bool>(
            block: &Block,
            arrays: &Dense,
        ) where
            U: Rule<N>,
            R: Compute,
            P: Store<R>,
            G: Stored,
            S: Store<R>,
        {
            // SAFETY: passed on from the caller.
            unsafe { drive::<N, U, R, P, G, S, DECAY>(block, arrays) }
        }
    };
}

/// SAFETY: as for a `Loop`.
#[inline(always)]
unsafe fn drive<const N: usize, U, R, P, G, S, const DECAY: bool>(block: &Block, arrays: &Dense)
where
    U: Rule<N>,
    R: Compute,
    P: Store<R>,
    G: Stored,
    S: Store<R>,
{
    let element = Element {
        scalars: U::Scalars::<R>::read(|i| R::constant(block.scalars[i])),
        prelude: block.prelude.rounded(),
    };
    // SAFETY: the caller vouches for pointers, length and disjointness.
    let (p, g, states) = unsafe {
        (
            std::slice::from_raw_parts_mut(arrays.p.cast::<P>(), arrays.len),
            std::slice::from_raw_parts(arrays.g.cast::<G>(), arrays.len),
            std::array::from_fn(|i| {
                std::slice::from_raw_parts_mut(arrays.states[i].cast::<S>(), arrays.len)
            }),
        )
    };
    each::<N, P, G, S>(
        p,
        g,
        states,
        #[inline(always)]
        |p, g, s| element.apply::<N, U, P, G, S, DECAY>(p, g, s),
    );
}

/// The loop for each tier, in the order of `tier::NAMES`.
///
/// x86-64's baseline has none for 16-bit types: CPUs without AVX2 are rare, SSE2 lacks the
/// instructions (blends, minima, packing), and a third of the build would be spent on it.
pub(super) fn loops<const N: usize, U, R, P, G, S, const DECAY: bool>() -> Loops
where
    U: Rule<N>,
    R: Compute,
    P: Store<R>,
    G: Stored,
    S: Store<R>,
{
    driver!(baseline);
    #[cfg(target_arch = "x86_64")]
    driver!(avx2, "avx2");
    #[cfg(target_arch = "x86_64")]
    driver!(avx512, "avx512f,avx512vl,avx512bw,avx512dq");
    let left_out = const {
        cfg!(target_arch = "x86_64") && (is_narrow::<P>() || is_narrow::<G>() || is_narrow::<S>())
    };
    [
        if left_out { None } else { Some(baseline::<N, U, R, P, G, S, DECAY>) },
        #[cfg(target_arch = "x86_64")]
        Some(avx2::<N, U, R, P, G, S, DECAY>),
        #[cfg(target_arch = "x86_64")]
        Some(avx512::<N, U, R, P, G, S, DECAY>),
    ]
}

const fn is_narrow<T: Stored>() -> bool {
    T::KIND.size() == 2
}
