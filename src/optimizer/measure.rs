//! What is measured of the gradients before anything is written: their joint norm, and the first
//! that is not finite, wherever they lie.

use super::asked::{Asked, Norm};
use super::elsewhere::Elsewhere;
use super::header::Place;
use super::holder::Holder;
use super::kept::Optimizer;
use super::part::{Part, Step};
use super::refusal::Stop;
use crate::engine::memory::{Grow, try_collect};
use crate::engine::{self, Leaves, OutOfMemory, threads};

/// The gradients in host memory as the engine's reductions take them, and the parts that they are
/// of.
fn on_host<H: Holder>(step: Step<'_, H>) -> Result<(Vec<usize>, engine::Arrays), OutOfMemory> {
    let (mut places, mut arrays) = (Vec::new(), engine::Arrays::default());
    for (i, part) in step.parts.iter().enumerate() {
        let header = &step.slot(part).header;
        if header.place == Place::Host {
            places.try_push(i)?;
            arrays.push(&part.place.view(header), header.precision())?;
        }
    }
    Ok((places, arrays))
}

impl<H: Elsewhere> Optimizer<H> {
    /// The norm, times `|grad_scale|`, if it is asked for.
    pub(super) fn norm(
        &mut self,
        caller: H::Caller<'_>,
        parts: &[Part<H>],
        asked: &Asked,
    ) -> Result<Norm<H::Norm>, Stop<H::Error>> {
        if asked.max_norm.is_none() {
            return Ok(Norm::NotAsked);
        }
        if let Some(norm) = asked.norm {
            return Ok(Norm::Known(norm));
        }
        let step = Step { slots: &self.slots, groups: &self.groups, parts };
        let whole = H::norm(&mut self.elsewhere, caller, step, asked).map_err(Stop::Holder)?;
        if let Some(norm) = whole {
            return Ok(norm);
        }
        let (places, gradients) = on_host(step)?;
        let (bytes, threads) = (gradients.bytes(), threads::count());
        // SAFETY: the headers were read in this call and the gradients are held; another thread that
        // resizes or writes them meanwhile is as unsafe as it is with NumPy itself.
        let run = || unsafe { gradients.squares(threads) };
        let sums = H::detached(caller, bytes, run)?;
        if places.len() == parts.len() {
            return Ok(Norm::Known(sums.norm(asked.grad_scale)));
        }
        // The leaves of all gradients are numbered through, wherever they were summed.
        let mut by_part: Vec<Vec<f64>> = try_collect(parts.iter().map(|_| Vec::new()))?;
        H::leaf_sums(&mut self.elsewhere, caller, step, &mut by_part).map_err(Stop::Holder)?;
        let mut all: Vec<&[f64]> = try_collect(by_part.iter().map(|sums| &sums[..]))?;
        for (i, part) in places.iter().enumerate() {
            all[*part] = sums.of(i);
        }
        Ok(Norm::Known(Leaves::of_arrays(all)?.norm(asked.grad_scale)))
    }

    /// The first parameter whose gradient is not finite once it is converted.
    pub(super) fn first_nonfinite(
        &mut self,
        caller: H::Caller<'_>,
        parts: &[Part<H>],
    ) -> Result<Option<usize>, Stop<H::Error>> {
        let step = Step { slots: &self.slots, groups: &self.groups, parts };
        let (places, gradients) = on_host(step)?;
        let (bytes, threads) = (gradients.bytes(), threads::count());
        let everywhere = places.len() == parts.len();
        // SAFETY: as in `norm`.
        let run = || unsafe { gradients.first_nonfinite(threads) };
        let mut first = H::detached(caller, bytes, run)?.map(|i| places[i]);
        if !everywhere {
            let found = H::first_nonfinite(&mut self.elsewhere, caller, step);
            first = [first, found.map_err(Stop::Holder)?].into_iter().flatten().min();
        }
        Ok(first.map(|part| parts[part].slot))
    }
}
