//! The update kernels of a step: one launch for all tensors that share a device, types, options and
//! step count.

use std::any::TypeId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use smallvec::SmallVec;

use super::backend;
use super::clip::DeviceNorm;
use super::factors::{self, Matrices};
use super::launch::{Copied, Launch};
use super::measuring::{self, Tensors};
use super::scales::{Numbers, Scale};
use super::tables::Tables;
use crate::cuda::{self, CHUNK};
use crate::engine::memory::{Grow, try_collect, with_room};
use crate::engine::{ARRAYS, ControlGuard, View, is_dense, rows_are_dense};
use crate::number::{Kinds, Precision};
use crate::optimizer::{Gradient, Group, Header, Named, Part, Place, Scales, Step};
use crate::python::array::{Array, Held, Seen};
use crate::python::caller::Caller;
use crate::python::python_arrays::PythonArrays;
use crate::rules::{Clock, Memory};

/// What an optimizer keeps for its devices.
#[derive(Default)]
pub(in crate::python) struct Cuda {
    pub(super) tables: Tables,
    kernels: HashMap<(i32, TypeId, Kinds, bool), Kernels>,
}

/// The kernels of a rule.
struct Kernels {
    update: Py<PyAny>,
    /// Those that make the factors, if these are the rule's states.
    factors: Option<Py<PyAny>>,
    /// Those that come before it, if the rule measures.
    measuring: Option<Py<PyAny>>,
}

/// What tensors have in common that share a launch; of what is remembered, none that hangs on their sums.
type LaunchKey = (i32, usize, Clock, Kinds, TypeId);

/// A launch while its table grows.
struct Growing {
    key: LaunchKey,
    kernel: cuda::Kernel,
    rows: Vec<i64>,
    count: usize,
    chunks: usize,
    copies: Vec<Copied>,
    /// The parts that its tensors are of.
    parts: Vec<usize>,
    /// By tensor, what its scalars follow from, where that is not the same.
    unrounded: Vec<u8>,
    /// The shapes of its tensors, if factors are their state.
    matrices: Vec<Matrices>,
}

impl Growing {
    fn new(key: LaunchKey, kernel: cuda::Kernel) -> Self {
        let (rows, copies, parts, unrounded) = (vec![], vec![], vec![], vec![]);
        let (count, chunks, matrices) = (0, 0, vec![]);
        Growing { key, kernel, rows, count, chunks, copies, parts, unrounded, matrices }
    }
}

/// The numbers of a tensor's row: addresses, length, first chunk, and the gradient's number.
const ROW: usize = ARRAYS + 3;

impl Cuda {
    /// Begins a step.
    pub(in crate::python) fn begin(&mut self) {
        self.tables.begin();
    }

    /// The launches of the parts that lie on devices, their kernels compiled and their tables
    /// written. `scales` multiply the gradients; with `clip` they are on the device.
    pub(in crate::python) fn plan(
        &mut self,
        caller: Caller<'_>,
        step: Step<'_, PythonArrays>,
        scales: &Scales,
        clip: Option<&DeviceNorm>,
    ) -> PyResult<Vec<Launch>> {
        let mut growing: Vec<Growing> = Vec::new();
        let mut numbers = Numbers::default();
        for (i, part) in step.parts.iter().enumerate() {
            let header = &step.slot(part).header;
            let Place::Device(device) = header.place else { continue };
            if part.apart().is_some_and(|gradient| gradient.len() > 0) {
                let number = numbers.add(device, scales.of(i))?;
                add(caller, &mut growing, device, step, (i, part), number)?;
            }
        }
        let mut launches = with_room(growing.len())?;
        for launch in growing {
            let scale = match (clip, scales) {
                (Some(clip), _) => Scale::OnDevice(clip.scales(), None),
                (None, Scales::Same(scale)) => Scale::Known(*scale),
                (None, Scales::Each(_)) => numbers.upload(caller.py, launch.key.0)?,
            };
            launches.push(self.finish(caller.py, step.groups, launch, scale)?);
        }
        Ok(launches)
    }

