//! One element after the other: what the parameters of an optimizer should be after its steps.

use std::collections::HashMap;

use ferrostep::engine::{Block, Occurrences};
use ferrostep::number::{Format, Precision};
use ferrostep::optimizer::Compiled;
use ferrostep::rules::{Clock, MAX_SUMS, Memory, State};

use super::arrays::Array;
use super::plan::slowly;
use super::table::Given;
use super::vectors::Held;

/// A parameter as it should be.
pub struct Model {
    pub group: usize,
    pub t: u64,
    pub memory: Option<Memory>,
    pub param: Array,
    pub states: HashMap<String, Array>,
}

impl Model {
    pub fn step(&mut self, compiled: &Compiled, gradient: &Held, scale: f64) {
        let precision = Precision::of(self.param.format.kind);
        let kind = compiled.state_kind.unwrap_or(precision.kind());
        let mut fresh = false;
        let mut arrays = vec![self.param.clone(), gradient.array()];
        for State { name, initial } in &compiled.plain.states {
            let state = self.states.remove(*name).unwrap_or_else(|| {
                fresh = true;
                let mut state = Array::plain(&self.param.shape, Format::native(kind));
                (0..state.len()).for_each(|i| state.set_value(i, *initial));
                state
            });
            arrays.push(state);
        }
        self.t += 1;
        let memory = self.memory.unwrap_or(Memory::first(&compiled.memory));
        let clock = Clock { t: self.t, fresh, kind: self.param.format.kind, memory };
        let scalars = compiled.method.scalars(clock);
        self.memory = Some(compiled.method.remember(clock, &[0.0; MAX_SUMS]));
        let block = Block::new(scalars, &compiled.prelude, precision).scaled(scale);
        let decay = compiled.prelude.coupled_decay();
        match gradient.rows() {
            None => slowly(compiled.plain.loops, decay, block, &mut arrays),
            Some(rows) => {
                let (elements, mut some) = touched(rows, &arrays, precision);
                slowly(compiled.plain.loops, decay, block, &mut some);
                for (a, (array, some)) in arrays.iter_mut().zip(some).enumerate() {
                    let new = |(at, i): (usize, &usize)| array.set_bits(*i, some.bits(at));
                    if a != 1 {
                        elements.iter().enumerate().for_each(new);
                    }
                }
            }
        }
        let states = arrays.drain(2..).collect::<Vec<_>>();
        self.param = arrays.swap_remove(0);
        for (State { name, .. }, state) in compiled.plain.states.iter().zip(states) {
            self.states.insert((*name).to_owned(), state);
        }
    }
}

/// What the model can follow: it has no sums over whole tensors.
pub fn compiled(given: &Given) -> Option<Compiled> {
    let made = Compiled::new(&given.rule, &given.options()).ok()?;
    made.plain.loops.measuring().is_none().then_some(made)
}

/// Which elements the rows have, in C order, and these alone of a parameter, of its gradient's values
/// added up, and of its states.
fn touched(rows: &Occurrences, arrays: &[Array], precision: Precision) -> (Vec<usize>, Vec<Array>) {
    let len: usize = arrays[0].shape[1..].iter().product();
    let single = precision == Precision::F32;
    let elements: Vec<usize> =
        rows.rows().iter().flat_map(|row| row * len..(row + 1) * len).collect();
    let mut some: Vec<Array> = arrays
        .iter()
        .map(|array| {
            let mut some = Array::plain(&[elements.len()], Format::native(array.format.kind));
            if array.shape == arrays[0].shape {
                elements.iter().enumerate().for_each(|(at, i)| some.set_bits(at, array.bits(*i)));
            }
            some
        })
        .collect();
    some[1] = Array::plain(&[elements.len()], Format::native(precision.kind()));
    for at in 0..elements.len() {
        let values =
            rows.places(at / len).iter().map(|p| arrays[1].value(p * len + at % len, single));
        let add = |a: f64, b: f64| if single { (a as f32 + b as f32).into() } else { a + b };
        some[1].set_value(at, values.reduce(add).unwrap());
    }
    (elements, some)
}
