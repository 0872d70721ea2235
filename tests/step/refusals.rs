//! What is refused leaves everything as it was.

use ferrostep::number::{Format, Kind};
use ferrostep::optimizer::{Asked, Cause, Looks, NonFinite, Place, Refusal, Stop, Which};

use crate::arrays::Array;
use crate::scenes::{ASKED, Scene, adam, array, compiled};
use crate::vectors::{Held, Prank, Said};

fn refusal<T>(result: Result<T, Stop<Said>>) -> Refusal {
    match result {
        Err(Stop::Refused(refusal)) => refusal,
        Err(Stop::Holder(said)) => panic!("the holder said {said:?}"),
        Ok(_) => panic!("nothing was refused"),
    }
}

fn looks(shape: &[isize], kind: Kind) -> Box<Looks> {
    Box::new(Looks { shape: shape.into(), format: Format::native(kind), place: Place::Host })
}

/// Refused at the first step and at a later one, and as if it had never been asked for.
fn refused(gradients: impl Fn(&Scene) -> Vec<Option<Held>>) -> Refusal {
    let (mut scene, mut other) = (Scene::new(), Scene::new());
    let mut found = Vec::new();
    for t in 0..3 {
        let before = scene.seen();
        let bad = gradients(&scene);
        found.push(refusal(scene.step(bad)));
        assert_eq!(scene.seen(), before);
        scene.step(scene.gradients(t)).unwrap();
        other.step(other.gradients(t)).unwrap();
        assert_eq!(scene.seen(), other.seen());
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0], found[2]);
    found.swap_remove(0)
}

#[test]
fn a_gradient_for_each_parameter() {
    let found = refused(|scene| scene.gradients(0).into_iter().take(2).collect());
    assert_eq!(found, Refusal::Count { found: 2, wanted: 3 });
}

#[test]
fn of_its_shape() {
    let found = refused(|scene| {
        let mut gradients = scene.gradients(0);
        gradients[1] = Some(array(Kind::F64, &[1.0; 6]));
        gradients
    });
    let (found_looks, wanted) = (looks(&[6], Kind::F64), looks(&[7], Kind::F64));
    let which = Which::Gradient(1);
    assert_eq!(found, Refusal::Looks { which, found: found_looks, wanted });
}

#[test]
fn a_gradient_in_the_memory_of_a_parameter() {
    let found = refused(|scene| {
        let mut gradients = scene.gradients(0);
        gradients[0] = Some(scene.params[0].clone());
        gradients
    });
    assert_eq!(found, Refusal::ReadOverlaps { which: Which::Gradient(0), parameter: 0 });
}

#[test]
fn two_parameters_in_one_memory() {
    let mut scene = Scene::new();
    let twice = scene.slot(0, 0);
    let found = scene.optimizer.add(vec![twice]).map(|_| ()).unwrap_err();
    let (first, second) = (Which::Parameter(0), Which::Parameter(3));
    assert_eq!(found, Refusal::Overlap { first, second, same: true });
    assert_eq!(scene.optimizer.slots().len(), 3);
    scene.step(scene.gradients(0)).unwrap();
}

#[test]
fn a_parameter_of_another_shape_than_it_was() {
    let mut scene = Scene::new();
    scene.step(scene.gradients(0)).unwrap();
    let gradients = scene.gradients(1);
    scene.params[0].replace(Array::plain(&[1, 3], Format::native(Kind::F32)));
    let (found, wanted) = (looks(&[1, 3], Kind::F32), looks(&[3], Kind::F32));
    let which = Which::Parameter(0);
    assert_eq!(refusal(scene.step(gradients)), Refusal::Looks { which, found, wanted });
}

