//! A step over parameters in any layout and storage, against one element after the other: the same
//! rule on arrays of one element each, read and written by index. Bytes between elements stay.

use super::arrays::{self, Array, KINDS};
use arbitrary::Unstructured;
use ferrostep::engine::{Block, Kernel, Plan, View, compile, tier};
use ferrostep::number::{Kind, Precision};
use ferrostep::rules::{Clock, NAMES, Options, PreludeOptions, Value};

fn options(u: &mut Unstructured<'_>) -> arbitrary::Result<Options> {
    let number = |u: &mut Unstructured<'_>, usual: f64| -> arbitrary::Result<f64> {
        Ok(if u.ratio(3, 4)? { usual } else { *u.choose(&[0.0, 1.0, 0.5, 1e-30, 1e30])? })
    };
    let numbers = [
        ("lr", 0.1),
        ("weight_decay", 0.0),
        ("momentum", 0.9),
        ("dampening", 0.3),
        ("eps", 1e-8),
        ("alpha", 0.9),
        ("initial_accumulator_value", 0.1),
        ("lr_decay", 0.1),
        ("rho", 0.9),
        ("beta", 0.05),
        ("min_gain", 0.01),
        ("max_gain", 100.0),
    ]; // all options of all rules: each reads its own
    let flags = [
        "decoupled_weight_decay",
        "maximize",
        "flush_subnormals",
        "nesterov",
        "centered",
        "eps_inside_sqrt",
        "amsgrad",
        "bias_correction",
        "epsilon_hat",
    ];
    let mut given = Vec::new();
    for (name, usual) in numbers {
        given.push((name.to_owned(), Value::Number(number(u, usual)?)));
    }
    for name in flags {
        given.push((name.to_owned(), Value::Flag(u.arbitrary()?)));
    }
    given.push(("betas".to_owned(), Value::Pair(0.9, 0.999)));
    given.push(("etas".to_owned(), Value::Pair(0.5, 1.2)));
    given.push(("step_sizes".to_owned(), Value::Pair(1e-6, 50.0)));
    let compare = *u.choose(&["gradient", "velocity"])?;
    given.push(("compare".to_owned(), Value::Word(compare.to_owned())));
    Ok(given.into_iter().collect())
}

/// A parameter, its gradient and its states, in this order.
fn tensor(u: &mut Unstructured<'_>, states: usize) -> arbitrary::Result<Vec<Array>> {
    let shape = arrays::shape(u)?;
    let p = *u.choose(&KINDS)?;
    let one = *u.choose(&KINDS)?;
    let mixed = u.ratio(1, 4)?;
    let mut made = vec![Array::arbitrary(u, &shape, p)?];
    let g = *u.choose(&KINDS)?;
    made.push(Array::arbitrary(u, &shape, g)?);
    for _ in 0..states {
        let kind = if mixed { *u.choose(&KINDS)? } else { one };
        // What the engine refuses is chosen now and then.
        let fits = Precision::of(kind) == Precision::of(p);
        let kind = if fits || u.ratio(1, 16)? { kind } else { Precision::of(p).kind() };
        made.push(Array::arbitrary(u, &shape, kind)?);
    }
    Ok(made)
}

/// One element after the other.
fn slowly(kernel: Kernel, coupled: bool, block: Block, arrays: &mut [Array]) {
    let single = Precision::of(arrays[0].format.kind) == Precision::F32;
    let kind = if single { Kind::F32 } else { Kind::F64 };
    for i in 0..arrays[0].len() {
        let mut values: Vec<[u8; 8]> = arrays
            .iter()
            .map(|array| {
                let value = array.value(i, single);
                if single {
                    u64::from((value as f32).to_bits()).to_le_bytes()
                } else {
                    value.to_le_bytes()
                }
            })
            .collect();
        let views: Vec<View> =
            values.iter_mut().map(|v| View::line(v.as_mut_ptr(), kind, 1)).collect();
        let mut plan = Plan::new();
        let number = plan.block(block).unwrap();
        // SAFETY: the values are disjoint and live until the plan has run.
        unsafe {
            plan.push(kernel, coupled, number, &views[0], &views[1], &views[2..]).unwrap();
            plan.run(1);
        }
        for (a, (array, value)) in arrays.iter_mut().zip(values).enumerate() {
            if a != 1 {
                let bits = u64::from_le_bytes(value);
                let value =
                    if single { f32::from_bits(bits as u32).into() } else { f64::from_bits(bits) };
                array.set_value(i, value);
            }
        }
    }
}

pub fn run(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    tier::force(u.choose(&tier::available())?).unwrap();
    let (name, options) = (*u.choose(NAMES)?, options(u)?);
    let (method, kernel) = compile(name, &options).unwrap();
    let prelude = PreludeOptions::read(&options).unwrap();
    let threads = u.int_in_range(1..=3)?;
    let mut plan = Plan::new();
    let mut tensors = Vec::new();
    for _ in 0..u.int_in_range(1..=3)? {
        let clock = Clock { t: u.int_in_range(1..=1 << 40)?, fresh: u.arbitrary()? };
        tensors.push((clock, tensor(u, kernel.states())?));
    }
    let mut wanted = Vec::new();
    for (clock, arrays) in &mut tensors {
        let precision = Precision::of(arrays[0].format.kind);
        let block = Block::new(method.scalars(*clock), &prelude, precision).scaled(0.75);
        let views: Vec<View> = arrays.iter_mut().map(Array::view).collect();
        let number = plan.block(block).unwrap();
        // SAFETY: the arrays have memory of their own and live until the plan has run.
        let pushed = unsafe {
            plan.push(kernel, prelude.coupled_decay(), number, &views[0], &views[1], &views[2..])
        };
        let fit = arrays[2..].iter().all(|state| Precision::of(state.format.kind) == precision);
        // Dense arrays have a loop or none, tiles refuse; an empty parameter is never looked at.
        assert_eq!(pushed.is_ok(), fit);
        let mut expected = arrays.clone();
        if fit {
            slowly(kernel, prelude.coupled_decay(), block, &mut expected);
        }
        wanted.push(expected);
    }
    // SAFETY: as promised above.
    unsafe { plan.run(threads) };
    for ((_, found), wanted) in tensors.into_iter().zip(wanted) {
        for (a, (found, wanted)) in found.into_iter().zip(wanted).enumerate() {
            assert!(found.canonical() == wanted.canonical(), "array {a} of {name}");
        }
    }
    Ok(())
}
