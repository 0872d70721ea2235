//! Steps whose parameters come anew: their values are taken from other arrays.

use ferrostep::number::Kind;
use ferrostep::optimizer::{Asked, NonFinite, Refusal, Stop};

use crate::scenes::{ASKED, Scene, array, values};
use crate::vectors::Held;

/// Gives each parameter a new array, and its old one as the source of its values.
fn renew(scene: &mut Scene) -> Vec<Held> {
    let old = scene.params.clone();
    for (i, source) in old.iter().enumerate() {
        let mut new = source.array();
        (0..new.len()).for_each(|k| new.set_value(k, -99.0)); // whatever is there
        let new = Held::new(new);
        scene.optimizer.set_array(i, Some(new.clone()));
        scene.optimizer.set_source(i, Some(source.clone()));
        scene.params[i] = new;
    }
    old
}

#[test]
fn new_arrays_get_what_the_old_ones_would_have() {
    let (mut anew, mut in_place) = (Scene::new(), Scene::new());
    for t in 0..5 {
        let before: Vec<_> = anew.params.iter().map(values).collect();
        let old = renew(&mut anew);
        let mut gradients = anew.gradients(t);
        if t == 2 {
            gradients[1] = None; // its values are taken over as they are
        }
        in_place.step(gradients.clone()).unwrap();
        anew.step(gradients).unwrap();
        assert_eq!(anew.seen(), in_place.seen());
        assert_eq!(old.iter().map(values).collect::<Vec<_>>(), before);
    }
}

#[test]
fn a_step_that_is_left_out_takes_the_values_over() {
    let mut scene = Scene::new();
    let before: Vec<_> = scene.params.iter().map(values).collect();
    renew(&mut scene);
    let mut gradients = scene.gradients(0);
    gradients[2] = Some(array(Kind::F32, &[f64::NAN; 5]));
    let asked = Asked { nonfinite: NonFinite::Skip, ..ASKED };
    assert!(scene.asked(gradients, asked).unwrap().skipped.is_some());
    assert_eq!(scene.params.iter().map(values).collect::<Vec<_>>(), before);
}

#[test]
fn a_source_must_be_as_its_parameter_and_apart_from_it() {
    let mut scene = Scene::new();
    renew(&mut scene);
    scene.optimizer.set_source(0, Some(array(Kind::F32, &[1.0; 4])));
    let refused = scene.step(scene.gradients(0)).unwrap_err();
    assert!(matches!(refused, Stop::Refused(Refusal::Looks { .. })));
    scene.optimizer.set_source(0, Some(scene.params[0].clone()));
    let refused = scene.step(scene.gradients(0)).unwrap_err();
    assert!(matches!(refused, Stop::Refused(Refusal::ReadOverlaps { .. })));
    assert!(scene.optimizer.slots().iter().all(|slot| slot.step == 0 && slot.states.is_empty()));
}
