//! What a step is held against: one element after the other in plain Rust, with the crate `half` for
//! the 16-bit types.

#![allow(unreachable_pub)] // a part of the test `storage`

use ferrostep::engine::{Block, DenseTask, Plan, RuleLoops, View, compile, tier};
use ferrostep::number::{Compute, Kind, Kinds, Precision};
use ferrostep::rules::{
    self, Clock, Memory, Prelude, PreludeOptions, Rule, ScalarBlock, Scalars, Visitor,
};
use half::{bf16, f16};

use super::table::Given;

/// A number of one kind, by its bits.
pub fn read(kind: Kind, bits: u64) -> f64 {
    match kind {
        Kind::F16 => f16::from_bits(bits as u16).to_f64(),
        Kind::BF16 => bf16::from_bits(bits as u16).to_f64(),
        Kind::F32 => f32::from_bits(bits as u32).into(),
        Kind::F64 => f64::from_bits(bits),
    }
}

/// The bits of `x`, a float32 where the kind is narrower (`half` 2.7 drops the low bits of a
/// float64 and so sees ties where there are none), rounded once; every NaN as the one that is written in hexadecimal.
pub fn write(kind: Kind, x: f64) -> u64 {
    match kind {
        Kind::F16 if x.is_nan() => 0x7E00,
        Kind::BF16 if x.is_nan() => 0x7FC0,
        Kind::F16 => f16::from_f32_const(x as f32).to_bits().into(),
        Kind::BF16 => bf16::from_f32_const(x as f32).to_bits().into(),
        Kind::F32 if x.is_nan() => 0x7FC0_0000,
        Kind::F32 => (x as f32).to_bits().into(),
        Kind::F64 if x.is_nan() => 0x7FF8_0000_0000_0000,
        Kind::F64 => x.to_bits(),
    }
}

/// Numbers of one kind in memory, `gap` unused ones after each, the bytes perhaps reversed.
#[derive(Clone)]
pub struct Array {
    bytes: Vec<u64>, // for their alignment
    kind: Kind,
    len: usize,
    gap: usize,
    swapped: bool,
}

impl Array {
    fn new(kind: Kind, values: &[u64], gap: usize, swapped: bool) -> Self {
        let bytes = vec![0; values.len() * (1 + gap) + 1];
        let mut array = Array { bytes, kind, len: values.len(), gap, swapped };
        for (i, value) in values.iter().enumerate() {
            let size = kind.size();
            let mut native = value.to_ne_bytes()[..size].to_vec();
            if swapped {
                native.reverse();
            }
            array.place(i).copy_from_slice(&native);
        }
        array
    }

    fn place(&mut self, i: usize) -> &mut [u8] {
        let size = self.kind.size();
        let begin = i * (1 + self.gap) * size;
        let len = self.bytes.len() * 8;
        // SAFETY: these are the vector's bytes.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.bytes.as_mut_ptr().cast(), len) };
        &mut bytes[begin..begin + size]
    }

    /// The bits of each number; of results, every NaN in one form, and none a signalling one.
    fn values(&mut self, results: bool) -> Vec<u64> {
        let (kind, swapped, len) = (self.kind, self.swapped, self.len);
        let value = |i| {
            let mut bytes = self.place(i).to_vec();
            if swapped {
                bytes.reverse();
            }
            bytes.resize(8, 0);
            let bits = u64::from_ne_bytes(bytes.try_into().unwrap());
            let x = read(kind, bits);
            if results && x.is_nan() {
                let quiet = write(kind, f64::NAN);
                assert_eq!(bits & quiet, quiet, "a signalling NaN was stored: {bits:#x}");
                return quiet;
            }
            bits
        };
        (0..len).map(value).collect()
    }

    fn view(&mut self) -> View {
        let mut view = View::line(self.bytes.as_mut_ptr().cast(), self.kind, self.len);
        view.strides[0] *= 1 + self.gap as isize;
        view.format.swapped = self.swapped;
        view
    }
}

pub type Model = fn(Precision, bool, &ScalarBlock, &Prelude<f64>, f64, f64, &mut [f64]) -> f64;

/// A rule on one number.
struct ByElement;

impl Visitor for ByElement {
    type Output = Model;

    fn visit<const N: usize, U: Rule<N>>(self) -> Model {
        fn step<const N: usize, U: Rule<N>, R: Compute + Into<f64>>(
            decay: bool,
            scalars: &ScalarBlock,
            prelude: &Prelude<f64>,
            (p, g): (f64, f64),
            states: &mut [f64],
        ) -> f64 {
            let k = U::Scalars::<R>::read(|i| R::constant(scalars[i]));
            let prelude: Prelude<R> = prelude.rounded();
            let (p, g) = (R::constant(p), R::constant(g));
            let old = std::array::from_fn(|i| R::constant(states[i]));
            let (p, g) =
                if decay { prelude.before::<true>(p, g) } else { prelude.before::<false>(p, g) };
            let (p, new): (R, [R; N]) = U::update(&k, p, g, old);
            for (state, new) in states.iter_mut().zip(new) {
                *state = prelude.after(new).into();
            }
            p.into()
        }
        |precision, decay, scalars, prelude, p, g, states| match precision {
            Precision::F32 => step::<N, U, f32>(decay, scalars, prelude, (p, g), states),
            Precision::F64 => step::<N, U, f64>(decay, scalars, prelude, (p, g), states),
        }
    }
}

