//! An optimizer over its life: steps in any layout, storage and order of events, against a model that
//! takes one element after the other; what is refused or abandoned changes nothing.

use std::collections::HashMap;

use arbitrary::Unstructured;
use ferrostep::engine::tier;
use ferrostep::number::{Format, Kind};
use ferrostep::optimizer::{Asked, Holder, Named, NonFinite, Slot};
use ferrostep::rules::Scope;

use super::arrays::{self, Array, KINDS};
use super::model::{Model, compiled};
use super::plan::given;
use super::table::Given;
use super::vectors::{Call, Held, Prank, Trained, Vectors};

struct Session {
    optimizer: Trained,
    params: Vec<Held>,
    models: Vec<Model>,
    options: Vec<Given>,
    gradients: Vec<Held>,
    call: Call,
}

const ASKED: Asked = Asked {
    grad_scale: 0.75,
    max_norm: None,
    clip: Scope::All,
    norm: None,
    nonfinite: NonFinite::Propagate,
    measure: None,
};

impl Session {
    fn new(u: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let mut session = Session {
            optimizer: Trained::default(),
            params: vec![],
            models: vec![],
            options: vec![],
            gradients: vec![],
            call: Call::default(),
        };
        for group in 0..u.int_in_range(1..=2)? {
            let given = given(u)?;
            let Some(compiled) = compiled(&given) else {
                return Err(arbitrary::Error::IncorrectFormat); // no such formula
            };
            let mut slots = Vec::new();
            for _ in 0..u.int_in_range(1..=2)? {
                let kind = match compiled.state_kind {
                    Some(_) => *u.choose(&[Kind::F16, Kind::BF16, Kind::F32])?,
                    None => *u.choose(&KINDS)?,
                };
                let shape = arrays::shape(u)?;
                let param = Array::arbitrary(u, &shape, kind)?;
                let held = Held::new(param.clone());
                let header = Vectors::read(&session.call, &held, Named::Parameter(0)).unwrap();
                slots.push(Slot::new(group, held.clone(), header));
                session.gradients.push(gradient(u, &param.shape)?);
                session.params.push(held);
                session.models.push(Model {
                    group,
                    t: 0,
                    memory: None,
                    param,
                    states: HashMap::new(),
                });
            }
            session.optimizer.add(slots).unwrap().keep(compiled);
            session.options.push(given);
        }
        Ok(session)
    }

    /// Gradients for some parameters, in the memory of the last ones or elsewhere.
    fn gradients(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<Vec<Option<Held>>> {
        let mut given = Vec::new();
        for (known, model) in self.gradients.iter_mut().zip(&self.models) {
            let method = &self.optimizer.groups()[model.group].compiled.method;
            match u.int_in_range(0..=7)? {
                0 => *known = gradient(u, &model.param.shape)?,
                1 => {
                    given.push(None);
                    continue;
                }
                2 if !model.param.shape.is_empty() && method.averaged().is_none() => {
                    given.push(Some(some_rows(u, &model.param.shape)?));
                    continue;
                }
                _ => {
                    let seed: f64 = u.int_in_range(-9..=9)?.into();
                    known.write(|i| (seed + i as f64).sin());
                }
            }
            given.push(Some(known.clone()));
        }
        Ok(given)
    }

    fn expect(&mut self, gradients: &[Option<Held>]) {
        for (model, gradient) in self.models.iter_mut().zip(gradients) {
            if let Some(gradient) = gradient {
                let compiled = &self.optimizer.groups()[model.group].compiled;
                model.step(compiled, gradient, ASKED.grad_scale);
            }
        }
    }

    fn check(&self) {
        for ((slot, held), model) in
            self.optimizer.slots().iter().zip(&self.params).zip(&self.models)
        {
            assert_eq!(slot.step, model.t);
            assert!(held.array().canonical() == model.param.clone().canonical());
            assert_eq!(slot.states.len(), model.states.len());
            for state in &slot.states {
                let (found, wanted) = (state.array.array(), &model.states[&*state.name]);
                for i in 0..found.len() {
                    let (a, b) = (found.value(i, false), wanted.value(i, false));
                    assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan());
                }
            }
        }
    }

