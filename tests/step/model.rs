//! Steps against the engine's loops, one element at a time.

use ferrostep::engine::{Block, Plan, View, compile};
use ferrostep::number::{Kind, Precision};
use ferrostep::rules::{Clock, Memory, PreludeOptions};

use crate::scenes::{Scene, adam, values};

/// A parameter with its states, element by element, by the rule's own loop.
pub(crate) struct Model {
    precision: Precision,
    options: ferrostep::rules::Options,
    /// Parameter and states.
    pub(crate) arrays: Vec<Vec<f64>>,
    t: u64,
}

impl Model {
    pub(crate) fn new(kind: Kind, values: &[f64], lr: f64, amsgrad: bool) -> Self {
        let mut arrays = vec![values.to_vec()];
        arrays.resize(if amsgrad { 4 } else { 3 }, vec![0.0; values.len()]);
        Model { precision: Precision::of(kind), options: adam(lr, amsgrad), arrays, t: 0 }
    }

    /// Counts a step that is done elsewhere.
    pub(crate) fn skip(&mut self) {
        self.t += 1;
    }

    pub(crate) fn step(&mut self, gradient: &[f64], scale: f64) {
        self.t += 1;
        let (method, kernel) = compile("Adam", &self.options).unwrap();
        let prelude = PreludeOptions::read(&self.options, &*method).unwrap();
        let scalars = method.scalars(Clock {
            t: self.t,
            fresh: self.t == 1,
            kind: Kind::F32,
            memory: Memory::default(),
        });
        let block = Block::new(scalars, &prelude, self.precision).scaled(scale);
        let kind = self.precision.kind();
        for (i, g) in gradient.iter().enumerate() {
            let mut cells: Vec<u64> = std::iter::once(self.arrays[0][i])
                .chain([*g])
                .chain(self.arrays[1..].iter().map(|state| state[i]))
                .map(|x| match kind {
                    Kind::F64 => x.to_bits(),
                    _ => u64::from((x as f32).to_bits()),
                })
                .collect();
            let views: Vec<View> = cells
                .iter_mut()
                .map(|cell| View::line(std::ptr::from_mut(cell).cast(), kind, 1))
                .collect();
            let mut plan = Plan::new();
            let block = plan.block(block).unwrap();
            // SAFETY: the cells are disjoint and live until the plan has run.
            unsafe {
                plan.push(kernel, true, block, &views[0], &views[1], &views[2..]).unwrap();
                plan.run(1);
            }
            cells.remove(1);
            for (array, cell) in self.arrays.iter_mut().zip(cells) {
                array[i] = match kind {
                    Kind::F64 => f64::from_bits(cell),
                    _ => f32::from_bits(cell as u32).into(),
                };
            }
        }
    }
}

impl Scene {
    /// Models of its parameters.
    pub(crate) fn models(&self) -> Vec<Model> {
        let rates = [(0.1, false), (0.1, false), (0.2, true)];
        let params = self.params.iter().zip(rates);
        params
            .map(|(p, (lr, amsgrad))| Model::new(p.header().format.kind, &values(p), lr, amsgrad))
            .collect()
    }

    pub(crate) fn assert_like(&self, models: &[Model]) {
        for ((step, param, states), model) in self.seen().into_iter().zip(models) {
            assert_eq!(step, model.t);
            assert_eq!(param, model.arrays[0]);
            let states: Vec<_> = states.into_iter().map(|(_, values)| values).collect();
            assert_eq!(states, model.arrays[1..]);
        }
    }
}

#[test]
fn fresh_state_and_later_steps() {
    let mut scene = Scene::new();
    let mut models = scene.models();
    for t in 0..5 {
        let gradients = scene.gradients(t);
        for (model, gradient) in models.iter_mut().zip(&gradients) {
            model.step(&values(gradient.as_ref().unwrap()), 1.0);
        }
        scene.step(gradients).unwrap();
        scene.assert_like(&models);
    }
    assert_eq!(scene.call.made.get(), 2 + 2 + 3);
}

#[test]
fn a_parameter_without_a_gradient_is_left_out() {
    let mut scene = Scene::new();
    let mut models = scene.models();
    for t in 0..4 {
        let mut gradients = scene.gradients(t);
        gradients[t % 3] = None;
        for (model, gradient) in models.iter_mut().zip(&gradients) {
            if let Some(gradient) = gradient {
                model.step(&values(gradient), 1.0);
            }
        }
        scene.step(gradients).unwrap();
        if t > 1 {
            scene.assert_like(&models);
        }
    }
}