    fn finish(
        &mut self,
        py: Python<'_>,
        groups: &[Group],
        growing: Growing,
        scale: Scale,
    ) -> PyResult<Launch> {
        let Growing { key: (device, group, clock, kinds, formula), kernel, rows, count, .. } =
            growing;
        let Growing { chunks, copies, parts, unrounded, matrices, .. } = growing;
        let compiled = &groups[group].compiled;
        let coupled = compiled.prelude.coupled_decay();
        let key = (device, formula, kinds, coupled);
        let kernels = match self.kernels.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let source = kernel.source(kinds, coupled);
                let made = |name: &str| backend(py, name, (device, &source)).map(Bound::unbind);
                let measuring =
                    kernel.measuring().map(|_| made("measuring_kernels")).transpose()?;
                let factors = kernel.is_by_factors().then(|| made("factor_kernels")).transpose()?;
                place.insert(Kernels { update: made("update_kernel")?, factors, measuring })
            }
        };
        let precision = Precision::of(kinds.p);
        let (scalars, block, averages) = {
            // A foreign rounding mode or flush-to-zero touches no scalar.
            let _control = ControlGuard::new();
            let mut prelude = compiled.prelude.scalars(precision.smallest_normal());
            if let Scale::Known(scale) = &scale {
                prelude.grad_scale *= scale;
            }
            let block = compiled.method.scalars(clock);
            let averages = compiled.method.factored().map(|rule| rule.averages(clock));
            (kernel.scalars(&block, &prelude, precision), block, averages)
        };
        let lengths = rows.chunks(ROW).map(|row| row[ARRAYS] as usize);
        let lengths = try_collect(lengths)?;
        let table = self.tables.get(py, device, rows)?;
        let scalars = PyBytes::new(py, &scalars);
        let ((clip, apart), scales) = match scale {
            Scale::Known(_) => ((0, 0), None),
            Scale::OnDevice(scales, held) => (scales.arguments(precision), held),
        };
        let passed = (scalars.clone(), clip, apart);
        let beside = match (&kernels.factors, averages) {
            (Some(kernels), Some(averages)) => {
                let (tables, tensors) = (&mut self.tables, (device, &table, &matrices[..]));
                factors::make(py, tables, kernels, tensors, &passed, (averages, precision))?
            }
            _ => PyTuple::empty(py),
        };
        let (mut own, mut sums) = (None, None);
        if let (Some(rule), Some(measuring)) = (kernel.measuring(), &kernels.measuring) {
            let tensors = Tensors { device, table: &table, lengths, parts };
            let each = (!unrounded.is_empty())
                .then(|| backend(py, "upload", (device, PyBytes::new(py, &unrounded))))
                .transpose()?;
            let unrounded = PyBytes::new(py, &rule.unrounded(&block));
            let given = (passed, (unrounded, each, rule.own(precision)));
            let (tables, count) = (&mut self.tables, rule.sums());
            let taken = measuring::take(py, tables, measuring, count, tensors, given, &beside)?;
            own = Some(taken.0);
            sums = Some(taken.1).filter(|_| compiled.method.remembers_sums());
        }
        let kernel = kernels.update.clone_ref(py);
        let arguments = (device, chunks, table, count, scalars, clip, apart, own, beside);
        let (device, arguments) = backend(py, "arguments", arguments)?.extract()?;
        Ok(Launch { device, kernel, arguments, copies, scales, sums })
    }
}

