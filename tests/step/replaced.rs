//! Another parameter in the place of one, with rows of its state; and a group that goes.

use ferrostep::number::Kind;
use ferrostep::optimizer::{Place, Refusal, Slot, Stop, Which};

use crate::device::{At, Event};
use crate::scenes::{ASKED, Result, Scene, array_at};
use crate::vectors::Vectors;

const ROWS: [i64; 4] = [2, -1, 0, 0];
const PLACES: [Place; 2] = [Place::Host, Place::Device(0)];

/// The heir of the first parameter.
fn heir(scene: &mut Scene, rows: &[i64]) -> Result<Slot<Vectors>> {
    let (place, old) = (scene.params[0].header().place, scene.params[0].clone());
    scene.params[0] = array_at(place, Kind::F32, &vec![1.0; rows.len()]);
    let new = scene.slot(0, 0);
    let heir = scene.optimizer.heir(&scene.call, 0, new, rows, |_| false);
    if heir.is_err() {
        scene.params[0] = old;
    }
    heir
}

#[test]
fn rows_of_state_go_with_it() {
    for place in PLACES {
        let mut scene = Scene::at([place, Place::Host, place]);
        scene.step(scene.gradients(0)).unwrap();
        let before = scene.seen();
        let heir = heir(&mut scene, &ROWS).unwrap();
        scene.optimizer.set_slot(&scene.call, 0, heir);
        let after = scene.seen();
        assert_eq!((after[0].0, &after[1..]), (1, &before[1..]));
        for ((name, old), (other, new)) in before[0].2.iter().zip(&after[0].2) {
            assert_eq!((name, new), (other, &vec![old[2], 0.0, old[0], old[0]]));
        }
        for t in 1..4 {
            scene.step(scene.gradients(t)).unwrap();
        }
        assert!(scene.seen().iter().all(|(steps, ..)| *steps == 4));
    }
}

#[test]
fn before_it_has_state() {
    let mut scene = Scene::new();
    let heir = heir(&mut scene, &ROWS).unwrap();
    scene.optimizer.set_slot(&scene.call, 0, heir);
    scene.step(scene.gradients(0)).unwrap();
    assert_eq!(scene.seen()[0].2[0].1.len(), 4);
}

#[test]
fn a_fault_of_a_device_leaves_all_as_it_was() {
    for event in [Event::Fault, Event::Foreign] {
        let mut scene = Scene::at([PLACES[1]; 3]);
        scene.step(scene.gradients(0)).unwrap();
        let (before, fails) = (scene.seen(), matches!(event, Event::Fault));
        scene.call.device.event = Some((At::Fill, event));
        let made = heir(&mut scene, &ROWS);
        assert_eq!(made.is_err(), fails);
        if fails {
            assert_eq!(scene.seen(), before);
            scene.call.device.event = None;
            scene.step(scene.gradients(1)).unwrap();
        }
    }
}

#[test]
fn state_that_is_exchanged_meanwhile() {
    let mut scene = Scene::at([PLACES[1]; 3]);
    scene.step(scene.gradients(0)).unwrap();
    let state = scene.optimizer.slots()[0].states[0].array.clone();
    let event = Event::Replace(state.clone(), array_at(PLACES[1], Kind::F32, &[0.0; 4]).array());
    scene.call.device.event = Some((At::Fill, event));
    let stop = heir(&mut scene, &ROWS).err().unwrap();
    let which = Which::Parameter(0);
    assert!(matches!(stop, Stop::Refused(Refusal::ChangedMeanwhile(found)) if found == which));
    assert_eq!(scene.seen()[0].0, 1);
}

#[test]
fn the_memory_of_another() {
    let mut scene = Scene::new();
    scene.step(scene.gradients(0)).unwrap();
    let taken = scene.params[2].clone();
    let old = std::mem::replace(&mut scene.params[0], taken);
    let new = scene.slot(0, 0);
    let stop = scene.optimizer.heir(&scene.call, 0, new, &[0; 5], |_| false).err().unwrap();
    let (first, second) = (Which::Parameter(2), Which::Parameter(0));
    let refused = Refusal::Overlap { first, second, same: true };
    assert!(matches!(stop, Stop::Refused(found) if found == refused));
    scene.params[0] = old;
    scene.step(scene.gradients(1)).unwrap();
}

#[test]
fn a_group_that_goes() {
    for number in 0..2 {
        let (mut scene, mut other) = (Scene::new(), Scene::new());
        for t in 0..2 {
            scene.step(scene.gradients(t)).unwrap();
            other.step(other.gradients(t)).unwrap();
        }
        let prepared = scene.optimizer.prepare(&scene.call, scene.gradients(0), &ASKED);
        let mut gone = Vec::new();
        let group = scene.optimizer.remove_group(number, &mut gone);
        let mut prepared = prepared.unwrap();
        let stop = scene.optimizer.commit(&scene.call, &mut prepared).err().unwrap();
        assert!(matches!(stop, Stop::Refused(Refusal::Outdated)));
        assert_eq!(group.slots.len(), gone.len());
        let left = if number == 0 { 2..3 } else { 0..2 };
        let kept = |all: Vec<_>| -> Vec<_> { all[left.clone()].to_vec() };
        for t in 2..5 {
            let gradients = kept(scene.gradients(t));
            scene.step(gradients).unwrap();
            other.step(other.gradients(t)).unwrap();
        }
        scene.params = scene.params[left.clone()].to_vec();
        assert_eq!(scene.seen(), other.seen()[left]);
        let wrong = scene.step(Vec::new()).err().unwrap();
        assert!(matches!(wrong, Stop::Refused(Refusal::Count { found: 0, .. })));
    }
}
