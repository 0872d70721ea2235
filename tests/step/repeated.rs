//! Plans that are run again, and what makes them void.

use ferrostep::number::Kind;

use crate::scenes::{Scene, adam, array, compiled, values};
use crate::vectors::Held;

/// The same gradients' memory with other values.
fn rewrite(gradients: &[Option<Held>], t: usize) {
    for gradient in gradients.iter().flatten() {
        gradient.write(|i| ((i + 7 * t) as f64).cos());
    }
}

fn stepped_in_place(edit: impl Fn(&mut Scene, usize)) -> (Scene, Scene) {
    // One keeps its gradients' memory, so that plans repeat; the other has new memory each time.
    let (mut same, mut new) = (Scene::new(), Scene::new());
    let kept = same.gradients(0);
    for t in 0..8 {
        rewrite(&kept, t);
        let copies = kept.iter().flatten().map(|g| Some(Held::new(g.array()))).collect();
        edit(&mut same, t);
        edit(&mut new, t);
        same.step(kept.clone()).unwrap();
        new.step(copies).unwrap();
    }
    (same, new)
}

#[test]
fn the_same_memory_again_gives_the_same_numbers() {
    let (same, new) = stepped_in_place(|_, _| {});
    assert_eq!(same.seen(), new.seen());
}

#[test]
fn a_refused_step_voids_the_plan_too() {
    let (mut scene, mut other) = (Scene::new(), Scene::new());
    for t in 0..3 {
        let kept = scene.gradients(t);
        for _ in 0..2 {
            scene.step(kept.clone()).unwrap();
            other.step(other.gradients(t)).unwrap();
        }
        // The first gradient is fine and lies elsewhere; the second one is refused.
        let new = scene.gradients(t + 3);
        let mut bad = new.clone();
        bad[1] = Some(scene.params[1].clone());
        assert!(scene.step(bad).is_err());
        // The plan is of the old first gradient.
        scene.step(vec![new[0].clone(), kept[1].clone(), kept[2].clone()]).unwrap();
        let mut mixed = other.gradients(t);
        mixed[0] = other.gradients(t + 3).swap_remove(0);
        other.step(mixed).unwrap();
        assert_eq!(scene.seen(), other.seen());
    }
}

#[test]
fn numbers_change_between_repetitions() {
    let (same, new) = stepped_in_place(|scene, t| {
        assert!(scene.optimizer.set_number(0, "lr", 0.1 / (t + 1) as f64));
    });
    assert_eq!(same.seen(), new.seen());
    let (fixed, _) = stepped_in_place(|_, _| {});
    assert_ne!(same.seen(), fixed.seen());
}

#[test]
fn another_formula_voids_the_plan() {
    let (same, new) = stepped_in_place(|scene, t| {
        if t == 4 {
            scene.optimizer.set_options(0, compiled(&adam(0.1, true)));
        }
    });
    assert_eq!(same.seen(), new.seen());
    assert_eq!(same.optimizer.slots()[0].states.len(), 3);
}

#[test]
fn memory_that_moves_voids_the_plan() {
    let (same, new) = stepped_in_place(|scene, t| {
        if t == 3 || t == 6 {
            let param = &scene.params[1];
            param.replace(param.array()); // a copy: it lies elsewhere
        }
    });
    assert_eq!(same.seen(), new.seen());
}

#[test]
fn a_gradient_of_another_type_is_planned_anew() {
    let mut scene = Scene::new();
    let mut models = scene.models();
    for (t, kind) in [Kind::F32, Kind::F64, Kind::F64, Kind::F32].into_iter().enumerate() {
        let mut gradients = scene.gradients(t);
        gradients[0] = Some(array(kind, &[0.5, -0.25, 1.0]));
        for (model, gradient) in models.iter_mut().zip(&gradients) {
            model.step(&values(gradient.as_ref().unwrap()), 1.0);
        }
        scene.step(gradients).unwrap();
        scene.assert_like(&models);
    }
}
