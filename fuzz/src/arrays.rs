//! Arrays in random layouts, each in an allocation of just its extent, and their elements read and
//! written by index, without the engine.

use arbitrary::{Arbitrary, Unstructured};
use ferrostep::engine::View;
use ferrostep::number::{Format, Kind};

pub const KINDS: [Kind; 4] = [Kind::F16, Kind::BF16, Kind::F32, Kind::F64];

pub fn shape(u: &mut Unstructured<'_>) -> arbitrary::Result<Vec<usize>> {
    let mut shape = Vec::new();
    for _ in 0..u.int_in_range(0..=4)? {
        let most = if shape.is_empty() { 700 } else { 9 };
        shape.push(if u.ratio(1, 4)? { u.int_in_range(0..=most)? } else { u.int_in_range(1..=5)? });
    }
    Ok(shape)
}

/// A linear congruential generator: the fuzzer's own bytes are too few for values.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }
}

/// An array with memory of its own: bytes before and behind it are the sanitizer's.
#[derive(Clone)]
pub struct Array {
    memory: Vec<u8>,
    /// Where the element of index 0 begins.
    origin: usize,
    pub format: Format,
    pub shape: Vec<usize>,
    pub strides: Vec<isize>,
}

impl Array {
    /// In C order without gaps, aligned, all zeros.
    pub fn plain(shape: &[usize], format: Format) -> Self {
        let (size, len) = (format.kind.size(), shape.iter().product::<usize>());
        let mut strides = vec![0; shape.len()];
        let mut span = size as isize;
        for (stride, &n) in strides.iter_mut().zip(shape).rev() {
            *stride = span;
            span *= n as isize;
        }
        let memory = vec![0; len * size + size];
        let origin = memory.as_ptr().align_offset(size);
        Array { memory, origin, format, shape: shape.to_vec(), strides }
    }

    /// In some order of axes, with gaps, reversed axes and misalignment, or without any of these.
    pub fn arbitrary(
        u: &mut Unstructured<'_>,
        shape: &[usize],
        kind: Kind,
    ) -> arbitrary::Result<Self> {
        let swapped = u.ratio(1, 8)?;
        let mut axes: Vec<usize> = (0..shape.len()).collect();
        let plain = u.ratio(1, 2)?;
        if !plain {
            for i in 1..axes.len() {
                let j = u.int_in_range(0..=i)?;
                axes.swap(i, j);
            }
        }
        let mut strides = vec![0; shape.len()];
        let (mut span, mut below, mut above) = (kind.size(), 0, 0);
        for &axis in axes.iter().rev() {
            let n = shape[axis].max(1);
            let gap = match () {
                () if plain || u.ratio(3, 4)? => 0,
                () => u.int_in_range(1..=2 * kind.size())?,
            };
            let stride = span + gap;
            let reversed = !plain && u.ratio(1, 4)?;
            strides[axis] = if reversed { -(stride as isize) } else { stride as isize };
            *(if reversed { &mut below } else { &mut above }) += (n - 1) * stride;
            span += (n - 1) * stride;
        }
        // An axis of length 1 may have any stride.
        for (stride, &n) in strides.iter_mut().zip(shape) {
            if n == 1 && u.ratio(1, 8)? {
                *stride = isize::from(i16::arbitrary(u)?);
            }
        }
        let shift = if plain || u.ratio(3, 4)? { 0 } else { u.int_in_range(1..=7)? };
        let empty = shape.contains(&0);
        let len = if empty { shift } else { shift + below + above + kind.size() };
        let mut random = Random(u.arbitrary()?);
        let memory = (0..len).map(|_| random.next() as u8).collect();
        let origin = if empty { shift } else { shift + below };
        let format = Format { kind, swapped };
        let mut array = Array { memory, origin, format, shape: shape.to_vec(), strides };
        // Any bits are values of all magnitudes, every other one huge: most are to be tame.
        for i in 0..array.len() {
            if !random.next().is_multiple_of(8) {
                array.set_value(i, f64::from(random.next() as i32) / f64::from(1 << 28));
            }
        }
        Ok(array)
    }

    pub fn view(&mut self) -> View {
        let data = self.memory.as_mut_ptr().wrapping_add(self.origin);
        let Array { format, shape, strides, .. } = self.clone();
        View { data, format, shape: shape.into(), strides: strides.into() }
    }

    /// The address of the element of index 0.
    pub fn address(&mut self) -> usize {
        self.memory.as_mut_ptr().wrapping_add(self.origin).expose_provenance()
    }

    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Where element `i` in C order begins.
    fn place(&self, i: usize) -> usize {
        let (mut rest, mut at) = (i, self.origin as isize);
        for (&n, &stride) in self.shape.iter().zip(&self.strides).rev() {
            at += (rest % n) as isize * stride;
            rest /= n;
        }
        at as usize
    }

    /// The element as the little-endian bits of its type.
    pub fn bits(&self, i: usize) -> u64 {
        let (at, size) = (self.place(i), self.format.kind.size());
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(&self.memory[at..at + size]);
        if self.format.swapped {
            bytes[..size].reverse();
        }
        u64::from_le_bytes(bytes)
    }

    pub fn set_bits(&mut self, i: usize, bits: u64) {
        let (at, size) = (self.place(i), self.format.kind.size());
        let mut bytes = bits.to_le_bytes();
        if self.format.swapped {
            bytes[..size].reverse();
        }
        self.memory[at..at + size].copy_from_slice(&bytes[..size]);
    }

    /// The element as a float64, rounded to float32 first where that is computed in.
    pub fn value(&self, i: usize, single: bool) -> f64 {
        let bits = self.bits(i);
        match self.format.kind {
            Kind::F16 => half::f16::from_bits(bits as u16).to_f64(),
            Kind::BF16 => half::bf16::from_bits(bits as u16).to_f64(),
            Kind::F32 => f32::from_bits(bits as u32).into(),
            Kind::F64 if single => (f64::from_bits(bits) as f32).into(),
            Kind::F64 => f64::from_bits(bits),
        }
    }

    /// Writes a result that is exact in the type computed in, rounded once.
    pub fn set_value(&mut self, i: usize, value: f64) {
        let bits = match self.format.kind {
            Kind::F16 => half::f16::from_f32(value as f32).to_bits().into(),
            Kind::BF16 => half::bf16::from_f32(value as f32).to_bits().into(),
            Kind::F32 => (value as f32).to_bits().into(),
            Kind::F64 => value.to_bits(),
        };
        self.set_bits(i, bits);
    }

    /// The same bytes, every NaN element as one and the same.
    pub fn canonical(mut self) -> Vec<u8> {
        for i in 0..self.len() {
            if self.value(i, false).is_nan() {
                self.set_value(i, f64::NAN);
            }
        }
        self.memory
    }
}
