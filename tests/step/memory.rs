//! Memory that is not there: the n-th allocation of a step fails, for every n.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ferrostep::number::Kind;
use ferrostep::optimizer::{Asked, NonFinite, Refusal, Stop};
use ferrostep::rules::Scope;

use crate::scenes::{ASKED, Scene, array};

thread_local! {
    /// How many allocations of this thread succeed; None for all.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
}

struct Scarce;

// SAFETY: all is passed on to the system's allocator, or refused.
unsafe impl GlobalAlloc for Scarce {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let left = LEFT.get();
        LEFT.set(left.map(|left| left.saturating_sub(1)));
        // SAFETY: passed on from the caller.
        if left == Some(0) { std::ptr::null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: passed on from the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static SCARCE: Scarce = Scarce;

/// Runs with so many allocations and no more; true if they were enough.
fn with<T>(count: usize, run: impl FnOnce() -> T) -> (T, bool) {
    LEFT.set(Some(count));
    let result = run();
    let left = LEFT.replace(None);
    (result, left != Some(0))
}

/// What makes arrays is not what is tested.
fn unlimited(run: &mut dyn FnMut()) {
    let left = LEFT.replace(None);
    run();
    LEFT.set(left);
}

#[test]
#[cfg_attr(miri, ignore)] // hundreds of steps
fn every_allocation_of_a_step_may_fail() {
    let kinds = [
        ASKED,
        Asked { max_norm: Some(0.5), ..ASKED },
        Asked { max_norm: Some(0.5), clip: Scope::Tensor, ..ASKED },
        Asked { nonfinite: NonFinite::Raise, ..ASKED },
    ];
    for (asked, some) in kinds.into_iter().flat_map(|asked| [(asked, false), (asked, true)]) {
        // Of some rows of the second parameter, or whole.
        let gradients = |scene: &Scene| {
            let mut gradients = scene.gradients(0);
            if some {
                gradients[1] = Some(array(Kind::F64, &[1.0, 2.0, 4.0]).of_rows(&[5, 2, 5]));
            }
            gradients
        };
        let mut other = Scene::new();
        other.asked(gradients(&other), asked).unwrap();
        let mut failed = 0;
        for count in 0.. {
            let mut scene = Scene::new();
            scene.call.run = unlimited;
            let (before, given) = (scene.seen(), gradients(&scene));
            let (result, enough) = with(count, || scene.asked(given, asked));
            match result {
                Ok(_) => {
                    assert_eq!(scene.seen(), other.seen());
                    if enough {
                        break;
                    }
                }
                Err(Stop::Refused(Refusal::OutOfMemory)) => {
                    assert_eq!(scene.seen(), before);
                    failed += 1;
                    // And it goes on when there is memory again.
                    scene.asked(gradients(&scene), asked).unwrap();
                    assert_eq!(scene.seen(), other.seen());
                }
                Err(stop) => panic!("{stop:?}"),
            }
        }
        assert!(failed > 5, "only {failed} allocations failed");
    }
}
