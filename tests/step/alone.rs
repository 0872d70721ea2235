//! One parameter as if there were no other; parameters that come to others, and state of no step.

use crate::scenes::{ASKED, Scene};
use crate::vectors::Held;

#[test]
fn each_alone_is_all_together() {
    let (mut together, mut alone) = (Scene::new(), Scene::new());
    for t in 0..5 {
        let gradients = together.gradients(t);
        together.step(gradients.clone()).unwrap();
        // In any order.
        for i in [1, 2, 0] {
            let mut one = alone.optimizer.alone(i).unwrap();
            assert_eq!(one.slots().len(), 1);
            one.step(&alone.call, vec![gradients[i].clone()], &ASKED).unwrap();
        }
    }
    assert_eq!(together.seen(), alone.seen());
}

#[test]
fn both_ways_in_turn() {
    let (mut both, mut other) = (Scene::new(), Scene::new());
    let kept = both.gradients(0);
    for t in 0..6 {
        other.step(other.gradients(0)).unwrap();
        if t % 2 == 0 {
            both.step(kept.clone()).unwrap();
        } else {
            for (i, gradient) in kept.iter().enumerate() {
                let mut one = both.optimizer.alone(i).unwrap();
                one.step(&both.call, vec![gradient.clone()], &ASKED).unwrap();
            }
        }
    }
    assert_eq!(both.seen(), other.seen());
}

#[test]
fn state_of_no_step_is_what_the_first_step_begins_with() {
    let (mut made, mut stepped) = (Scene::new(), Scene::new());
    assert_eq!(made.optimizer.init_state(&made.call, 0).unwrap(), 3);
    assert!(made.optimizer.slots().iter().all(|slot| !slot.states.is_empty() && slot.step == 0));
    for t in 0..3 {
        made.step(made.gradients(t)).unwrap();
        stepped.step(stepped.gradients(t)).unwrap();
    }
    assert_eq!(made.seen(), stepped.seen());
    assert_eq!(made.optimizer.init_state(&made.call, 9).unwrap(), 0);
    assert_eq!(made.seen(), stepped.seen());
}

#[test]
fn a_refused_step_of_all_is_no_step_of_one() {
    let (mut scene, mut other) = (Scene::new(), Scene::new());
    let step = |scene: &mut Scene, gradient: Option<Held>| {
        let mut one = scene.optimizer.alone(0).unwrap();
        one.step(&scene.call, vec![gradient], &ASKED).unwrap();
    };
    let kept = scene.gradients(0);
    for _ in 0..3 {
        step(&mut scene, kept[0].clone());
        let gradients = other.gradients(0);
        step(&mut other, gradients[0].clone());
    }
    // Its first gradient is fine, and lies elsewhere than that of the plan.
    let mut bad = scene.gradients(1);
    let new = bad[0].clone();
    bad[1] = Some(scene.params[1].clone());
    assert!(scene.step(bad).is_err());
    step(&mut scene, new);
    let gradients = other.gradients(1);
    step(&mut other, gradients[0].clone());
    assert_eq!(scene.seen(), other.seen());
}
