//! Arrays that cannot be run in place: gathered into a small tile, run by the same loop, scattered.

use std::ops::Range;

use half::f16;

use super::View;
use super::kernel::{Block, Dense, Loop, Precision};
use crate::number::{Format, Kind, Stored};
use crate::rules::MAX_STATES;

/// Elements of a tile: it stays in the first-level cache with all its arrays.
const TILE: usize = 256;
const ARRAYS: usize = 2 + MAX_STATES;

/// A parameter, its gradient and its states (in this order) over common axes, outermost first.
#[derive(Debug)]
pub(super) struct Tiled {
    shape: Vec<usize>,
    arrays: Vec<(Format, *mut u8)>,
    /// By axis, the stride of each array.
    strides: Vec<[isize; ARRAYS]>,
}

impl Tiled {
    /// Axes of length 1 are dropped and the parameter's smallest stride is innermost.
    pub(super) fn new(views: &[&View]) -> Self {
        let p = views[0];
        let mut axes: Vec<usize> = (0..p.shape.len()).filter(|&axis| p.shape[axis] != 1).collect();
        axes.sort_by_key(|&axis| std::cmp::Reverse(p.strides[axis].unsigned_abs()));
        let strides = axes.iter().map(|&axis| {
            let mut strides = [0; ARRAYS];
            for (stride, view) in strides.iter_mut().zip(views) {
                *stride = view.strides[axis];
            }
            strides
        });
        Tiled {
            strides: strides.collect(),
            shape: axes.iter().map(|&axis| p.shape[axis]).collect(),
            arrays: views.iter().map(|view| (view.format, view.data)).collect(),
        }
    }

    /// The stretches along the innermost axis that make up `range`, as each array's offset at the
    /// beginning and a length.
    fn stretches(
        &self,
        range: Range<usize>,
    ) -> impl Iterator<Item = ([isize; ARRAYS], usize)> + '_ {
        let inner = self.shape.last().copied().unwrap_or(1);
        let mut at = range.start;
        std::iter::from_fn(move || {
            if at >= range.end {
                return None;
            }
            let len = (inner - at % inner).min(range.end - at);
            let mut offsets = [0isize; ARRAYS];
            let mut rest = at;
            for (n, strides) in self.shape.iter().zip(&self.strides).rev() {
                let index = (rest % n) as isize;
                rest /= n;
                for (offset, stride) in offsets.iter_mut().zip(strides) {
                    *offset += index * stride;
                }
            }
            at += len;
            Some((offsets, len))
        })
    }

    /// Runs the elements of `range`, counted along the axes.
    ///
    /// SAFETY: the views that it was made of are live and nothing written is aliased; no other
    /// thread has elements of this range.
    pub(super) unsafe fn run(
        &self,
        kernel: Loop,
        block: &Block,
        precision: Precision,
        range: Range<usize>,
    ) {
        // SAFETY: passed on from the caller.
        unsafe {
            match precision {
                Precision::F32 => self.run_in::<f32>(kernel, block, range),
                Precision::F64 => self.run_in::<f64>(kernel, block, range),
            }
        }
    }

    /// SAFETY: as for `run`; `kernel` computes in `R`.
    unsafe fn run_in<R: Stored>(&self, kernel: Loop, block: &Block, range: Range<usize>) {
        let zero = R::constant(0.0);
        let mut tile = [[zero; TILE]; ARRAYS];
        let inner = self.strides.last().copied().unwrap_or_default();
        let mut at = range.start;
        while at < range.end {
            let part = at..range.end.min(at + TILE);
            let mut filled = 0;
            for (offsets, len) in self.stretches(part.clone()) {
                for (a, (format, data)) in self.arrays.iter().enumerate() {
                    let to = &mut tile[a][filled..filled + len];
                    // SAFETY: the offsets are those of elements of a live array.
                    unsafe { gather(*format, data.wrapping_offset(offsets[a]), inner[a], to) };
                }
                filled += len;
            }
            let [p, g, states @ ..] = &mut tile;
            let arrays = Dense {
                p: p.as_mut_ptr().cast(),
                g: g.as_ptr().cast(),
                states: states.each_mut().map(|state| state.as_mut_ptr().cast()),
                len: filled,
            };
            // SAFETY: the tile's arrays are disjoint, aligned and `filled` elements long or more.
            unsafe { kernel(block, &arrays) };
            let mut taken = 0;
            for (offsets, len) in self.stretches(part.clone()) {
                for (a, (format, data)) in self.arrays.iter().enumerate().filter(|(a, _)| *a != 1) {
                    let from = &tile[a][taken..taken + len];
                    // SAFETY: as for gather; parameter and states are the caller's to write.
                    unsafe { scatter(*format, data.wrapping_offset(offsets[a]), inner[a], from) };
                }
                taken += len;
            }
            at = part.end;
        }
    }
}

/// Reads strided elements and converts each once.
///
/// SAFETY: `data` and the strides lead to elements of `format` in live memory.
pub(super) unsafe fn gather<R: Stored>(
    format: Format,
    data: *const u8,
    stride: isize,
    to: &mut [R],
) {
    macro_rules! read {
        ($bits:ty, $convert:expr) => {
            for (i, place) in to.iter_mut().enumerate() {
                let element = data.wrapping_offset(i as isize * stride).cast::<$bits>();
                // SAFETY: the caller vouches for the element; it need not be aligned.
                let bits = unsafe { element.read_unaligned() };
                *place = $convert(if format.swapped { bits.swap_bytes() } else { bits });
            }
        };
    }
    match format.kind {
        Kind::F16 => read!(u16, |bits| R::from_f16(f16::from_bits(bits))),
        Kind::F32 => read!(u32, |bits| R::from_f32(f32::from_bits(bits))),
        Kind::F64 => read!(u64, |bits| R::from_f64(f64::from_bits(bits))),
    }
}

/// Writes strided elements, each rounded once.
///
/// SAFETY: as for `gather`, and the memory is the caller's to write.
unsafe fn scatter<R: Stored>(format: Format, data: *mut u8, stride: isize, from: &[R]) {
    macro_rules! write {
        ($bits:ty, $convert:expr) => {
            for (i, &value) in from.iter().enumerate() {
                let bits: $bits = $convert(value);
                let bits = if format.swapped { bits.swap_bytes() } else { bits };
                let element = data.wrapping_offset(i as isize * stride).cast::<$bits>();
                // SAFETY: the caller vouches for the element; it need not be aligned.
                unsafe { element.write_unaligned(bits) };
            }
        };
    }
    match format.kind {
        Kind::F16 => write!(u16, |x: R| f16::from_f64(x.to_f64()).to_bits()),
        Kind::F32 => write!(u32, |x: R| x.to_f32().to_bits()),
        Kind::F64 => write!(u64, |x: R| x.to_f64().to_bits()),
    }
}
