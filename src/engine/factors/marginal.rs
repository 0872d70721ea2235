//! The loop that adds up squares along a row and along the columns it crosses, for each tier.

use crate::engine::block::Block;
use crate::engine::leaf::Accumulators;
use crate::engine::tier;
use crate::number::{Compute, Precision};
use crate::rules::LANES;

/// Elements of a row in the compute type, the first for accumulator 0; and the sums of their columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) g: *const u8,
    /// Of no meaning where weight decay is not added to the gradient.
    pub(super) p: *const u8,
    pub(super) len: usize,
    pub(super) columns: *mut f64,
}

/// Adds the square of each gradient, as it is after the prelude, to the row's accumulators and to its column.
///
/// SAFETY of a call: the pointers are aligned and valid for `len` elements, the columns' sums are nobody's
/// else, and the CPU has the tier.
pub(super) type Marginal = unsafe fn(&Block, &Stretch, &mut Accumulators);

type Tiers = [Marginal; tier::NAMES.len()];

/// The loop for the tier in use.
pub(super) fn marginal(precision: Precision, coupled_decay: bool) -> Marginal {
    let tiers = match (precision, coupled_decay) {
        (Precision::F32, true) => tiers::<f32, true>(),
        (Precision::F32, false) => tiers::<f32, false>(),
        (Precision::F64, true) => tiers::<f64, true>(),
        (Precision::F64, false) => tiers::<f64, false>(),
    };
    tiers[tier::index()]
}

/// SAFETY: as for [`Marginal`].
#[inline(always)]
unsafe fn add<R: Compute + Into<f64>, const DECAY: bool, const FUSED: bool>(
    block: &Block,
    stretch: &Stretch,
    row: &mut Accumulators,
) {
    let prelude = block.prelude.rounded::<R>();
    let Stretch { g, p, len, columns } = *stretch;
    // SAFETY: the caller vouches for pointers and length; without decay the gradient stands for the
    // parameter, which changes nothing.
    let (g, p, columns) = unsafe {
        (
            std::slice::from_raw_parts(g.cast::<R>(), len),
            std::slice::from_raw_parts(if DECAY { p } else { g }.cast::<R>(), len),
            std::slice::from_raw_parts_mut(columns, len),
        )
    };
    let add = |g: R, p: R, sums: [&mut f64; 2]| {
        let g = prelude.before::<DECAY>(p, g).1;
        sums.into_iter().for_each(|sum| *sum = g.add_square::<FUSED>(*sum));
    };
    let (g_blocks, g_rest) = g.as_chunks::<LANES>();
    let (p_blocks, p_rest) = p.as_chunks::<LANES>();
    let (blocks, rest) = columns.as_chunks_mut::<LANES>();
    let mut local = *row;
    for ((g, p), columns) in g_blocks.iter().zip(p_blocks).zip(blocks) {
        for lane in 0..LANES {
            add(g[lane], p[lane], [&mut local[lane], &mut columns[lane]]);
        }
    }
    *row = local;
    for (((g, p), column), sum) in g_rest.iter().zip(p_rest).zip(rest).zip(row) {
        add(*g, *p, [sum, column]);
    }
}

macro_rules! tier {
    ($name:ident, $fused:literal $(, $features:literal)?) => {
        /// SAFETY: as for [`Marginal`].
        $(#[target_feature(enable = $features)])?
        unsafe fn $name<R: Compute + Into<f64>, const DECAY: bool>(
            block: &Block,
            stretch: &Stretch,
            row: &mut Accumulators,
        ) {
            // SAFETY: passed on from the caller.
            unsafe { add::<R, DECAY, $fused>(block, stretch, row) }
        }
    };
}

fn tiers<R: Compute + Into<f64>, const DECAY: bool>() -> Tiers {
    tier!(baseline, false);
    #[cfg(target_arch = "x86_64")]
    tier!(avx2, true, "avx2,fma");
    #[cfg(target_arch = "x86_64")]
    tier!(avx512, true, "avx512f,avx512vl,avx512bw,avx512dq,fma");
    [
        baseline::<R, DECAY>,
        #[cfg(target_arch = "x86_64")]
        avx2::<R, DECAY>,
        #[cfg(target_arch = "x86_64")]
        avx512::<R, DECAY>,
    ]
}
