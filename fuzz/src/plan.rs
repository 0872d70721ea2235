//! A step over parameters in any layout and storage, against one element after the other: the same
//! rule on arrays of one element each, read and written by index. Bytes between elements stay.

use std::sync::LazyLock;

use super::arrays::{self, Array, KINDS};
use super::table::{self, Given};
use arbitrary::Unstructured;
use ferrostep::engine::{Block, Plan, RuleLoops, View, compile, tier};
use ferrostep::number::{Kind, Precision};
use ferrostep::rules::{Clock, Memory, PreludeOptions, Value};

/// A case of the table, perhaps with other values for its options.
pub(super) fn given(u: &mut Unstructured<'_>) -> arbitrary::Result<Given> {
    static CASES: LazyLock<Vec<Given>> = LazyLock::new(table::cases);
    let mut given = u.choose(&CASES)?.clone();
    for (name, value) in &mut given.values {
        match value {
            Value::Number(usual) if u.ratio(1, 4)? => {
                *usual = *u.choose(&[0.0, 1.0, 0.5, 1e-30, 1e30])?;
            }
            Value::Flag(flag) => *flag = u.arbitrary()?,
            Value::Word(_) => {
                let same = |case: &&Given| case.rule == given.rule;
                let all = CASES.iter().filter(same).map(|case| case.values[name].clone());
                *value = u.choose(&all.collect::<Vec<_>>())?.clone();
            }
            Value::Number(_) | Value::Pair(..) | Value::Triple(..) => {}
        }
    }
    Ok(given)
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
pub(super) fn slowly(kernel: RuleLoops, coupled: bool, block: Block, arrays: &mut [Array]) {
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
    let given = given(u)?;
    let (name, options) = (&given.name, given.options());
    let (method, kernel) = compile(&given.rule, &options).unwrap();
    let prelude = PreludeOptions::read(&options, &*method).unwrap();
    let threads = u.int_in_range(1..=3)?;
    let mut plan = Plan::new();
    let mut tensors = Vec::new();
    for _ in 0..u.int_in_range(1..=3)? {
        let memory = Memory::first(&method.memory());
        let clock = Clock {
            t: u.int_in_range(1..=1 << 40)?,
            fresh: u.arbitrary()?,
            kind: Kind::F32,
            memory,
        };
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
