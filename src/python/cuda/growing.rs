//! The tensors of a step's launches: one launch for all that share a device, types, options and step count.

use std::any::TypeId;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use smallvec::SmallVec;

use super::backend;
use super::factors::Matrices;
use super::launch::Copied;
use super::scales::Numbers;
use crate::cuda::{self, CHUNK, Room};
use crate::engine::memory::Grow;
use crate::engine::{ARRAYS, ControlGuard, View, is_dense, rows_are_dense};
use crate::number::Kinds;
use crate::optimizer::{Gradient, Header, Named, Part, Place, Scales, Step};
use crate::python::array::{Array, Held, Seen};
use crate::python::caller::Caller;
use crate::python::python_arrays::PythonArrays;
use crate::rules::{Clock, Memory};

/// What tensors have in common that share a launch; of what is remembered, none that hangs on their sums.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Key {
    pub(super) device: i32,
    pub(super) group: usize,
    pub(super) clock: Clock,
    pub(super) kinds: Kinds,
    pub(super) formula: TypeId,
    /// The shape of what is updated as a whole.
    pub(super) matrix: Option<[usize; 2]>,
}

/// A launch while its table grows.
pub(super) struct Growing {
    pub(super) key: Key,
    pub(super) kernel: cuda::Kernel,
    pub(super) rows: Vec<i64>,
    pub(super) count: usize,
    pub(super) chunks: usize,
    pub(super) copies: Vec<Copied>,
    /// The parts that its tensors are of.
    pub(super) parts: Vec<usize>,
    /// By tensor, what its scalars follow from, where that is not the same.
    pub(super) unrounded: Vec<u8>,
    /// The shapes of its tensors, if factors are their state.
    pub(super) matrices: Vec<Matrices>,
}

/// The numbers of a tensor's row: addresses, length, first chunk, and the gradient's number.
pub(super) const ROW: usize = ARRAYS + 3;

impl Growing {
    fn new(key: Key, kernel: cuda::Kernel) -> Self {
        let (count, chunks, matrices) = (0, 0, vec![]);
        let (rows, copies, parts, unrounded) = (vec![], vec![], vec![], vec![]);
        Growing { key, kernel, rows, count, chunks, copies, parts, unrounded, matrices }
    }

    /// Whether its workspace has no room for one more matrix.
    fn is_full(&self) -> bool {
        self.key.matrix.is_some_and(|shape| Room::is_full(self.count, shape))
    }

    /// The lengths of its tensors.
    pub(super) fn lengths(&self) -> impl Iterator<Item = usize> + '_ {
        self.rows.chunks(ROW).map(|row| row[ARRAYS] as usize)
    }
}

/// The launches of the parts that lie on devices, and the numbers of their gradients.
pub(super) fn grow(
    caller: Caller<'_>,
    step: Step<'_, PythonArrays>,
    scales: &Scales,
) -> PyResult<(Vec<Growing>, Numbers)> {
    let (mut growing, mut numbers) = (Vec::new(), Numbers::default());
    for (i, part) in step.parts.iter().enumerate() {
        let Place::Device(device) = step.slot(part).header.place else { continue };
        if part.apart().is_some_and(|gradient| gradient.len() > 0) {
            let number = numbers.add(device, scales.of(i))?;
            add(caller, &mut growing, device, step, (i, part), number)?;
        }
    }
    Ok((growing, numbers))
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
    let matrix = match (compiled.method.whole(), &slot.header.shape[..]) {
        (Some(_), [rows, columns]) => Some([*rows, *columns].map(isize::unsigned_abs)),
        _ => None,
    };
    let clock = Clock { memory, ..own_clock };
    let key = Key { device, group: slot.group, clock, kinds, formula: kernel.formula(), matrix };
    let fits = |launch: &Growing| launch.key == key && !launch.is_full();
    let place = match growing.iter().rposition(fits) {
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
    // Sums over whole tensors are taken in C order, and matrices lie in it.
    let in_place = headers().all(Header::runs_in_place)
        || measuring.is_none() && matrix.is_none() && {
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
