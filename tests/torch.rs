//! The engine against torch's recorded runs: the same files that the Python tests read, without
//! Python in between. The bounds and their reasons are in torch-bounds.json.

#![allow(clippy::expect_used)] // a wrong input file or argument should end the program

#[path = "support/table.rs"]
mod table;

use ferrostep::engine::{Block, Plan, View, compile};
use ferrostep::number::{Kind, Precision};
use ferrostep::rules::{Clock, MAX_SUMS, Memory, PreludeOptions, Value};
use serde_json::Value as Json;
use table::Given;

fn flat(values: &Json, into: &mut Vec<f64>) {
    match values {
        Json::Array(items) => items.iter().for_each(|item| flat(item, into)),
        other => into.push(other.as_f64().expect("a number")),
    }
}

/// One parameter, kept in the bytes of its type.
struct Array {
    bytes: Vec<u64>, // for their alignment
    kind: Kind,
    len: usize,
}

impl Array {
    fn new(values: &[f64], kind: Kind) -> Self {
        let mut array = Array { bytes: vec![0; values.len().max(1)], kind, len: values.len() };
        for (i, &x) in values.iter().enumerate() {
            // SAFETY: there are 8 bytes for each value.
            unsafe {
                match kind {
                    Kind::F32 => array.bytes.as_mut_ptr().cast::<f32>().add(i).write(x as f32),
                    _ => array.bytes.as_mut_ptr().cast::<f64>().add(i).write(x),
                }
            }
        }
        array
    }

    fn get(&self, i: usize) -> f64 {
        // SAFETY: `new` wrote this value.
        unsafe {
            match self.kind {
                Kind::F32 => f64::from(self.bytes.as_ptr().cast::<f32>().add(i).read()),
                _ => self.bytes.as_ptr().cast::<f64>().add(i).read(),
            }
        }
    }

    fn view(&mut self) -> View {
        View::line(self.bytes.as_mut_ptr().cast(), self.kind, self.len)
    }
}

/// The largest distance from torch's parameters in ULP of the largest magnitude so far.
fn distance(case: &Json, given: &Given) -> f64 {
    let (kind, precision, epsilon) = match case["dtype"].as_str() {
        Some("float32") => (Kind::F32, Precision::F32, f64::from(f32::EPSILON)),
        _ => (Kind::F64, Precision::F64, f64::EPSILON),
    };
    let values = |json: &Json| {
        let mut values = Vec::new();
        flat(json, &mut values);
        values
    };
    let mut params: Vec<Array> = Vec::new();
    for p in case["initial"].as_array().expect("a list") {
        params.push(Array::new(&values(p), kind));
    }
    let mut largest: Vec<Vec<f64>> =
        params.iter().map(|p| (0..p.len).map(|i| p.get(i).abs()).collect()).collect();
    let mut states: Vec<Vec<Array>> = params.iter().map(|_| Vec::new()).collect();
    let mut counts = vec![0; params.len()];
    let mut memories = vec![None; params.len()];
    let mut worst = 0.0_f64;
    for step in 0..12 {
        let lr = case["learning_rates"][step].as_f64().expect("a rate");
        let options = given.clone().with(&[("lr", Value::Number(lr))]).options();
        let (method, kernel) = compile(&given.rule, &options).expect("complete");
        let prelude = PreludeOptions::read(&options, &*method).expect("complete");
        for (i, p) in params.iter_mut().enumerate() {
            let gradient = &case["gradients"][step][i];
            if gradient.is_null() {
                continue;
            }
            counts[i] += 1;
            let memory = memories[i].unwrap_or_else(|| Memory::first(&method.memory()));
            let clock = Clock { t: counts[i], fresh: states[i].is_empty(), kind, memory };
            memories[i] = Some(method.remember(clock, &[0.0; MAX_SUMS]));
            if states[i].is_empty() {
                let made = method.states().into_iter();
                states[i] = made.map(|s| Array::new(&vec![s.initial; p.len], kind)).collect();
            }
            let mut g = Array::new(&values(gradient), kind);
            let mut plan = Plan::new();
            let block = plan.block(Block::new(method.scalars(clock), &prelude, precision));
            let block = block.expect("memory");
            let views: Vec<View> = states[i].iter_mut().map(Array::view).collect();
            let decay = prelude.coupled_decay();
            // SAFETY: the arrays live until the run is over and are all distinct.
            unsafe {
                plan.push(kernel, decay, block, &p.view(), &g.view(), &views).expect("one type");
                plan.run(1);
            }
        }
        for (i, wanted) in
            case["parameters_after_each_step"][step].as_array().expect("a list").iter().enumerate()
        {
            for (j, wanted) in values(wanted).into_iter().enumerate() {
                let found = params[i].get(j);
                let reach = &mut largest[i][j];
                *reach = reach.max(found.abs()).max(wanted.abs());
                // The spacing at `reach`: its power of two times epsilon.
                let ulp = reach.max(f64::MIN_POSITIVE).log2().floor().exp2() * epsilon;
                worst = worst.max((found - wanted).abs() / ulp);
            }
        }
    }
    worst
}

#[test]
fn torch_vectors() {
    let text = include_str!("vectors/torch.json");
    let file: Json = serde_json::from_str(text).expect("the file is JSON");
    let bounds: Json =
        serde_json::from_str(include_str!("vectors/torch-bounds.json")).expect("the file is JSON");
    let bounds = bounds.as_object().expect("rows of classes");
    let of_p = |row: &Json| row["p"].as_f64().expect("a number");
    // For a class that has no bounds of its own yet.
    let widest = bounds.values().map(of_p).fold(0.0, f64::max);
    let mut run = 0;
    for case in file["cases"].as_array().expect("a list") {
        let name = case["optimizer"].as_str().expect("a name");
        let options = case["options"].as_object().expect("options are an object");
        let Some(given) = Given::of(name, options) else { continue };
        let bound = bounds.get(name).map_or(widest, of_p);
        let found = distance(case, &given);
        assert!(found <= bound, "{name} {options:?}: {found} ULP");
        run += u64::from(bounds.contains_key(name));
    }
    let wanted: u64 = bounds.values().map(|row| row["cases"].as_u64().expect("a count")).sum();
    assert_eq!(run, wanted, "a recorded case was left out");
}