pub struct Case {
    pub kernel: RuleLoops,
    model: Model,
    pub prelude: PreludeOptions,
    pub scalars: ScalarBlock,
    pub states: usize,
}

impl Case {
    pub fn new(given: &Given) -> Self {
        let options = given.options();
        let (method, kernel) = compile(&given.rule, &options).expect("complete");
        let (_, model) = rules::method(&given.rule, &options, ByElement).expect("complete");
        let prelude = PreludeOptions::read(&options, &*method).expect("complete");
        let scalars = method.scalars(Clock {
            t: 3,
            fresh: false,
            kind: Kind::F32,
            memory: Memory::first(&method.memory()),
        });
        Case { kernel, model, prelude, scalars, states: method.states().len() }
    }

    /// The parameter and the states after a step of the model.
    pub fn expected(&self, kinds: &[Kind], old: &[Vec<u64>]) -> Vec<Vec<u64>> {
        let precision = Precision::of(kinds[0]);
        let smallest_normal = match precision {
            Precision::F32 => f32::MIN_POSITIVE.into(),
            Precision::F64 => f64::MIN_POSITIVE,
        };
        let prelude = self.prelude.scalars(smallest_normal);
        let decay = self.prelude.coupled_decay();
        let mut new = old.to_vec();
        for i in 0..old[0].len() {
            let at = |a: usize| read(kinds[a], old[a][i]);
            let mut states: Vec<f64> = (2..kinds.len()).map(at).collect();
            let p =
                (self.model)(precision, decay, &self.scalars, &prelude, at(0), at(1), &mut states);
            new[0][i] = write(kinds[0], p);
            for (a, state) in states.into_iter().enumerate() {
                new[2 + a][i] = write(kinds[2 + a], state);
            }
        }
        new
    }

    /// One step of the engine on arrays of these kinds.
    pub fn found(
        &self,
        kinds: &[Kind],
        old: &[Vec<u64>],
        threads: usize,
        layout: Layout,
    ) -> Vec<Vec<u64>> {
        let mut arrays: Vec<Array> = kinds
            .iter()
            .zip(old)
            .enumerate()
            .map(|(a, (kind, values))| match layout {
                Layout::Strided => Array::new(*kind, values, a % 3, a % 2 == 0),
                _ => Array::new(*kind, values, 0, false),
            })
            .collect();
        let views: Vec<View> = arrays.iter_mut().map(Array::view).collect();
        let mut plan = Plan::new();
        let precision = Precision::of(kinds[0]);
        let block = plan.block(Block::new(self.scalars, &self.prelude, precision)).unwrap();
        let decay = self.prelude.coupled_decay();
        let [p, g, states @ ..] = &views[..] else { unreachable!() };
        // SAFETY: the arrays are distinct and live until the run is over.
        unsafe {
            let state = kinds.get(2).copied().unwrap_or(precision.kind());
            let kinds = Kinds { p: kinds[0], g: kinds[1], state };
            let pointers = states.iter().map(|state| state.data);
            let prepared =
                DenseTask::new(self.kernel, decay, tier::index(), kinds, p.data, pointers, p.len());
            match prepared {
                Some(prepared) if layout == Layout::Prepared => {
                    plan.push_dense(&prepared, block, g.data).unwrap();
                }
                _ => plan
                    .push(self.kernel, decay, block, p, g, states)
                    .expect("the contract allows these kinds"),
            }
            plan.run(threads);
        }
        arrays.iter_mut().enumerate().map(|(a, array)| array.values(a != 1)).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Layout {
    Prepared,
    Dense,
    Strided,
}

/// Numbers of all sizes, special ones at prime distances. A state that a root is taken of may be
/// negative too: NaN is a result like others.
pub fn values(kind: Kind, len: usize, seed: u64) -> Vec<u64> {
    const SPECIAL: [f64; 14] = [
        0.0,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        65519.0,
        -65504.0,
        3e38,
        6e-8,
        -3e-5,
        1e-39,
        1e-45,
        -1e-300,
        5e-324,
    ];
    let mut state = seed;
    let number = |i: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let uniform = (state >> 11) as f64 / (1u64 << 53) as f64 - 0.3;
        match i % 5 {
            _ if (i as u64 + seed).is_multiple_of(11) => {
                write(kind, SPECIAL[(i / 11 + seed as usize) % SPECIAL.len()])
            }
            0 => write(kind, uniform * 1e-6),
            1 => write(kind, uniform * 3e4), // float16 overflows from it
            2 if kind.size() == 2 => state >> 48, // any pattern, signalling NaNs among them
            _ => write(kind, uniform),
        }
    };
    (0..len).map(number).collect()
}
