//! Gradients of some rows of their parameters.

use ferrostep::number::{Format, Kind};
use ferrostep::optimizer::{Asked, Cause, Looks, NonFinite, Place, Refusal, Stop, Which};

use crate::arrays::Array;
use crate::model::Model;
use crate::scenes::{ASKED, Result, Scene, adam, array, array_at, compiled, values};
use crate::vectors::Held;

/// Gradients for the scene's parameters, of which the second has these rows.
fn rows(scene: &Scene, t: usize, indices: &[usize], values: &[f64]) -> Vec<Option<Held>> {
    let mut gradients = scene.gradients(t);
    gradients[1] = Some(array(Kind::F64, values).of_rows(indices));
    gradients
}

#[test]
fn rows_that_occur_are_updated_and_no_others() {
    let mut scene = Scene::new();
    let mut models = scene.models();
    for t in 0..4 {
        scene.step(rows(&scene, t, &[5, 2, 5, 5], &[1.0, 0.5, 1e30, -1e30])).unwrap();
        let some = |all: &[f64]| vec![all[2], all[5]];
        let model = &mut models[1];
        let mut touched = Model::new(Kind::F64, &[0.0; 2], 0.1, false);
        touched.arrays = model.arrays.iter().map(|all| some(all)).collect();
        (0..t).for_each(|_| touched.skip());
        touched.step(&[0.5, (1.0 + 1e30) + -1e30], 1.0);
        for (all, some) in model.arrays.iter_mut().zip(&touched.arrays) {
            (all[2], all[5]) = (some[0], some[1]);
        }
        model.skip();
        for i in [0, 2] {
            models[i].step(&values(scene.gradients(t)[i].as_ref().unwrap()), 1.0);
        }
        scene.assert_like(&models);
    }
}

#[test]
fn no_rows_at_all_are_a_step() {
    let mut scene = Scene::new();
    let before = scene.seen()[1].1.clone();
    scene.step(rows(&scene, 0, &[], &[])).unwrap();
    let (step, now, states) = scene.seen().swap_remove(1);
    assert_eq!((step, now), (1, before));
    assert!(states.iter().all(|(_, state)| *state == [0.0; 7]));
}

#[test]
fn the_values_may_lie_anywhere_and_are_those_of_the_preparation() {
    let (mut scene, mut other) = (Scene::new(), Scene::new());
    let mut gradients = scene.gradients(0);
    gradients[1] = Some(scene.params[1].clone().of_rows(&[0, 1, 2, 3, 4, 5, 6]));
    scene.step(gradients).unwrap();
    other.step(rows(&other, 0, &[0, 1, 2, 3, 4, 5, 6], &[3.0; 7])).unwrap();
    assert_eq!(scene.seen(), other.seen());
    let gradients = rows(&scene, 1, &[3], &[2.0]);
    let values = gradients[1].clone().unwrap();
    let mut prepared = scene.optimizer.prepare(&scene.call, gradients, &ASKED).unwrap();
    values.write(|_| 7.0);
    scene.optimizer.commit(&scene.call, &mut prepared).unwrap();
    other.step(rows(&other, 1, &[3], &[2.0])).unwrap();
    assert_eq!(scene.seen(), other.seen());
    // A whole gradient afterwards, twice.
    for t in 2..4 {
        scene.step(scene.gradients(t)).unwrap();
        other.step(other.gradients(t)).unwrap();
    }
    assert_eq!(scene.seen(), other.seen());
}

#[test]
fn the_norm_is_that_of_the_added_values() {
    let mut scene = Scene::new();
    let asked = Asked { max_norm: Some(1.0), ..ASKED };
    let mut gradients = vec![None, None, None];
    gradients[1] = Some(array(Kind::F64, &[1.0, 4.0, 2.0]).of_rows(&[6, 0, 6]));
    let outcome = scene.asked(gradients, asked).unwrap();
    assert!(matches!(outcome.grad_norm, ferrostep::optimizer::Norm::Known(norm) if norm == 5.0));
    // Each is finite, and their sum is not.
    let mut gradients = vec![None, None, None];
    gradients[2] = Some(array(Kind::F32, &[3e38, 3e38]).of_rows(&[4, 4]));
    let asked = Asked { nonfinite: NonFinite::Raise, ..ASKED };
    assert_eq!(refusal(scene.asked(gradients, asked)), Refusal::NotFinite(Cause::Gradient(2)));
}

fn refusal<T>(result: Result<T>) -> Refusal {
    match result {
        Err(Stop::Refused(refusal)) => refusal,
        _ => panic!("nothing was refused"),
    }
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut scene = Scene::new();
    for t in 0..2 {
        let before = scene.seen();
        let gradients = rows(&scene, t, &[0, 7], &[1.0, 2.0]);
        let wanted = Refusal::NoSuchRow { gradient: 1, found: 7, rows: 7 };
        assert_eq!(refusal(scene.step(gradients)), wanted);
        let looks = |n: isize| {
            Box::new(Looks {
                shape: [n].as_slice().into(),
                format: Format::native(Kind::F64),
                place: Place::Host,
            })
        };
        let gradients = rows(&scene, t, &[0, 1], &[1.0, 2.0, 3.0]);
        let (found, wanted) = (looks(3), looks(2));
        let which = Which::Gradient(1);
        assert_eq!(refusal(scene.step(gradients)), Refusal::Looks { which, found, wanted });
        assert_eq!(scene.seen(), before);
        scene.step(scene.gradients(t)).unwrap();
    }
    let zero_d = Held::new(Array::plain(&[], Format::native(Kind::F32)));
    scene.params.push(zero_d);
    let slot = scene.slot(2, 3);
    scene.optimizer.add(vec![slot]).unwrap().keep(compiled(&adam(0.1, false)));
    let gradients = vec![None, None, None, Some(array(Kind::F32, &[1.0]).of_rows(&[0]))];
    assert_eq!(refusal(scene.step(gradients)), Refusal::NoRows(3));
}

#[test]
fn it_is_the_same_step_on_a_device() {
    let device = Place::Device(0);
    let (mut scene, mut other) = (Scene::at([Place::Host, device, Place::Host]), Scene::new());
    for (t, asked) in [ASKED, Asked { max_norm: Some(0.5), ..ASKED }].into_iter().enumerate() {
        for (scene, place) in [(&mut scene, device), (&mut other, Place::Host)] {
            let mut gradients = scene.gradients(t);
            let values = array_at(place, Kind::F32, &[1.0, 0.5, 3.0, 2.0]);
            gradients[1] = Some(values.of_rows(&[5, 2, 5, 0]));
            scene.asked(gradients, asked).unwrap();
        }
        assert_eq!(scene.seen(), other.seen());
    }
    assert_eq!(scene.call.device.runs.get(), 2);
}
