//! What the elements of a rule that measures add to its sums: the loop over the elements, and the scalars
//! that follow from the sums.

use super::block::{ARRAYS, Block, Dense};
use super::leaf::{Accumulators, add_term};
use super::tier;
use crate::number::{Compute, Node, Precision, Stored, Trace, Traced};
use crate::rules::{LANES, MAX_SUMS, Measuring, ScalarBlock, Scalars, Scope};

/// Adds elements of the compute type to the accumulators of each sum, the first to accumulator 0.
///
/// SAFETY of a call: as for a `Loop`.
pub(super) type Terms = unsafe fn(&Block, &Dense, &mut [Accumulators; MAX_SUMS]);

type Tiers = [Terms; tier::NAMES.len()];

/// What a rule measures.
#[derive(Clone, Copy, Debug)]
pub struct MeasuringLoops {
    scope: Scope,
    reads: [bool; ARRAYS],
    find: fn(Precision, bool) -> Tiers,
    measured: fn(ScalarBlock, &[f64; MAX_SUMS], f64) -> ScalarBlock,
}

impl MeasuringLoops {
    pub(super) fn of<const N: usize, const M: usize, U: Measuring<N, M>>() -> Self {
        let reads = reads::<N, M, U>();
        MeasuringLoops {
            scope: U::SCOPE,
            reads,
            find: find::<N, M, U>,
            measured: measured::<N, M, U>,
        }
    }

    /// What the sums are over.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Which arrays the terms hang on.
    pub(super) fn reads(&self, coupled_decay: bool) -> [bool; ARRAYS] {
        let mut reads = self.reads;
        reads[0] |= coupled_decay && reads[1];
        reads
    }

    /// The loop for the tier in use.
    pub(super) fn select(&self, precision: Precision, coupled_decay: bool) -> Terms {
        (self.find)(precision, coupled_decay)[tier::index()]
    }

    /// The scalars of the update of a tensor of so many elements, from those of the terms.
    pub fn measured(&self, mut block: Block, sums: &[f64; MAX_SUMS], size: usize) -> Block {
        block.scalars = self.scalars(block.scalars, sums, size);
        block
    }

    /// The same of the scalars alone.
    pub fn scalars(
        &self,
        scalars: ScalarBlock,
        sums: &[f64; MAX_SUMS],
        size: usize,
    ) -> ScalarBlock {
        (self.measured)(scalars, sums, size as f64)
    }
}

/// What a trace of the terms has of the parameter, the gradient and the states.
fn reads<const N: usize, const M: usize, U: Measuring<N, M>>() -> [bool; ARRAYS] {
    let input = |i: usize| Node::Input(i.to_string());
    let trace = Trace::of(|| {
        let k = U::Scalars::<Traced>::read(|_| Traced::input("k"));
        let array = |i: usize| Traced::input(i.to_string());
        U::terms(&k, array(0), array(1), std::array::from_fn(|i| array(2 + i))).to_vec()
    });
    std::array::from_fn(|i| trace.nodes.contains(&input(i)))
}

fn measured<const N: usize, const M: usize, U: Measuring<N, M>>(
    block: ScalarBlock,
    sums: &[f64; MAX_SUMS],
    size: f64,
) -> ScalarBlock {
    const { assert!(M <= MAX_SUMS) };
    let mut new = block;
    let k = U::Scalars::<f64>::read(|i| block[i]);
    U::measured(k, std::array::from_fn(|m| sums[m]), size).write(|i, value| new[i] = value);
    new
}

/// Elements are of the compute type alone: whatever is stored in another is gathered first.
fn find<const N: usize, const M: usize, U: Measuring<N, M>>(
    precision: Precision,
    coupled_decay: bool,
) -> Tiers {
    match (precision, coupled_decay) {
        (Precision::F32, true) => tiers::<N, M, U, f32, true>(),
        (Precision::F32, false) => tiers::<N, M, U, f32, false>(),
        (Precision::F64, true) => tiers::<N, M, U, f64, true>(),
        (Precision::F64, false) => tiers::<N, M, U, f64, false>(),
    }
}

