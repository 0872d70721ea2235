//! Optimizers to step with, and what can be seen of them.

use ferrostep::number::{Format, Kind};
use ferrostep::optimizer::Holder;
use ferrostep::optimizer::{Asked, Compiled, Header, Named, NonFinite, Outcome, Place, Slot, Stop};
use ferrostep::rules::{Options, Scope, Value};

use crate::arrays::Array;
use crate::vectors::{Call, Held, Said, Trained, Vectors};

pub(crate) const ASKED: Asked = Asked {
    grad_scale: 1.0,
    max_norm: None,
    clip: Scope::All,
    norm: None,
    nonfinite: NonFinite::Propagate,
    measure: None,
};

pub(crate) type Result<T> = std::result::Result<T, Stop<Said>>;

/// Adam's options.
pub(crate) fn adam(lr: f64, amsgrad: bool) -> Options {
    [
        ("lr", Value::Number(lr)),
        ("betas", Value::Pair(0.9, 0.999)),
        ("eps", Value::Number(1e-8)),
        ("amsgrad", Value::Flag(amsgrad)),
        ("bias_correction", Value::Flag(true)),
        ("epsilon_hat", Value::Flag(false)),
        ("cautious", Value::Flag(false)),
        ("initial_accumulator_value", Value::Number(0.0)),
        ("weight_decay", Value::Number(0.01)),
        ("decoupled_weight_decay", Value::Flag(false)),
        ("maximize", Value::Flag(false)),
        ("flush_subnormals", Value::Flag(false)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

pub(crate) fn compiled(options: &Options) -> Compiled {
    Compiled::new("Adam", options).unwrap()
}

/// A dense array with these values.
pub(crate) fn array(kind: Kind, values: &[f64]) -> Held {
    array_at(Place::Host, kind, values)
}

pub(crate) fn array_at(place: Place, kind: Kind, values: &[f64]) -> Held {
    let mut array = Array::plain(&[values.len()], Format::native(kind));
    values.iter().enumerate().for_each(|(i, x)| array.set_value(i, *x));
    Held::at(place, array)
}

pub(crate) fn values(held: &Held) -> Vec<f64> {
    let array = held.array();
    (0..array.len()).map(|i| array.value(i, false)).collect()
}

/// A parameter's steps, values and states by name.
type Seen = (u64, Vec<f64>, Vec<(String, Vec<f64>)>);

/// Three parameters in two groups, of odd lengths and two types, and the optimizer that has them.
pub(crate) struct Scene {
    pub(crate) optimizer: Trained,
    pub(crate) params: Vec<Held>,
    pub(crate) call: Call,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Scene::at([Place::Host; 3])
    }

    /// Each parameter in its place.
    pub(crate) fn at(places: [Place; 3]) -> Self {
        let params = vec![
            array_at(places[0], Kind::F32, &[1.0, -2.0, 0.5]),
            array_at(places[1], Kind::F64, &[3.0; 7]),
            array_at(places[2], Kind::F32, &[0.25; 5]),
        ];
        let mut scene = Scene { optimizer: Trained::default(), params, call: Call::default() };
        scene.add(0, 0..2, adam(0.1, false));
        scene.add(1, 2..3, adam(0.2, true));
        scene
    }

    fn add(&mut self, group: usize, which: std::ops::Range<usize>, options: Options) {
        let slots = which.map(|i| self.slot(group, i)).collect();
        self.optimizer.add(slots).unwrap().keep(compiled(&options));
    }

    /// One of its parameters once more.
    pub(crate) fn slot(&self, group: usize, i: usize) -> Slot<Vectors> {
        let held = &self.params[i];
        Slot::new(
            group,
            held.clone(),
            Vectors::read(&self.call, held, Named::Parameter(i)).unwrap(),
        )
    }

    /// A gradient for each parameter, different in each step.
    pub(crate) fn gradients(&self, t: usize) -> Vec<Option<Held>> {
        let gradient = |(i, param): (usize, &Held)| {
            let Header { format, place, .. } = param.header();
            let values: Vec<f64> = (0..param.array().len())
                .map(|k| ((k + 3 * i + 5 * t) as f64).sin() + 0.125)
                .collect();
            Some(array_at(place, format.kind, &values))
        };
        self.params.iter().enumerate().map(gradient).collect()
    }

    pub(crate) fn step(&mut self, gradients: Vec<Option<Held>>) -> Result<Outcome<()>> {
        self.optimizer.step(&self.call, gradients, &ASKED)
    }

    pub(crate) fn asked(
        &mut self,
        gradients: Vec<Option<Held>>,
        asked: Asked,
    ) -> Result<Outcome<()>> {
        self.optimizer.step(&self.call, gradients, &asked)
    }

    /// All that a step may change.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let slots = self.optimizer.slots().iter().zip(&self.params);
        slots
            .map(|(slot, param)| {
                let states = slot.states.iter();
                let states = states.map(|s| (s.name.to_string(), values(&s.array))).collect();
                (slot.step, values(param), states)
            })
            .collect()
    }
}
