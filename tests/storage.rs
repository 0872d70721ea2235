//! Every combination of storage types, several rules: arrays in place, arrays through the tile, and
//! a model of one element in plain Rust, with the crate `half` for the 16-bit types, agree to the
//! bit at every SIMD tier and thread count.

#![allow(clippy::expect_used, clippy::unwrap_used)] // a failed test is what they are for

use ferrostep::engine::{Block, Kernel, Plan, Prepared, View, compile, is_dense, tier};
use ferrostep::number::{Compute, Kind, Kinds, Precision};
use ferrostep::rules::{
    self, Clock, Options, Prelude, PreludeOptions, Rule, ScalarBlock, Scalars, Value, Visitor,
};
use half::{bf16, f16};

const LENGTHS: [usize; 7] = [0, 1, 7, 63, 257, 1025, 40_001];

/// A number of one kind, by its bits.
fn read(kind: Kind, bits: u64) -> f64 {
    match kind {
        Kind::F16 => f16::from_bits(bits as u16).to_f64(),
        Kind::BF16 => bf16::from_bits(bits as u16).to_f64(),
        Kind::F32 => f32::from_bits(bits as u32).into(),
        Kind::F64 => f64::from_bits(bits),
    }
}

/// The bits of `x`, a float32 where the kind is narrower (`half` 2.7 drops the low bits of a
/// float64 and so sees ties where there are none), rounded once; every NaN as the one that is written in hexadecimal.
fn write(kind: Kind, x: f64) -> u64 {
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
struct Array {
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

type Model = fn(Precision, bool, &ScalarBlock, &Prelude<f64>, f64, f64, &mut [f64]) -> f64;

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

struct Case {
    kernel: Kernel,
    model: Model,
    prelude: PreludeOptions,
    scalars: ScalarBlock,
    states: usize,
}

impl Case {
    fn new(rule: &str, given: &[(&str, Value)]) -> Self {
        let defaults = [
            ("lr", Value::Number(0.01)),
            ("weight_decay", Value::Number(0.0)),
            ("decoupled_weight_decay", Value::Flag(false)),
            ("maximize", Value::Flag(false)),
            ("flush_subnormals", Value::Flag(false)),
            ("eps", Value::Number(1e-8)),
        ];
        let options: Options =
            defaults.iter().chain(given).map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        let (method, kernel) = compile(rule, &options).expect("complete");
        let (_, model) = rules::method(rule, &options, ByElement).expect("complete");
        let prelude = PreludeOptions::read(&options).expect("complete");
        let scalars = method.scalars(Clock { t: 3, fresh: false });
        Case { kernel, model, prelude, scalars, states: method.states().len() }
    }

    /// The parameter and the states after a step of the model.
    fn expected(&self, kinds: &[Kind], old: &[Vec<u64>]) -> Vec<Vec<u64>> {
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
    fn found(
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
            let prepared = Prepared::new(self.kernel, decay, kinds, p.data, pointers, p.len());
            match prepared {
                Some(prepared) if layout == Layout::Prepared => {
                    plan.push_prepared(&prepared, block, g.data).unwrap();
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
enum Layout {
    Prepared,
    Dense,
    Strided,
}

/// Numbers of all sizes, special ones at prime distances. A state that a root is taken of may be
/// negative too: NaN is a result like others.
fn values(kind: Kind, len: usize, seed: u64) -> Vec<u64> {
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

fn cases() -> Vec<(&'static str, Case)> {
    let (number, flag) = (Value::Number, Value::Flag);
    let adam = |extra: &[(&'static str, Value)]| {
        let mut options = vec![
            ("betas", Value::Pair(0.9, 0.999)),
            ("bias_correction", flag(true)),
            ("epsilon_hat", flag(false)),
            ("amsgrad", flag(false)),
        ];
        options.extend_from_slice(extra);
        options
    };
    let sgd = |momentum| {
        vec![
            ("momentum", number(momentum)),
            ("dampening", number(0.0)),
            ("nesterov", flag(false)),
            ("weight_decay", number(0.1)),
        ]
    };
    let decoupled = adam(&[("weight_decay", number(0.1)), ("decoupled_weight_decay", flag(true))]);
    let rprop = [("etas", Value::Pair(0.5, 1.2)), ("step_sizes", Value::Pair(1e-6, 50.0))];
    vec![
        ("SGD without state", Case::new("SGD", &sgd(0.0))),
        ("SGD with momentum and coupled decay", Case::new("SGD", &sgd(0.9))),
        ("Adam", Case::new("Adam", &adam(&[]))),
        ("Adam, decoupled and flushing", {
            let mut options = decoupled;
            options.push(("flush_subnormals", flag(true)));
            Case::new("Adam", &options)
        }),
        ("AMSGrad", Case::new("Adam", &adam(&[("amsgrad", flag(true))]))),
        ("Rprop", Case::new("Rprop", &rprop)),
    ]
}

fn check(name: &str, case: &Case, kinds: &[Kind], lengths: &[usize], threads: &[usize]) {
    for &len in lengths {
        let old: Vec<_> = (1..).zip(kinds).map(|(a, k)| values(*k, len, 97 * a)).collect();
        let expected = case.expected(kinds, &old);
        for tier in tier::available() {
            tier::force(tier).expect("it is available");
            for layout in [Layout::Prepared, Layout::Dense, Layout::Strided] {
                let mixed = kinds[2..].windows(2).any(|pair| pair[0] != pair[1]);
                if mixed && layout == Layout::Prepared {
                    continue; // it takes states of one kind
                }
                for &threads in threads {
                    let found = case.found(kinds, &old, threads, layout);
                    for (a, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        let wrong = (0..len).find(|&i| found[i] != expected[i]);
                        assert!(
                            wrong.is_none(),
                            "{name} {kinds:?} {tier} {layout:?} {threads} threads, array {a}, \
                             element {wrong:?} of {len}: {:#x} is not {:#x}",
                            found[wrong.unwrap_or(0)],
                            expected[wrong.unwrap_or(0)]
                        );
                    }
                }
            }
        }
    }
}

/// One test, since the tier is the process's.
#[test]
fn all_kinds_agree_with_the_model() {
    let narrow = [Kind::F32, Kind::F16, Kind::BF16];
    let all = [Kind::F64, Kind::F32, Kind::F16, Kind::BF16];
    for (name, case) in cases() {
        for g in all {
            let wide: Vec<_> =
                [Kind::F64, g].into_iter().chain(vec![Kind::F64; case.states]).collect();
            check(name, &case, &wide, &LENGTHS[..6], &[1]);
            for p in narrow {
                for state in narrow {
                    let kinds: Vec<_> =
                        [p, g].into_iter().chain(vec![state; case.states]).collect();
                    check(name, &case, &kinds, &LENGTHS[..6], &[1]);
                }
            }
        }
        // Long enough for more than one thread.
        let long = vec![Kind::F32; 2 + case.states];
        check(name, &case, &long, &LENGTHS[6..], &[1, 2, 7]);
        let long = vec![Kind::F16; 2 + case.states];
        check(name, &case, &long, &[90_001], &[1, 2, 7]);
        let mut long = vec![Kind::BF16; 2 + case.states];
        long[0] = Kind::F32;
        check(name, &case, &long, &[70_001], &[1, 2, 7]);
    }
    // States of several kinds.
    let (name, adam) = &cases()[2];
    check(name, adam, &[Kind::F32, Kind::F64, Kind::BF16, Kind::F32], &LENGTHS, &[1, 2]);
    check(name, adam, &[Kind::BF16, Kind::F32, Kind::F32, Kind::F16], &LENGTHS, &[1, 2]);
}

/// Order of axes, and strides that are equal in elements though not in bytes.
#[test]
fn fortran_order_with_other_item_sizes_is_dense() {
    let view = |kind: Kind, strides: [isize; 2]| {
        let mut view = View::line(4096 as *mut u8, kind, 0);
        view.shape = vec![3, 5].into();
        view.strides = strides.map(|stride| stride * kind.size() as isize).to_vec().into();
        view
    };
    let (p, g, m) = (Kind::F32, Kind::F64, Kind::BF16);
    for order in [[5, 1], [1, 3]] {
        assert!(is_dense(&[&view(p, order), &view(g, order), &view(m, order)]));
    }
    assert!(!is_dense(&[&view(p, [5, 1]), &view(g, [5, 1]), &view(m, [1, 3])]));
    let mixed = [view(p, [5, 1]), view(g, [5, 1]), view(m, [5, 1]), view(p, [5, 1])];
    assert!(!is_dense(&mixed.each_ref()));
}

#[test]
fn states_that_cannot_hold_the_results_are_refused() {
    let (_, sgd) = &cases()[1];
    let kind = [(Kind::F64, Kind::F32), (Kind::F32, Kind::F64), (Kind::F64, Kind::BF16)];
    for (p, state) in kind {
        let mut plan = Plan::new();
        let block = plan.block(Block::new(sgd.scalars, &sgd.prelude, Precision::of(p))).unwrap();
        let mut memory = [0u64; 3];
        let views = [p, p, state].map(|kind| View::line(memory.as_mut_ptr().cast(), kind, 1));
        let kinds = Kinds { p, g: p, state };
        let [p, g, m] = &views;
        // SAFETY: nothing is run.
        unsafe {
            plan.push(sgd.kernel, false, block, p, g, std::slice::from_ref(m)).unwrap_err();
        }
        let state = std::iter::once(m.data);
        assert!(Prepared::new(sgd.kernel, false, kinds, p.data, state, 1).is_none());
        assert_eq!(plan.bytes(), 0);
    }
}

#[test]
fn bytes_are_counted_by_each_array() {
    let (_, adam) = &cases()[2];
    let mut plan = Plan::new();
    let block = plan.block(Block::new(adam.scalars, &adam.prelude, Precision::F32)).unwrap();
    let mut memory = [0u64; 40];
    let view = |kind| View::line(memory.as_mut_ptr().cast(), kind, 10);
    let [p, g, m, v] = [Kind::F32, Kind::F64, Kind::BF16, Kind::BF16].map(view);
    // SAFETY: nothing is run.
    unsafe { plan.push(adam.kernel, false, block, &p, &g, &[m, v]) }.unwrap();
    assert_eq!(plan.bytes(), 10 * (2 * 4 + 8 + 2 * 2 * 2));
}