    fn act(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let one = u.choose_index(self.params.len())?;
        match u.int_in_range(0..=13)? {
            0 => {
                // The same values, elsewhere.
                self.params[one].replace(self.params[one].array());
            }
            1 => {
                let group = self.models[one].group;
                self.optimizer.set_number(group, "lr", *u.choose(&[0.5, 1e-3])?);
            }
            2 => {
                // Other options of the rule, perhaps with another formula.
                let (group, other) = (self.models[one].group, given(u)?);
                let known = &mut self.options[group];
                if other.rule == known.rule
                    && let Some(compiled) = compiled(&other)
                {
                    let mut slots = self.optimizer.groups()[group].slots.clone();
                    let kind = compiled.state_kind;
                    let fits =
                        |i: usize| kind.is_none_or(|k| self.optimizer.slots()[i].may_keep(k));
                    if slots.all(fits) {
                        *known = other;
                        self.optimizer.set_options(group, compiled);
                    }
                }
            }
            3 => {
                // A gradient in the memory of a parameter, or one of another shape.
                let mut gradients = self.gradients(u)?;
                let empty = self.params[one].array().len() == 0;
                let bad = match u.arbitrary()? {
                    true if !empty && u.arbitrary()? => {
                        // One row too far.
                        let shape = self.params[one].array().shape;
                        let rows = shape.first().copied().unwrap_or(0);
                        self.params[one].clone().of_rows(&(1..=rows).collect::<Vec<_>>())
                    }
                    true if !empty => self.params[one].clone(),
                    _ => {
                        let mut shape = self.params[one].array().shape;
                        shape.push(2);
                        Held::new(Array::plain(&shape, Format::native(Kind::F32)))
                    }
                };
                gradients[one] = Some(bad);
                assert!(self.optimizer.step(&self.call, gradients, &ASKED).is_err());
            }
            4 => {
                let gradients = self.gradients(u)?;
                self.call.prank = Some((self.call.made.get(), Prank::Fail));
                let made = self.call.made.get();
                let result = self.optimizer.step(&self.call, gradients.clone(), &ASKED);
                assert_eq!(result.is_err(), self.call.made.get() > made);
                self.call.prank = None;
                if result.is_ok() {
                    self.expect(&gradients);
                }
            }
            12 => {
                // One parameter, as if there were no other; now and then with one that is refused.
                let mut gradients = self.gradients(u)?;
                let own = gradients[one].take();
                let mut alone = self.optimizer.alone(one).unwrap();
                if u.arbitrary()? {
                    assert!(alone.step(&self.call, vec![None, None], &ASKED).is_err());
                }
                alone.step(&self.call, vec![own.clone()], &ASKED).unwrap();
                drop(alone);
                gradients.iter_mut().for_each(|other| *other = None);
                gradients[one] = own;
                self.expect(&gradients);
            }
            5..=6 => {
                let gradients = self.gradients(u)?;
                let ready = self.optimizer.prepare(&self.call, gradients.clone(), &ASKED);
                let mut prepared = ready.unwrap();
                if u.arbitrary()? {
                    self.optimizer.abandon(&mut prepared);
                } else {
                    self.optimizer.commit(&self.call, &mut prepared).unwrap();
                    self.expect(&gradients);
                }
            }
            _ => {
                let gradients = self.gradients(u)?;
                self.optimizer.step(&self.call, gradients.clone(), &ASKED).unwrap();
                self.expect(&gradients);
            }
        }
        Ok(())
    }
}

fn gradient(u: &mut Unstructured<'_>, shape: &[usize]) -> arbitrary::Result<Held> {
    let kind = *u.choose(&KINDS)?;
    Ok(Held::new(Array::arbitrary(u, shape, kind)?))
}

fn some_rows(u: &mut Unstructured<'_>, shape: &[usize]) -> arbitrary::Result<Held> {
    let mut indices = Vec::new();
    for _ in 0..if shape[0] == 0 { 0 } else { u.int_in_range(0..=6)? } {
        indices.push(u.choose_index(shape[0])?);
    }
    let mut of_values = shape.to_vec();
    of_values[0] = indices.len();
    Ok(gradient(u, &of_values)?.of_rows(&indices))
}

pub fn run(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    tier::force(u.choose(&tier::available())?).unwrap();
    let mut session = Session::new(u)?;
    for _ in 0..u.int_in_range(1..=12)? {
        session.act(u)?;
        session.check();
    }
    Ok(())
}