#[test]
fn a_gradient_that_is_not_finite() {
    for nonfinite in [NonFinite::Raise, NonFinite::Skip] {
        for max_norm in [None, Some(1.0)] {
            let mut scene = Scene::new();
            let before = scene.seen();
            let mut gradients = scene.gradients(0);
            gradients[1] = Some(array(Kind::F64, &[0.0, 1.0, f64::NAN, 0.0, 0.0, 0.0, 0.0]));
            let asked = Asked { nonfinite, max_norm, ..ASKED };
            match scene.asked(gradients, asked) {
                Ok(outcome) => {
                    let skipped = outcome.skipped.unwrap();
                    assert_eq!(skipped.cause, Cause::Gradient(1));
                    assert_eq!((skipped.in_a_row, scene.optimizer.skipped()), (1, 1));
                    assert_eq!(nonfinite, NonFinite::Skip);
                }
                stopped => assert_eq!(refusal(stopped), Refusal::NotFinite(Cause::Gradient(1))),
            }
            assert_eq!(scene.seen(), before);
        }
    }
}

/// A first step in which the factory plays a prank at each of its calls in turn.
fn pranks(prank: impl Fn(&Scene) -> Prank, check: impl Fn(Stop<Said>)) {
    for at in 0..7 {
        let mut scene = Scene::new();
        let before = scene.seen();
        scene.call.prank = Some((at, prank(&scene)));
        let gradients = scene.gradients(0);
        check(scene.step(gradients.clone()).err().unwrap());
        assert_eq!(scene.seen(), before);
        scene.call.prank = None;
        scene.step(gradients).unwrap();
        let mut other = Scene::new();
        other.step(other.gradients(0)).unwrap();
        assert_eq!(scene.seen(), other.seen());
    }
}

#[test]
fn a_factory_that_fails() {
    let said = |stop| assert!(matches!(stop, Stop::Holder(Said::NoState)));
    pranks(|_| Prank::Fail, said);
}

#[test]
fn a_factory_that_makes_something_else() {
    let odd = Array::plain(&[2], Format::native(Kind::F32));
    let made = |stop| assert!(matches!(stop, Stop::Refused(Refusal::Made { .. })));
    pranks(|_| Prank::Make(odd.clone()), made);
}

#[test]
fn a_factory_that_gives_a_parameter() {
    let mut scene = Scene::new();
    scene.call.prank = Some((1, Prank::Give(scene.params[0].clone())));
    let found = refusal(scene.step(scene.gradients(0)));
    let state = Which::State(0, "exp_avg_sq".into());
    assert_eq!(found, Refusal::Overlap { first: Which::Parameter(0), second: state, same: true });
}

#[test]
fn a_factory_that_replaces_a_parameters_memory() {
    // Of the same looks: the step goes on with what is there now.
    let mut scene = Scene::new();
    let elsewhere = scene.params[1].array();
    scene.call.prank = Some((3, Prank::Replace(scene.params[1].clone(), elsewhere)));
    scene.step(scene.gradients(0)).unwrap();
    let mut other = Scene::new();
    other.step(other.gradients(0)).unwrap();
    assert_eq!(scene.seen(), other.seen());
    // Of other looks: it is refused.
    let mut scene = Scene::new();
    let short = Array::plain(&[2], Format::native(Kind::F64));
    scene.call.prank = Some((3, Prank::Replace(scene.params[1].clone(), short)));
    let found = refusal(scene.step(scene.gradients(0)));
    assert!(matches!(found, Refusal::Looks { which: Which::Parameter(1), .. }), "{found:?}");
}

#[test]
fn state_of_a_type_that_does_not_go_with_a_parameter() {
    let scene = Scene::new();
    let kind = Kind::F16;
    let found = scene.optimizer.check_state_kind(0..3, Some(kind)).unwrap_err();
    assert_eq!(found, Refusal::StateKind { parameter: 1, kind, beside: Kind::F64 });
}

#[test]
fn groups_that_are_edited() {
    let (mut scene, mut other) = (Scene::new(), Scene::new());
    scene.step(scene.gradients(0)).unwrap();
    other.step(other.gradients(0)).unwrap();
    // A number, as a number and with the options whole.
    assert!(scene.optimizer.set_number(1, "lr", 0.3));
    other.optimizer.set_options(1, compiled(&adam(0.3, true)));
    assert!(!scene.optimizer.set_number(1, "amsgrad", 1.0));
    scene.step(scene.gradients(1)).unwrap();
    other.step(other.gradients(1)).unwrap();
    assert_eq!(scene.seen(), other.seen());
}
