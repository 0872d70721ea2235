//! Parameters on devices, beside others in host memory.

use ferrostep::optimizer::{Asked, Cause, NonFinite, Place, Refusal, Stop, Which};
use ferrostep::rules::Scope;

use crate::device::{At, Event};
use crate::scenes::{ASKED, Scene, array_at};
use crate::vectors::Said;

const DEVICE: Place = Place::Device(0);
/// The second one in host memory; and all on a device.
const PLACES: [[Place; 3]; 2] = [[DEVICE, Place::Host, DEVICE], [DEVICE; 3]];

const CLIPPED: Asked = Asked { max_norm: Some(0.5), nonfinite: NonFinite::Raise, ..ASKED };

/// Parameters in these places, with something that happens.
fn scene(places: [Place; 3], at: At, event: impl Fn(&Scene) -> Event) -> Scene {
    let mut scene = Scene::at(places);
    scene.call.device.event = Some((at, event(&scene)));
    scene
}

/// The step goes on as if nothing had been.
fn goes_on(mut scene: Scene, asked: Asked) {
    scene.call.device.event = None;
    let mut other = Scene::new();
    for t in 0..3 {
        scene.asked(scene.gradients(t), asked).unwrap();
        other.asked(other.gradients(t), asked).unwrap();
        assert_eq!(scene.seen(), other.seen());
    }
}

#[test]
fn it_is_the_same_step() {
    let askeds = [
        ASKED,
        CLIPPED,
        Asked { max_norm: Some(0.5), clip: Scope::Tensor, ..ASKED },
        Asked { max_norm: Some(0.5), clip: Scope::Tensor, norm: Some(1e9), ..ASKED },
        Asked { max_norm: Some(0.5), norm: Some(3.0), grad_scale: 0.25, ..ASKED },
    ];
    for places in PLACES {
        for asked in askeds {
            goes_on(Scene::at(places), asked);
        }
        let mut scene = Scene::at(places);
        scene.step(scene.gradients(0)).unwrap();
        assert_eq!(scene.call.device.runs.get(), 1);
        // Only what is in host memory has a gradient.
        let mut gradients = scene.gradients(1);
        (gradients[0], gradients[2]) = (None, None);
        scene.step(gradients).unwrap();
        assert_eq!(scene.call.device.runs.get(), if places == PLACES[0] { 1 } else { 2 });
    }
}

#[test]
fn a_step_on_a_device_is_not_repeated_from_the_hosts_plan() {
    for places in PLACES {
        let (mut scene, mut other) = (Scene::at(places), Scene::new());
        let (kept, others) = (scene.gradients(0), other.gradients(0));
        for t in 0..4 {
            scene.step(kept.clone()).unwrap();
            other.step(others.clone()).unwrap();
            assert_eq!(scene.seen(), other.seen());
            assert_eq!(scene.call.device.runs.get(), t + 1);
        }
    }
}

#[test]
fn a_fault_before_anything_is_written() {
    for at in [At::Fill, At::LeafSums, At::Prepare, At::Run] {
        for places in PLACES {
            let mut scene = scene(places, at, |_| Event::Fault);
            let before = scene.seen();
            for _ in 0..2 {
                let stop = scene.asked(scene.gradients(0), CLIPPED).unwrap_err();
                assert!(matches!(stop, Stop::Holder(Said::Fault)), "{at:?}: {stop:?}");
                assert_eq!(scene.seen(), before, "{at:?}");
            }
            goes_on(scene, CLIPPED);
        }
    }
}

#[test]
fn a_fault_in_the_search_for_what_is_not_finite() {
    let asked = Asked { nonfinite: NonFinite::Skip, ..ASKED };
    let mut scene = scene(PLACES[0], At::Search, |_| Event::Fault);
    let before = scene.seen();
    let stop = scene.asked(scene.gradients(0), asked).unwrap_err();
    assert!(matches!(stop, Stop::Holder(Said::Fault)));
    assert_eq!((scene.seen(), scene.optimizer.skipped()), (before, 0));
    goes_on(scene, asked);
}

#[test]
fn a_fault_when_it_has_written() {
    let mut scene = scene(PLACES[0], At::Ran, |_| Event::Fault);
    let (before, mut other) = (scene.seen(), Scene::new());
    let stop = scene.step(scene.gradients(0)).unwrap_err();
    assert!(matches!(stop, Stop::Holder(Said::Fault)));
    // What the device did is not undone; the host has done nothing, and no step is counted.
    other.step(other.gradients(0)).unwrap();
    for (i, (found, whole)) in scene.seen().into_iter().zip(other.seen()).enumerate() {
        let (steps, values, states) = found;
        assert_eq!((steps, states.len()), (0, 0));
        assert_eq!(values, if i == 1 { before[1].1.clone() } else { whole.1 });
    }
}

