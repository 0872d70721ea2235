//! The update kernels of a step: one launch for all tensors that share a device, types, options and
//! step count.

use std::any::TypeId;
use std::collections::HashMap;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::backend;
use super::norm::Clip;
use super::tables::Tables;
use crate::cuda::CHUNK;
use crate::engine::{ControlGuard, Kinds, Precision, View, is_dense};
use crate::python::array::{Array, Header, Place};
use crate::python::group::{Compiled, Group};
use crate::python::slot::Slot;
use crate::python::step::{Gradient, Part};
use crate::rules::{Clock, MAX_STATES};

/// What an optimizer keeps for its devices.
pub(in crate::python) struct Cuda {
    rule: String,
    pub(super) tables: Tables,
    kernels: HashMap<(i32, TypeId, Kinds, bool), Py<PyAny>>,
}

/// A kernel with its arguments, ready to be launched.
pub(in crate::python) struct Launch {
    device: i32,
    kernel: Py<PyAny>,
    table: Py<PyAny>,
    count: usize,
    chunks: usize,
    scalars: Py<PyBytes>,
    clip: usize,
    /// Arrays without a kernel of their own layout, with the contiguous copies that it runs on.
    copies: Vec<(Py<PyAny>, Py<PyAny>)>,
}

/// What tensors have in common that share a launch.
type Key = (i32, usize, Clock, Kinds);

/// A launch while its table grows.
struct Growing {
    key: Key,
    rows: Vec<i64>,
    count: usize,
    chunks: usize,
    copies: Vec<(Py<PyAny>, Py<PyAny>)>,
}

impl Cuda {
    pub(in crate::python) fn new(rule: &str) -> Self {
        Cuda { rule: rule.to_owned(), tables: Tables::default(), kernels: HashMap::new() }
    }

    /// Begins a step.
    pub(in crate::python) fn begin(&mut self) {
        self.tables.begin();
    }

    /// The launches of the parts that lie on devices, their kernels compiled and their tables
    /// written. `scale` multiplies every gradient; with `clip` it is on the device.
    pub(in crate::python) fn plan(
        &mut self,
        py: Python<'_>,
        slots: &[Slot],
        groups: &[Group],
        parts: &[Part<'_>],
        scale: f64,
        clip: Option<&Clip>,
    ) -> PyResult<Vec<Launch>> {
        let mut growing: Vec<Growing> = Vec::new();
        for part in parts {
            let slot = &slots[part.slot];
            let Place::Device(device) = slot.header.place else { continue };
            if slot.header.len() > 0 {
                add(py, &mut growing, device, slot, groups[slot.group].compiled()?, part)?;
            }
        }
        let finish = |launch| self.finish(py, groups, launch, scale, clip);
        growing.into_iter().map(finish).collect()
    }

    fn finish(
        &mut self,
        py: Python<'_>,
        groups: &[Group],
        growing: Growing,
        scale: f64,
        clip: Option<&Clip>,
    ) -> PyResult<Launch> {
        let Growing { key: (device, group, clock, kinds), rows, count, chunks, copies } = growing;
        let compiled = groups[group].compiled()?;
        let kernel = compiled.trace(&self.rule)?;
        let coupled = compiled.prelude.coupled_decay();
        let key = (device, kernel.formula(), kinds, coupled);
        let function = match self.kernels.get(&key) {
            Some(known) => known.clone_ref(py),
            None => {
                let source = kernel.source(kinds, coupled);
                let made = backend(py)?.call_method1("update_kernel", (device, source))?.unbind();
                self.kernels.insert(key, made.clone_ref(py));
                made
            }
        };
        let precision = Precision::of(kinds.p);
        let scalars = {
            // A foreign rounding mode or flush-to-zero touches no scalar.
            let _control = ControlGuard::new();
            let mut prelude = compiled.prelude.scalars(precision.smallest_normal());
            if clip.is_none() {
                prelude.grad_scale *= scale;
            }
            kernel.scalars(&compiled.method.scalars(clock), &prelude, precision)
        };
        Ok(Launch {
            device,
            kernel: function,
            table: self.tables.get(py, device, rows)?,
            count,
            chunks,
            scalars: PyBytes::new(py, &scalars).unbind(),
            clip: clip.map_or(0, |clip| clip.scale(precision)),
            copies,
        })
    }
}

/// Adds a tensor's row to the launch that it belongs to.
fn add(
    py: Python<'_>,
    growing: &mut Vec<Growing>,
    device: i32,
    slot: &Slot,
    compiled: &Compiled,
    part: &Part<'_>,
) -> PyResult<()> {
    let Gradient::Elsewhere(gradient) = &part.place else { return Ok(()) };
    let states: Vec<_> = slot.ready_states(compiled.states.len()).collect();
    let state = states.first().map_or(slot.header.precision().kind(), |s| s.header.format.kind);
    if states.iter().any(|other| other.header.format.kind != state) {
        return Err(PyTypeError::new_err(format!(
            "the states of {} have several dtypes; on a CUDA device they must have one",
            slot.label
        )));
    }
    let kinds = Kinds { p: slot.header.format.kind, g: gradient.format.kind, state };
    let key = (device, slot.group, Clock { t: slot.step + 1, fresh: part.fresh }, kinds);
    let place = match growing.iter().rposition(|launch| launch.key == key) {
        Some(place) => place,
        None => {
            growing.push(Growing { key, rows: vec![], count: 0, chunks: 0, copies: vec![] });
            growing.len() - 1
        }
    };
    let launch = &mut growing[place];

    let headers =
        || [&slot.header, &**gradient].into_iter().chain(states.iter().map(|s| &s.header));
    let in_place = headers().all(Header::runs_in_place) || {
        let views: Vec<View> = headers().map(Header::view).collect();
        is_dense(&views.iter().collect::<Vec<_>>())
    };
    let mut address = |header: &Header, array: &Array<'_>, written: bool| -> PyResult<i64> {
        if in_place || header.runs_in_place() {
            return Ok(header.lowest() as i64);
        }
        let copy = backend(py)?.call_method1("contiguous", (array.object(),))?;
        let address = Header::of_copy(&Array::Device(copy.clone()))?.lowest() as i64;
        let copied_back = if written { array.object().clone().unbind() } else { py.None() };
        launch.copies.push((copied_back, copy.unbind()));
        Ok(address)
    };
    let mut row = [0; 4 + MAX_STATES];
    if let Some(array) = slot.array(py) {
        row[0] = address(&slot.header, &array, true)?;
    }
    row[1] = address(gradient, &part.gradient, false)?;
    for (place, state) in row[2..].iter_mut().zip(&states) {
        *place = address(&state.header, &state.array.bind(py), true)?;
    }
    row[2 + MAX_STATES] = slot.header.len() as i64;
    row[3 + MAX_STATES] = launch.chunks as i64;
    launch.rows.extend(row);
    launch.count += 1;
    launch.chunks += slot.header.len().div_ceil(CHUNK);
    Ok(())
}

impl Launch {
    /// Launches the kernel on its device's current stream.
    pub(in crate::python) fn run(&self, py: Python<'_>) -> PyResult<()> {
        let backend = backend(py)?;
        let Launch { device, kernel, table, count, chunks, scalars, clip, copies } = self;
        let arguments = (*device, kernel, *chunks, table, *count, scalars, *clip);
        backend.call_method1(intern!(py, "launch"), arguments)?;
        for (array, copy) in copies {
            if !array.is_none(py) {
                backend.call_method1("copy_back", (array, copy))?;
            }
        }
        Ok(())
    }
}
