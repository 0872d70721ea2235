//! A step that is prepared, and committed or abandoned.

use ferrostep::optimizer::{Asked, Cause, NonFinite, Refusal, Stop, Which};
use ferrostep::rules::Scope;

use crate::scenes::{ASKED, Scene, adam, compiled, values};
use crate::vectors::{Said, Vectors};

type Prepared = ferrostep::optimizer::Prepared<Vectors>;

impl Scene {
    fn prepare(&mut self, t: usize, asked: Asked) -> Prepared {
        self.optimizer.prepare(&self.call, self.gradients(t), &asked).unwrap()
    }

    fn commit(&mut self, mut prepared: Prepared) -> Result<(), Stop<Said>> {
        self.optimizer.commit(&self.call, &mut prepared).map(|_| ())
    }
}

#[test]
fn committed_it_is_a_step() {
    let (mut scene, mut other) = (Scene::new(), Scene::new());
    for t in 0..4 {
        let before = scene.seen();
        let prepared = scene.prepare(t, ASKED);
        assert_eq!(scene.seen(), before);
        scene.commit(prepared).unwrap();
        other.step(other.gradients(t)).unwrap();
        assert_eq!(scene.seen(), other.seen());
    }
}

#[test]
fn abandoned_it_never_was() {
    let (mut scene, mut other) = (Scene::new(), Scene::new());
    for t in 0..4 {
        let before = scene.seen();
        let mut prepared = scene.prepare(t, ASKED);
        scene.optimizer.abandon(&mut prepared);
        drop(scene.prepare(t + 1, ASKED)); // or just forgotten
        assert_eq!(scene.seen(), before);
        scene.step(scene.gradients(t)).unwrap();
        other.step(other.gradients(t)).unwrap();
        assert_eq!(scene.seen(), other.seen());
    }
}

#[test]
fn what_happens_in_between_makes_it_void() {
    let outdated = |stop: Stop<Said>| matches!(stop, Stop::Refused(Refusal::Outdated));
    let mut scene = Scene::new();
    let prepared = scene.prepare(0, ASKED);
    scene.optimizer.set_options(0, compiled(&adam(0.1, true)));
    assert!(outdated(scene.commit(prepared).unwrap_err()));

    let first = scene.prepare(0, ASKED);
    let second = scene.prepare(0, ASKED);
    scene.commit(second).unwrap(); // it has added state
    assert!(outdated(scene.commit(first).unwrap_err()));

    let before = scene.seen();
    let prepared = scene.prepare(1, ASKED);
    scene.params[2].replace(scene.params[2].array());
    let stop = scene.commit(prepared).unwrap_err();
    let which = Which::Parameter(2);
    assert!(matches!(stop, Stop::Refused(Refusal::ChangedMeanwhile(found)) if found == which));
    assert_eq!(scene.seen(), before);
    scene.step(scene.gradients(1)).unwrap();
}

#[test]
fn a_step_in_between_makes_it_void() {
    let mut scene = Scene::new();
    scene.step(scene.gradients(0)).unwrap();
    let prepared = scene.prepare(1, ASKED);
    scene.step(scene.gradients(1)).unwrap();
    let stop = scene.commit(prepared).unwrap_err();
    assert!(matches!(stop, Stop::Refused(Refusal::Outdated)));
}

#[test]
fn a_norm_from_outside() {
    for (norm, factor) in [(4.0, 1.0 / (4.0 + 1e-6)), (0.5, 1.0), (f64::INFINITY, 0.0)] {
        let mut scene = Scene::new();
        let mut models = scene.models();
        let asked = Asked { max_norm: Some(1.0), norm: Some(norm), ..ASKED };
        for (model, gradient) in models.iter_mut().zip(scene.gradients(0)) {
            model.step(&values(&gradient.unwrap()), factor);
        }
        let prepared = scene.prepare(0, asked);
        scene.commit(prepared).unwrap();
        scene.assert_like(&models);
    }
}

/// The norm of up to 32 elements, whose squares fold by halves.
fn norm(gradient: &[f64]) -> f64 {
    let mut sums = [0.0; 32];
    for (sum, x) in sums.iter_mut().zip(gradient) {
        *sum = x * x;
    }
    for half in [16, 8, 4, 2, 1] {
        for i in 0..half {
            sums[i] += sums[i + half];
        }
    }
    sums[0].sqrt()
}

#[test]
fn each_by_its_own_norm() {
    // Whatever others say of the norm of all.
    for of_all in [None, Some(1e9)] {
        let mut scene = Scene::new();
        let mut models = scene.models();
        let asked = Asked { max_norm: Some(0.1), clip: Scope::Tensor, norm: of_all, ..ASKED };
        for t in 0..3 {
            for (model, gradient) in models.iter_mut().zip(scene.gradients(t)) {
                let gradient = values(&gradient.unwrap());
                model.step(&gradient, (0.1 / (norm(&gradient) + 1e-6)).min(1.0));
            }
            let prepared = scene.prepare(t, asked);
            scene.commit(prepared).unwrap();
            scene.assert_like(&models);
        }
    }
}

#[test]
fn a_norm_from_outside_that_is_not_finite() {
    for norm in [f64::NAN, f64::INFINITY] {
        let mut scene = Scene::new();
        let before = scene.seen();
        let asked =
            Asked { max_norm: Some(1.0), norm: Some(norm), nonfinite: NonFinite::Skip, ..ASKED };
        // Its own gradients are finite: somebody else's are not.
        let mut prepared = scene.prepare(0, asked);
        assert!(prepared.is_left_out());
        scene.optimizer.abandon(&mut prepared);
        assert_eq!(scene.optimizer.skipped(), 0);
        let mut prepared = scene.prepare(0, Asked { max_norm: None, ..asked });
        assert!(prepared.is_left_out());
        let outcome = scene.optimizer.commit(&scene.call, &mut prepared).unwrap();
        let cause = outcome.skipped.unwrap().cause;
        assert!(matches!(cause, Cause::GivenNorm(given) if given.to_bits() == norm.to_bits()));
        assert_eq!((cause.parameter(), scene.optimizer.skipped()), (None, 1));
        assert_eq!(scene.seen(), before);
    }
}

#[test]
fn abandoned_late_it_does_not_take_the_plan_along() {
    let (mut scene, mut other) = (Scene::new(), Scene::new());
    let kept = scene.gradients(0);
    scene.step(kept.clone()).unwrap();
    other.step(other.gradients(0)).unwrap();
    let mut old = scene.prepare(7, ASKED);
    for _ in 0..3 {
        scene.step(kept.clone()).unwrap();
        other.step(other.gradients(0)).unwrap();
    }
    scene.optimizer.abandon(&mut old);
    drop(old);
    for _ in 0..2 {
        scene.step(kept.clone()).unwrap();
        other.step(other.gradients(0)).unwrap();
    }
    assert_eq!(scene.seen(), other.seen());
}

#[test]
fn what_another_optimizer_prepared_is_void() {
    let (mut scene, mut other) = (Scene::new(), Scene::new());
    let mine = scene.prepare(0, ASKED);
    let theirs = other.prepare(0, ASKED);
    assert!(matches!(scene.commit(theirs), Err(Stop::Refused(Refusal::Outdated))));
    drop(mine);
    scene.step(scene.gradients(0)).unwrap();
}
