//! A device of vectors: memory of this machine that the engine's step is not to touch, and what runs it
//! in the engine's place, well or not.

use std::cell::Cell;

use ferrostep::engine::{self, Block, Plan};
use ferrostep::optimizer::{
    Asked, Elsewhere, Measured, Part, Place, Scaling, Slot, Step, Stop, SumsOfParts,
};
use ferrostep::rules::{Finite, GradientNorm, MAX_SUMS, Measure};

use super::arrays::Array;
use super::vectors::{Call, Held, Said, Vectors};

/// What a device is at when something happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
    Fill,
    LeafSums,
    Search,
    Prepare,
    /// Before anything is written.
    Run,
    /// When all is written.
    Ran,
}

pub enum Event {
    Fault,
    /// Foreign code runs, which puts another array into an object.
    Replace(Held, Array),
    /// It does no harm.
    Foreign,
}

#[derive(Default)]
pub struct Device {
    pub event: Option<(At, Event)>,
    /// How many steps it has run.
    pub runs: Cell<usize>,
}

impl Device {
    /// What happens there. True if foreign code has run.
    fn at(&self, now: At) -> Result<bool, Said> {
        match &self.event {
            Some((at, event)) if *at == now => match event {
                Event::Fault => Err(Said::Fault),
                Event::Foreign => Ok(true),
                Event::Replace(held, array) => {
                    held.replace(array.clone());
                    Ok(true)
                }
            },
            _ => Ok(false),
        }
    }
}

/// The parts that are not in host memory, each with its number.
fn parts<'a>(step: Step<'a, Vectors>) -> impl Iterator<Item = (usize, &'a Part<Vectors>)> {
    let parts = step.parts.iter().enumerate();
    parts.filter(move |(_, part)| step.slot(part).header.place != Place::Host)
}

/// The sums of a gradient's leaves.
fn sums<M: Measure>(step: Step<'_, Vectors>, part: &Part<Vectors>) -> engine::Leaves {
    let (mut measured, header) = (engine::Measured::default(), &step.slot(part).header);
    measured.push(&part.place.view(header), header.precision()).unwrap();
    // SAFETY: who holds the gradient keeps its memory, and nobody writes it meanwhile.
    unsafe { measured.measure::<M>(1) }.unwrap()
}

// SAFETY: the plan is of the step's own parameters and states; foreign code is told of.
unsafe impl Elsewhere for Vectors {
    type Kept = ();
    type Norm = ();
    type Work = Plan;
    type Old = engine::Moved;

    fn runs(_: &Call, place: Place) -> bool {
        place != Place::Host
    }

    fn begin(_: &mut ()) {}

    fn fill(call: &Call, array: &Held, initial: f64) -> Result<(), Said> {
        call.device.at(At::Fill)?;
        array.write(|_| initial);
        Ok(())
    }

    fn copy_rows(call: &Call, from: &Held, to: &Held, rows: &[i64]) -> Result<(), Said> {
        call.device.at(At::Fill)?;
        let (from, to) = (from.header().view(), to.header().view());
        // SAFETY: the arrays are ours, and are rows of states of one shape but for their number.
        unsafe { engine::copy_rows(&from, &to, rows) };
        Ok(())
    }

    fn keep(
        _: &mut (),
        _: &Call,
        slots: &[Slot<Self>],
        moving: &[bool],
    ) -> Result<Option<engine::Moved>, Said> {
        let mut moved = engine::Moved::default();
        let all = slots.iter().zip(moving);
        for (slot, moving) in all.filter(|(slot, _)| slot.header.place != Place::Host) {
            moved.push(&slot.header.view(), None, None, !moving).unwrap();
        }
        // SAFETY: who holds the parameters keeps their memory, and nobody writes it meanwhile.
        unsafe { moved.keep() };
        Ok(Some(moved))
    }

    fn moved(
        _: &mut (),
        _: &Call,
        slots: &[Slot<Self>],
        mut old: engine::Moved,
        sums: &mut [Vec<[f64; 2]>],
    ) -> Result<(), Said> {
        // SAFETY: as for `keep`.
        unsafe { old.compare(1) };
        let places = (0..slots.len()).filter(|i| slots[*i].header.place != Place::Host);
        places.zip(old.sums()).for_each(|(i, of)| sums[i] = of.to_vec());
        Ok(())
    }

    fn norm(
        _: &mut (),
        _: &Call,
        _: Step<'_, Self>,
        _: &Asked,
    ) -> Result<Option<Measured<()>>, Said> {
        Ok(None)
    }

    fn leaf_sums(
        _: &mut (),
        call: &Call,
        step: Step<'_, Self>,
        by_part: &mut [Vec<f64>],
    ) -> Result<(), Said> {
        call.device.at(At::LeafSums)?;
        for (i, part) in parts(step) {
            by_part[i] = sums::<GradientNorm>(step, part).all().to_vec();
        }
        Ok(())
    }

    fn first_nonfinite(
        _: &mut (),
        call: &Call,
        step: Step<'_, Self>,
    ) -> Result<Option<usize>, Said> {
        call.device.at(At::Search)?;
        let infinite = |part| sums::<Finite>(step, part).first_nonfinite().is_some();
        Ok(parts(step).find(|(_, part)| infinite(part)).map(|(i, _)| i))
    }

    fn terms(
        _: &mut (),
        _: &Call,
        _: Step<'_, Self>,
        _: Scaling<'_, ()>,
        _: &mut [Vec<[f64; MAX_SUMS]>],
    ) -> Result<(), Stop<Said>> {
        Ok(()) // no rule of the fuzzed ones measures all parameters together
    }

    fn prepare(
        _: &mut (),
        call: &Call,
        step: Step<'_, Self>,
        (_, scales): Scaling<'_, ()>,
        _: &[[f64; MAX_SUMS]],
    ) -> Result<Plan, Stop<Said>> {
        let mut plan = Plan::new();
        for (i, part) in parts(step) {
            let (slot, compiled) = (step.slot(part), &step.group(part).compiled);
            let scalars = compiled.method.scalars(step.clock(part));
            let block = Block::new(scalars, &compiled.prelude, slot.header.precision());
            let block = plan.block(block.scaled(scales.of(i)))?;
            // SAFETY: the step has checked that they are writable and disjoint.
            unsafe { part.push(&mut plan, slot, compiled, block) }?;
        }
        call.device.at(At::Prepare).map_err(Stop::Holder)?;
        Ok(plan)
    }

    fn sums(_: &Call, _: &Plan) -> Result<SumsOfParts, Said> {
        Ok(Vec::new()) // no rule of the fuzzed ones remembers any
    }

    fn is_empty(plan: &Plan) -> bool {
        plan.bytes() == 0
    }

    unsafe fn run(call: &Call, plan: &Plan) -> Result<bool, Said> {
        call.device.runs.set(call.device.runs.get() + 1);
        call.device.at(At::Run)?;
        // SAFETY: passed on from the caller.
        unsafe { plan.run(1) };
        call.device.at(At::Ran)
    }
}
