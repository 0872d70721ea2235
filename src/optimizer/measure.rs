//! What is measured of the gradients before anything is written: their joint norm, and the first
//! that is not finite, wherever they lie.

use super::asked::{Asked, Norm};
use super::elsewhere::Elsewhere;
use super::header::Place;
use super::holder::Holder;
use super::kept::Optimizer;
use super::part::{Part, Step};
use super::refusal::Stop;
use super::scales::{Measured, Scales, scale_of_leaves, scale_of_norm};
use crate::engine::memory::{Grow, try_collect};
use crate::engine::{self, OutOfMemory, norm_of_leaves, threads};
use crate::rules::{Finite, GradientNorm, Scope};

/// The gradients in host memory as the engine's reductions take them, and the parts that they are
/// of.
fn on_host<H: Holder>(step: Step<'_, H>) -> Result<(Vec<usize>, engine::Measured), OutOfMemory> {
    let (mut places, mut arrays) = (Vec::new(), engine::Measured::default());
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
    /// The norm, times `|grad_scale|`, if it is asked for, and what gradients are multiplied by.
    pub(super) fn norm(
        &mut self,
        caller: H::Caller<'_>,
        parts: &[Part<H>],
        asked: &Asked,
    ) -> Result<Measured<H::Norm>, Stop<H::Error>> {
        let Some(max_norm) = asked.max_norm else {
            let norm = asked.norm.map_or(Norm::NotAsked, Norm::Known);
            return Ok((norm, Scales::Same(asked.grad_scale)));
        };
        if let (Some(norm), Scope::All) = (asked.norm, asked.clip) {
            return Ok((Norm::Known(norm), Scales::Same(scale_of_norm(norm, asked, max_norm))));
        }
        let step = Step { slots: &self.slots, groups: &self.groups, parts };
        let whole = H::norm(&mut self.elsewhere, caller, step, asked).map_err(Stop::Holder)?;
        if let Some(whole) = whole {
            return Ok(whole);
        }
        let (places, gradients) = on_host(step)?;
        let (bytes, threads) = (gradients.bytes(), threads::count());
        // SAFETY: the headers were read in this call and the gradients are held; another thread that
        // resizes or writes them meanwhile is as unsafe as it is with NumPy itself.
        let run = || unsafe { gradients.measure::<GradientNorm>(threads) };
        let sums = H::detached(caller, bytes, run)?;
        let everywhere = places.len() == parts.len();
        let mut by_part: Vec<Vec<f64>> = Vec::new();
        if !everywhere {
            by_part = try_collect(parts.iter().map(|_| Vec::new()))?;
            H::leaf_sums(&mut self.elsewhere, caller, step, &mut by_part).map_err(Stop::Holder)?;
        }
        // The leaves of all gradients are numbered through, wherever they were summed.
        let on_host = |part| if everywhere { Ok(part) } else { places.binary_search(&part) };
        let leaves = |part| on_host(part).map_or_else(|_| &by_part[part][..], |i| sums.of(i));
        let all = || (0..parts.len()).map(leaves);
        let norm = match asked.norm {
            Some(norm) => norm,
            None => norm_of_leaves(all().flatten().copied(), asked.grad_scale),
        };
        let scales = match asked.clip {
            Scope::All => Scales::Same(scale_of_norm(norm, asked, max_norm)),
            Scope::Tensor => {
                let each = all().map(|sums| scale_of_leaves(sums, asked, max_norm));
                Scales::Each(try_collect(each)?)
            }
        };
        Ok((Norm::Known(norm), scales))
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
        let run = || unsafe { gradients.measure::<Finite>(threads) };
        let found = H::detached(caller, bytes, run)?.first_nonfinite();
        let mut first = found.map(|i| places[i]);
        if !everywhere {
            let found = H::first_nonfinite(&mut self.elsewhere, caller, step);
            first = [first, found.map_err(Stop::Holder)?].into_iter().flatten().min();
        }
        Ok(first.map(|part| parts[part].slot))
    }
}
