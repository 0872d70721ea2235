//! The joint norm of a step's gradients, and the search for what is not finite, wherever the
//! gradients lie.

use pyo3::prelude::*;

use super::array::Place;
use super::cuda::{self, Clip, Cuda, PartSums};
use super::slot::Slot;
use super::step::{Part, detached};
use crate::engine::memory::{Grow, try_collect};
use crate::engine::{self, ControlGuard, Leaves, OutOfMemory, clip_factor, threads};

/// The norm before clipping, if it was asked for.
pub(super) enum Norm {
    NotAsked,
    Known(f64),
    /// On a device, with what follows from it: to ask for it is to wait.
    OnDevice(Clip),
}

impl Norm {
    /// Whether it tells, now, that every gradient is finite.
    pub(super) fn is_finite(&self) -> bool {
        matches!(self, Norm::Known(norm) if norm.is_finite())
    }

    /// Waits for it if it is on a device.
    pub(super) fn value(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        match self {
            Norm::NotAsked => Ok(None),
            Norm::Known(norm) => Ok(Some(*norm)),
            Norm::OnDevice(clip) => clip.norm(py).map(Some),
        }
    }

    /// What gradients are multiplied by: `scale`, and the clipping factor if it is known here.
    pub(super) fn scale(&self, scale: f64, max_norm: Option<f64>) -> f64 {
        match (self, max_norm) {
            (Norm::Known(norm), Some(max_norm)) => {
                // A foreign rounding mode or flush-to-zero touches no scalar.
                let _control = ControlGuard::new();
                scale * clip_factor(*norm, max_norm)
            }
            _ => scale,
        }
    }
}

/// The devices that parts lie on.
fn devices(slots: &[Slot], parts: &[Part<'_>]) -> Result<Vec<i32>, OutOfMemory> {
    let device = |part: &Part<'_>| match slots[part.slot].header.place {
        Place::Device(device) => Some(device),
        Place::Host => None,
    };
    let mut devices = Vec::new();
    for device in parts.iter().filter_map(device) {
        if let Err(place) = devices.binary_search(&device) {
            devices.try_reserve(1)?;
            devices.insert(place, device);
        }
    }
    Ok(devices)
}

/// The gradients in host memory as the engine's reductions take them, and the parts that they are
/// of.
fn host(slots: &[Slot], parts: &[Part<'_>]) -> Result<(Vec<usize>, engine::Arrays), OutOfMemory> {
    let (mut places, mut arrays) = (Vec::new(), engine::Arrays::default());
    for (i, part) in parts.iter().enumerate() {
        let header = &slots[part.slot].header;
        if header.place == Place::Host {
            places.try_push(i)?;
            arrays.push(&part.place.view(header), header.precision())?;
        }
    }
    Ok((places, arrays))
}

/// The norm, times `|grad_scale|`. On one device it stays there unless it is `needed` here.
pub(super) fn measure(
    py: Python<'_>,
    cuda: &mut Cuda,
    slots: &[Slot],
    parts: &[Part<'_>],
    (grad_scale, max_norm): (f64, f64),
    needed: bool,
) -> PyResult<Norm> {
    let devices = devices(slots, parts)?;
    let (places, gradients) = host(slots, parts)?;
    if let ([device], true, false) = (&devices[..], places.is_empty(), needed) {
        let clip = cuda::measure(py, cuda, *device, slots, parts, grad_scale, max_norm)?;
        return Ok(Norm::OnDevice(clip));
    }
    let (bytes, threads) = (gradients.bytes(), threads::count());
    // SAFETY: the headers were read in this call and the gradients are held; another thread that
    // resizes or writes them meanwhile is as unsafe as it is with NumPy itself.
    let run = || unsafe { gradients.squares(threads) };
    let sums = detached(py, bytes, run)?;
    if devices.is_empty() {
        return Ok(Norm::Known(sums.norm(grad_scale)));
    }
    // The leaves of all gradients are numbered through, wherever they were summed.
    let mut by_part: Vec<&[f64]> = try_collect(parts.iter().map(|_| &[][..]))?;
    for (i, part) in places.iter().enumerate() {
        by_part[*part] = sums.of(i);
    }
    let mut elsewhere = Vec::new();
    for device in devices {
        elsewhere.try_push(cuda::leaf_sums(py, cuda, device, slots, parts)?)?;
    }
    for (part, sums) in elsewhere.iter().flat_map(PartSums::iter) {
        by_part[part] = sums;
    }
    Ok(Norm::Known(Leaves::of_arrays(by_part)?.norm(grad_scale)))
}

/// The first parameter whose gradient is not finite once it is converted.
pub(super) fn find_nonfinite(
    py: Python<'_>,
    cuda: &mut Cuda,
    slots: &[Slot],
    parts: &[Part<'_>],
) -> PyResult<Option<usize>> {
    let (places, gradients) = host(slots, parts)?;
    let (bytes, threads) = (gradients.bytes(), threads::count());
    // SAFETY: as in `measure`.
    let run = || unsafe { gradients.first_nonfinite(threads) };
    let mut first = detached(py, bytes, run)?.map(|i| places[i]);
    for device in devices(slots, parts)? {
        let found = cuda::find_nonfinite(py, cuda, device, slots, parts)?;
        first = [first, found].into_iter().flatten().min();
    }
    Ok(first.map(|part| parts[part].slot))
}