/// Adds a tensor's row to the launch that it belongs to.
fn add(
    caller: Caller<'_>,
    growing: &mut Vec<Growing>,
    device: i32,
    step: Step<'_, PythonArrays>,
    (i, part): (usize, &Part<PythonArrays>),
    number: usize,
) -> PyResult<()> {
    let (py, slot) = (caller.py, step.slot(part));
    let Some(gradient) = part.apart() else { return Ok(()) };
    let states = step.states(part);
    let state = states.first().map_or(slot.header.precision().kind(), |s| s.header.format.kind);
    if let Some(other) = states.iter().find(|other| other.header.format.kind != state) {
        return Err(PyTypeError::new_err(format!(
            "the states of {} must have one dtype on a CUDA device, found {} and {}",
            caller.label(Named::Parameter(part.slot)),
            state.name(),
            other.header.format.kind.name()
        )));
    }
    let kinds = Kinds { p: slot.header.format.kind, g: gradient.format.kind, state };
    let compiled = &step.group(part).compiled;
    let kernel = compiled.of(&slot.header.shape).traced;
    let (own_clock, measuring) = (step.clock(part), kernel.measuring());
    let apart = measuring.filter(|_| compiled.method.remembers_sums());
    let memory = if apart.is_some() { Memory::default() } else { own_clock.memory };
    let clock = Clock { memory, ..own_clock };
    let key = (device, slot.group, clock, kinds, kernel.formula());
    let place = match growing.iter().rposition(|launch| launch.key == key) {
        Some(place) => place,
        None => {
            growing.try_push(Growing::new(key, kernel))?;
            growing.len() - 1
        }
    };
    let launch = &mut growing[place];

    let headers = || {
        let own: [&Header; 2] = [&slot.header, gradient];
        own.into_iter().chain(states.iter().map(|state| &*state.header))
    };
    let rows = match &part.place {
        Gradient::Rows(rows) => Some(rows.occurrences.rows()),
        _ => None,
    };
    if let Some(rule) = apart {
        let _control = ControlGuard::new();
        launch.unrounded.try_extend(rule.unrounded(&compiled.method.scalars(own_clock)))?;
    }
    if kernel.is_by_factors() {
        launch.matrices.try_extend(Matrices::of(&slot.header.shape))?;
    }
    // Sums over whole tensors are taken in C order.
    let in_place = headers().all(Header::runs_in_place)
        || measuring.is_none() && {
            let views: SmallVec<[View; ARRAYS]> = headers().map(Header::view).collect();
            let views: SmallVec<[&View; ARRAYS]> = views.iter().collect();
            if rows.is_some() { rows_are_dense(&views) } else { is_dense(&views) }
        };
    // Where an array begins, and how far it is from one of its rows to the next.
    let lies = |header: &Header| match rows {
        Some(_) => (header.view().row().lowest() as i64, header.strides[0] as i64),
        None => (header.lowest() as i64, 0),
    };
    let mut address = |header: &Header, array: &Held, written: bool| -> PyResult<(i64, i64)> {
        if in_place || header.runs_in_place() {
            return Ok(lies(header));
        }
        let array = array.bind(py);
        let copy = backend(py, "contiguous", (array.object(),))?;
        let seen = Seen::of_copy(&Array::Device(copy.clone()))?;
        let place = lies(&seen);
        let back = written.then(|| array.object().clone().unbind());
        launch.copies.try_push(Copied { copy: copy.unbind(), back })?;
        Ok(place)
    };
    let mut places = [(0, 0); ARRAYS];
    if let Some(array) = &slot.array {
        places[0] = address(&slot.header, array, true)?;
    }
    places[1] = address(gradient, &part.gradient, false)?;
    for (place, state) in places[2..].iter_mut().zip(&states) {
        *place = address(&state.header, &state.array, true)?;
    }
    // Each row that is touched is a tensor of its own.
    let rows = rows.unwrap_or(&[0]);
    let length = gradient.len() / rows.len();
    for (at, row) in rows.iter().enumerate() {
        let mut tensor = [0; ROW];
        for (address, (begin, stride)) in tensor.iter_mut().zip(places) {
            *address = begin + stride * *row as i64;
        }
        tensor[1] = places[1].0 + places[1].1 * at as i64;
        tensor[ARRAYS..].copy_from_slice(&[length as i64, launch.chunks as i64, number as i64]);
        launch.rows.try_extend(tensor)?;
        launch.parts.try_push(i)?;
        launch.count += 1;
        launch.chunks += length.div_ceil(CHUNK);
    }
    Ok(())
}
