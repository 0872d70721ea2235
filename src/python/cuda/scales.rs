//! What gradients on devices are multiplied by, as the update kernels take it.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::backend;
use crate::engine::OutOfMemory;
use crate::engine::memory::Grow;
use crate::number::Precision;

/// Scales on a device, in records as the kernels write them: float64 of the norm, of the scale, and
/// half of one of the scale in float32.
#[derive(Clone, Copy)]
pub(super) struct OnDevice {
    pub(super) address: usize,
    /// Whether there is one for each gradient on the device.
    pub(super) each: bool,
}

const RECORD: usize = 24;

impl OnDevice {
    /// As a kernel of this compute type takes them: the address of the first, and how many numbers
    /// it is from one to the next.
    pub(super) fn arguments(self, precision: Precision) -> (usize, usize) {
        let (offset, size) = match precision {
            Precision::F64 => (8, 8),
            Precision::F32 => (16, 4),
        };
        (self.address + offset, if self.each { RECORD / size } else { 0 })
    }
}

/// What a launch's gradients are multiplied by.
pub(super) enum Scale {
    Known(f64),
    /// With what keeps them, if nobody else does.
    OnDevice(OnDevice, Option<Py<PyAny>>),
}

/// The gradients on each device, numbered through, with their scales.
#[derive(Default)]
pub(super) struct Numbers {
    devices: Vec<(i32, Vec<f64>)>,
}

impl Numbers {
    /// The number of the next gradient on a device: that of its row among all that are measured.
    pub(super) fn add(&mut self, device: i32, scale: f64) -> Result<usize, OutOfMemory> {
        let place = match self.devices.iter().position(|(known, _)| *known == device) {
            Some(place) => place,
            None => {
                self.devices.try_push((device, Vec::new()))?;
                self.devices.len() - 1
            }
        };
        let scales = &mut self.devices[place].1;
        scales.try_push(scale)?;
        Ok(scales.len() - 1)
    }

    /// A device's scales in its memory, in records as the kernels of the norm write them.
    pub(super) fn upload(&self, py: Python<'_>, device: i32) -> PyResult<Scale> {
        let known = self.devices.iter().find(|(known, _)| *known == device);
        let scales = known.map_or(&[][..], |(_, scales)| scales);
        let bytes = PyBytes::new_with(py, scales.len() * RECORD, |bytes| {
            let (records, _) = bytes.as_chunks_mut::<RECORD>();
            for (record, scale) in records.iter_mut().zip(scales) {
                record[8..16].copy_from_slice(&scale.to_ne_bytes());
                record[16..20].copy_from_slice(&(*scale as f32).to_ne_bytes());
            }
            Ok(())
        })?;
        let array = backend(py, "upload", (device, bytes))?;
        let address = backend(py, "address", (&array,))?.extract()?;
        Ok(Scale::OnDevice(OnDevice { address, each: true }, Some(array.unbind())))
    }
}