#[test]
fn the_first_gradient_that_is_not_finite_wherever_it_lies() {
    for (bad, first) in [(vec![0, 1], 0), (vec![1, 2], 1), (vec![2], 2)] {
        for max_norm in [None, Some(1.0)] {
            let mut scene = Scene::at(PLACES[0]);
            let (before, mut gradients) = (scene.seen(), scene.gradients(0));
            for i in &bad {
                gradients[*i].as_ref().unwrap().write(|_| f64::INFINITY);
            }
            let asked = Asked { max_norm, nonfinite: NonFinite::Raise, ..ASKED };
            let stop = scene.asked(gradients.clone(), asked).unwrap_err();
            let found = Refusal::NotFinite(Cause::Gradient(first));
            assert!(matches!(stop, Stop::Refused(refusal) if refusal == found));
            // Of another parameter than that, the first is what it is a part of.
            gradients[0] = None;
            let asked = Asked { nonfinite: NonFinite::Skip, ..asked };
            let skipped = scene.asked(gradients, asked).unwrap().skipped.unwrap();
            assert_eq!(skipped.cause, Cause::Gradient(*bad.iter().find(|i| **i > 0).unwrap()));
            assert_eq!(scene.seen(), before);
            assert_eq!(scene.call.device.runs.get(), 0);
        }
    }
}

#[test]
fn a_gradient_in_another_place() {
    for (place, i) in [(Place::Host, 0), (DEVICE, 1), (Place::Device(1), 2)] {
        let mut scene = Scene::at(PLACES[0]);
        let (before, mut gradients) = (scene.seen(), scene.gradients(0));
        let kind = scene.params[i].header().format.kind;
        gradients[i] = Some(array_at(place, kind, &vec![1.0; scene.params[i].array().len()]));
        let stop = scene.step(gradients).unwrap_err();
        let (which, wanted) = (Which::Gradient(i), PLACES[0][i]);
        let refused = Refusal::Place { which, found: place, wanted };
        assert!(matches!(stop, Stop::Refused(found) if found == refused));
        assert_eq!(scene.seen(), before);
    }
}

/// Foreign code moves parameter `i`, or a gradient where that is asked for.
fn moved(at: At, i: usize, gradient: bool) -> (Scene, Refusal) {
    let mut scene = Scene::at(PLACES[0]);
    let gradients = scene.gradients(0);
    let held = if gradient { gradients[i].clone().unwrap() } else { scene.params[i].clone() };
    scene.call.device.event = Some((at, Event::Replace(held.clone(), held.array())));
    match scene.step(gradients) {
        Err(Stop::Refused(refusal)) => (scene, refusal),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_moves_before_the_device_is_at_work() {
    for at in [At::Fill, At::Prepare] {
        for (i, gradient) in [(0, false), (1, false), (1, true), (2, true)] {
            let before = Scene::at(PLACES[0]).seen();
            let (scene, refusal) = moved(at, i, gradient);
            let which = if gradient { Which::Gradient(i) } else { Which::Parameter(i) };
            assert_eq!(refusal, Refusal::ChangedMeanwhile(which), "{at:?}");
            assert_eq!((scene.seen(), scene.call.device.runs.get()), (before, 0));
            goes_on(scene, ASKED);
        }
    }
}

#[test]
fn what_moves_while_the_device_is_at_work() {
    for (i, gradient) in [(0, false), (1, false), (1, true), (2, true)] {
        let before = Scene::at(PLACES[0]).seen();
        let (mut scene, refusal) = moved(At::Ran, i, gradient);
        let which = if gradient { Which::Gradient(i) } else { Which::Parameter(i) };
        assert_eq!(refusal, Refusal::ChangedLate(which));
        // The device has made the step, the host has not; none is counted, no state is kept.
        let seen = scene.seen();
        assert_eq!(seen[1], before[1]);
        assert_ne!(seen[2].1, before[2].1);
        assert!(seen.iter().all(|(steps, _, states)| *steps == 0 && states.is_empty()));
        // And it goes on from there.
        scene.call.device.event = None;
        scene.step(scene.gradients(0)).unwrap();
        assert!(scene.seen().iter().all(|(steps, ..)| *steps == 1));
    }
}

#[test]
fn foreign_code_that_does_no_harm() {
    for at in [At::Fill, At::Prepare, At::Ran] {
        let (mut scene, mut other) = (scene(PLACES[0], at, |_| Event::Foreign), Scene::new());
        for t in 0..3 {
            scene.step(scene.gradients(t)).unwrap();
            other.step(other.gradients(t)).unwrap();
            assert_eq!(scene.seen(), other.seen());
        }
    }
}

#[test]
fn a_prepared_step_is_not_run_when_a_parameter_has_moved() {
    for i in 0..3 {
        let mut scene = Scene::at(PLACES[0]);
        let before = scene.seen();
        let mut prepared =
            scene.optimizer.prepare(&scene.call, scene.gradients(0), &CLIPPED).unwrap();
        scene.params[i].replace(scene.params[i].array());
        let stop = scene.optimizer.commit(&scene.call, &mut prepared).unwrap_err();
        let found = Refusal::ChangedMeanwhile(Which::Parameter(i));
        assert!(matches!(stop, Stop::Refused(refusal) if refusal == found));
        assert_eq!((scene.seen(), scene.call.device.runs.get()), (before, 0));
        goes_on(scene, CLIPPED);
    }
}