/// SAFETY: as for [`Terms`].
#[inline(always)]
unsafe fn add<const N: usize, const M: usize, U, R, const DECAY: bool, const FUSED: bool>(
    block: &Block,
    arrays: &Dense,
    sums: &mut [Accumulators; MAX_SUMS],
) where
    U: Measuring<N, M>,
    R: Compute + Stored + Into<f64>,
{
    let k = U::Scalars::<R>::read(|i| R::constant(block.scalars[i]));
    let prelude = block.prelude.rounded::<R>();
    // SAFETY: the caller vouches for pointers and length; nothing is written.
    let (p, g, s): (&[R], &[R], [&[R]; N]) = unsafe {
        (
            std::slice::from_raw_parts(arrays.p.cast(), arrays.len),
            std::slice::from_raw_parts(arrays.g.cast(), arrays.len),
            std::array::from_fn(|i| {
                std::slice::from_raw_parts(arrays.states[i].cast(), arrays.len)
            }),
        )
    };
    let terms = |p: R, g: R, s: [R; N]| {
        let (p, g) = prelude.before::<DECAY>(p, g);
        U::terms(&k, p, g, s)
    };
    let mut local: [Accumulators; M] = std::array::from_fn(|m| sums[m]);
    let (p_blocks, p_rest) = p.as_chunks::<LANES>();
    let (g_blocks, g_rest) = g.as_chunks::<LANES>();
    let blocks: [&[[R; LANES]]; N] = std::array::from_fn(|i| s[i].as_chunks::<LANES>().0);
    for (b, (p, g)) in p_blocks.iter().zip(g_blocks).enumerate() {
        let s: [&[R; LANES]; N] = std::array::from_fn(|i| &blocks[i][b]);
        let mut block = [[R::constant(0.0); LANES]; M];
        for lane in 0..LANES {
            let terms = terms(p[lane], g[lane], std::array::from_fn(|i| s[i][lane]));
            (0..M).for_each(|m| block[m][lane] = terms[m]);
        }
        for m in 0..M {
            for (sum, term) in local[m].iter_mut().zip(block[m]) {
                add_term::<R, FUSED>(U::ADDED[m], term, sum);
            }
        }
    }
    let first = p_blocks.len() * LANES;
    for (lane, (p, g)) in p_rest.iter().zip(g_rest).enumerate() {
        let terms = terms(*p, *g, std::array::from_fn(|i| s[i][first + lane]));
        (0..M).for_each(|m| add_term::<R, FUSED>(U::ADDED[m], terms[m], &mut local[m][lane]));
    }
    sums[..M].copy_from_slice(&local);
}

macro_rules! tier {
    ($name:ident, $fused:literal $(, $features:literal)?) => {
        /// SAFETY: as for [`Terms`].
        $(#[target_feature(enable = $features)])?
        unsafe fn $name<const N: usize, const M: usize, U, R, const DECAY: bool>(
            block: &Block,
            arrays: &Dense,
            sums: &mut [Accumulators; MAX_SUMS],
        ) where
            U: Measuring<N, M>,
            R: Compute + Stored + Into<f64>,
        {
            // SAFETY: passed on from the caller.
            unsafe { add::<N, M, U, R, DECAY, $fused>(block, arrays, sums) }
        }
    };
}

fn tiers<const N: usize, const M: usize, U, R, const DECAY: bool>() -> Tiers
where
    U: Measuring<N, M>,
    R: Compute + Stored + Into<f64>,
{
    tier!(baseline, false);
    #[cfg(target_arch = "x86_64")]
    tier!(avx2, true, "avx2,fma");
    #[cfg(target_arch = "x86_64")]
    tier!(avx512, true, "avx512f,avx512vl,avx512bw,avx512dq,fma");
    [
        baseline::<N, M, U, R, DECAY>,
        #[cfg(target_arch = "x86_64")]
        avx2::<N, M, U, R, DECAY>,
        #[cfg(target_arch = "x86_64")]
        avx512::<N, M, U, R, DECAY>,
    ]
}
