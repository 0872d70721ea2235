//! The engine of one optimizer as Python holds it: its lock, its parameters, and the step.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use numpy::PyUntypedArray;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyDict, PySet};

use super::StepInfo;
use super::array::{Array, Header, shape_text, shares_memory};
use super::gradients::collect;
use super::group::{Compiled, Group};
use super::slot::{Slot, StateArray};
use crate::engine::{Block, ControlGuard, Plan, Precision, Written, all_finite, threads};
use crate::rules::{Clock, MAX_STATES};

/// Below this the step is shorter than giving the interpreter away and taking it back.
const DETACH_BYTES: usize = 128 * 1024;

#[derive(Clone, Copy, PartialEq)]
enum NonFinite {
    Propagate,
    Raise,
    Skip,
}

struct Inner {
    groups: Vec<Group>,
    slots: Vec<Slot>,
    written: Option<Written>,
    plan: Plan,
    weak: bool,
    skipped: u64,
}

#[pyclass(frozen, module = "ferrostep._native")]
pub(super) struct Core {
    rule: String,
    read: Py<PyAny>,
    nonfinite: NonFinite,
    nonfinite_error: Py<PyAny>,
    reference: Option<Py<PyAny>>,
    applied: Py<StepInfo>,
    not_applied: Py<StepInfo>,
    inner: Mutex<Inner>,
    /// The thread and the process that have the lock; 0 for none.
    owner: AtomicUsize,
    process: AtomicU32,
}

/// The lock, with its owner written down.
struct Locked<'a> {
    inner: MutexGuard<'a, Inner>,
    owner: &'a AtomicUsize,
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.owner.store(0, Ordering::Relaxed);
    }
}

/// A number of the calling thread's own.
fn this_thread() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here) as usize)
}

impl Core {
    fn lock(&self, py: Python<'_>) -> PyResult<Locked<'_>> {
        let inner = match self.inner.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                if self.process.load(Ordering::Relaxed) != std::process::id() {
                    return Err(PyRuntimeError::new_err(
                        "another thread was in this optimizer's step when the process was forked: \
                         its parameters and state are torn here; make a new optimizer",
                    ));
                }
                if self.owner.load(Ordering::Relaxed) == this_thread() {
                    return Err(PyRuntimeError::new_err(
                        "this optimizer was called from within its own step",
                    ));
                }
                self.inner.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
            }
        };
        self.owner.store(this_thread(), Ordering::Relaxed);
        self.process.store(std::process::id(), Ordering::Relaxed);
        Ok(Locked { inner, owner: &self.owner })
    }
}

/// One parameter's part in a step.
struct Part<'py> {
    slot: usize,
    array: Array<'py>,
    gradient: Array<'py>,
    compiled: Arc<Compiled>,
    fresh: bool,
    /// The gradient's address where it can run in place; else its header.
    in_place: Result<usize, Header>,
}

#[pymethods]
impl Core {
    #[new]
    fn new(
        py: Python<'_>,
        rule: String,
        read: Py<PyAny>,
        nonfinite: &str,
        reference: Option<Py<PyAny>>,
        nonfinite_error: Py<PyAny>,
    ) -> PyResult<Self> {
        let nonfinite = match nonfinite {
            "propagate" => NonFinite::Propagate,
            "raise" => NonFinite::Raise,
            "skip" => NonFinite::Skip,
            other => {
                return Err(PyValueError::new_err(format!(
                    "Invalid nonfinite value: {other:?} (wanted 'propagate', 'raise' or 'skip')"
                )));
            }
        };
        let inner = Inner {
            groups: Vec::new(),
            slots: Vec::new(),
            written: None,
            plan: Plan::new(),
            weak: false,
            skipped: 0,
        };
        let info = |applied| Py::new(py, StepInfo { applied, grad_norm: None });
        Ok(Core {
            rule,
            read,
            nonfinite,
            nonfinite_error,
            reference,
            applied: info(true)?,
            not_applied: info(false)?,
            inner: Mutex::new(inner),
            owner: AtomicUsize::new(0),
            process: AtomicU32::new(0),
        })
    }

    /// Adds a group's parameters, or nothing if one of them is refused.
    fn add_group(
        &self,
        group: &Bound<'_, PyDict>,
        arrays: &Bound<'_, PyAny>,
        labels: Vec<String>,
    ) -> PyResult<()> {
        let py = group.py();
        let mut locked = self.lock(py)?;
        let inner = &mut *locked.inner;
        let made = Group::new(group, arrays)?;
        let (known, number) = (inner.slots.len(), inner.groups.len());
        let mut labels = labels.into_iter();
        let mut slots = Vec::new();
        for array in arrays.try_iter()? {
            let label =
                labels.next().unwrap_or_else(|| format!("parameter {}", known + slots.len()));
            slots.push(Slot::new(&array?, label, number)?);
        }
        inner.slots.extend(slots);
        match written(py, &inner.slots) {
            Ok(written) => inner.written = Some(written),
            Err(error) => {
                inner.slots.truncate(known);
                inner.written = None;
                return Err(error);
            }
        }
        inner.groups.push(made);
        if inner.weak {
            inner.slots[known..].iter_mut().try_for_each(|slot| slot.weaken(py))?;
        }
        Ok(())
    }

    /// Whether arrays are held by weak references: they then come with each update.
    fn bind(&self, py: Python<'_>, weak: bool) -> PyResult<()> {
        let mut locked = self.lock(py)?;
        let inner = &mut *locked.inner;
        inner.weak = weak;
        if weak { inner.slots.iter_mut().try_for_each(|slot| slot.weaken(py)) } else { Ok(()) }
    }

    fn step(&self, py: Python<'_>, grads: &Bound<'_, PyAny>) -> PyResult<Py<StepInfo>> {
        guarded(|| {
            let grads = collect(grads, |i| self.label(py, i))?;
            let mut locked = self.lock(py)?;
            let inner = &mut *locked.inner;
            for group in &inner.groups {
                group.check_params(py)?;
            }
            let arrays: Vec<Array<'_>> =
                inner.slots.iter().filter_map(|slot| slot.array(py)).collect();
            self.run(py, inner, arrays, grads)
        })
    }

    fn update(
        &self,
        py: Python<'_>,
        arrays: Vec<Bound<'_, PyUntypedArray>>,
        grads: &Bound<'_, PyAny>,
    ) -> PyResult<Py<StepInfo>> {
        guarded(|| {
            let grads = collect(grads, |i| self.label(py, i))?;
            let mut locked = self.lock(py)?;
            let inner = &mut *locked.inner;
            if arrays.len() != inner.slots.len() {
                return Err(count_error("parameters", arrays.len(), inner.slots.len()));
            }
            for (slot, array) in inner.slots.iter_mut().zip(&arrays) {
                slot.rebind(array)?;
            }
            self.run(py, inner, arrays, grads)
        })
    }

    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Vec<Option<Array<'py>>>> {
        Ok(self.lock(py)?.inner.slots.iter().map(|slot| slot.array(py)).collect())
    }

    /// One parameter's state, its live arrays; None before its first step.
    fn state<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Option<Bound<'py, PyDict>>> {
        let locked = self.lock(py)?;
        let Some(slot) = locked.inner.slots.get(index) else { return Ok(None) };
        if slot.step == 0 && slot.states.is_empty() {
            return Ok(None);
        }
        let state = PyDict::new(py);
        state.set_item("step", slot.step)?;
        for array in &slot.states {
            state.set_item(&array.name, array.array.bind(py))?;
        }
        Ok(Some(state))
    }

    /// Replaces every parameter's state, or nothing if one array is refused.
    fn load(
        &self,
        py: Python<'_>,
        steps: Vec<Option<u64>>,
        arrays: Vec<Option<HashMap<String, Bound<'_, PyAny>>>>,
    ) -> PyResult<()> {
        let mut locked = self.lock(py)?;
        let inner = &mut *locked.inner;
        if steps.len() != inner.slots.len() || arrays.len() != inner.slots.len() {
            return Err(count_error("states", arrays.len(), inner.slots.len()));
        }
        let mut loaded = Vec::new();
        for (slot, arrays) in inner.slots.iter().zip(arrays) {
            let states = arrays.into_iter().flatten();
            let states = states.map(|(name, array)| StateArray::new(name, array, &slot.label));
            loaded.push(states.collect::<PyResult<Vec<_>>>()?);
        }
        for ((slot, states), step) in inner.slots.iter_mut().zip(loaded).zip(steps) {
            slot.states = states;
            slot.step = step.unwrap_or(0);
        }
        inner.written = None;
        Ok(())
    }

    #[getter]
    fn get_skipped_steps(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.lock(py)?.inner.skipped)
    }

    #[setter]
    fn set_skipped_steps(&self, py: Python<'_>, skipped: u64) -> PyResult<()> {
        self.lock(py)?.inner.skipped = skipped;
        Ok(())
    }
}

/// No panic reaches Python: it would be a bug of ours, in the middle of a step.
fn guarded<T>(body: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| {
        Err(PyRuntimeError::new_err(
            "internal error in ferrostep (please report it); the contents of the parameters and \
             their state are undefined",
        ))
    })
}

fn count_error(what: &str, found: usize, wanted: usize) -> PyErr {
    PyValueError::new_err(format!("found {found} {what}, wanted {wanted}: one for each parameter"))
}

/// All that a step writes, checked to be disjoint.
fn written(py: Python<'_>, slots: &[Slot]) -> PyResult<Written> {
    let mut places = Vec::new();
    let mut intervals = Vec::new();
    for slot in slots {
        let states = slot.states.iter().map(|state| {
            let label = format!("state {:?} of {}", state.name, slot.label);
            (label, Some(state.array.bind(py).clone()), &state.header)
        });
        let all = std::iter::once((slot.label.clone(), slot.array(py), &slot.header)).chain(states);
        for (label, array, header) in all {
            if let (Some(range), Some(array)) = (header.view().extent(), array) {
                intervals.push((range, places.len()));
                places.push((label, array));
            }
        }
    }
    let written = Written::new(intervals.clone());
    for (range, owner) in intervals {
        for other in written.hits(range).filter(|other| *other < owner) {
            let ((a, first), (b, second)) = (&places[other], &places[owner]);
            if first.is(second) {
                return Err(PyValueError::new_err(format!("{a} and {b} are the same array")));
            }
            if shares_memory(first, second)? {
                return Err(PyValueError::new_err(format!("{a} and {b} overlap in memory")));
            }
        }
    }
    // Owners of the intervals that gradients are held against: the parameter, whatever was hit.
    let mut intervals = Vec::new();
    for (i, slot) in slots.iter().enumerate() {
        let headers = slot.states.iter().map(|state| &state.header);
        for header in std::iter::once(&slot.header).chain(headers) {
            intervals.extend(header.view().extent().map(|range| (range, i)));
        }
    }
    Ok(Written::new(intervals))
}

impl Core {
    fn label(&self, py: Python<'_>, i: usize) -> String {
        let slot = self.lock(py).ok().and_then(|l| l.inner.slots.get(i).map(|s| s.label.clone()));
        slot.unwrap_or_else(|| format!("parameter {i}"))
    }

    fn run<'py>(
        &self,
        py: Python<'py>,
        inner: &mut Inner,
        arrays: Vec<Array<'py>>,
        grads: Vec<Option<Array<'py>>>,
    ) -> PyResult<Py<StepInfo>> {
        if grads.len() != inner.slots.len() {
            return Err(count_error("gradients", grads.len(), inner.slots.len()));
        }
        let compiled = inner.groups.iter_mut().map(|g| g.compiled(py, &self.rule, &self.read));
        let compiled = compiled.collect::<PyResult<Vec<_>>>()?;
        for (slot, array) in inner.slots.iter_mut().zip(&arrays) {
            if slot.check(array)? {
                inner.written = None;
            }
        }
        let mut parts = Vec::with_capacity(arrays.len());
        for (i, (array, gradient)) in arrays.into_iter().zip(grads).enumerate() {
            let Some(gradient) = gradient else { continue };
            let slot = &inner.slots[i];
            let in_place = match slot.header.beside(&gradient) {
                Some(data) => Ok(data),
                None => {
                    let header = Header::of_gradient(&gradient, &slot.label)?;
                    if header.shape != slot.header.shape {
                        return Err(PyValueError::new_err(format!(
                            "the gradient of {} has shape {}, wanted {}",
                            slot.label,
                            shape_text(&header.shape),
                            shape_text(&slot.header.shape)
                        )));
                    }
                    Err(header)
                }
            };
            let compiled = compiled[slot.group].clone();
            parts.push(Part { slot: i, array, gradient, compiled, fresh: false, in_place });
        }
        make_states(inner, &mut parts)?;
        let written = match inner.written.take() {
            Some(written) => written,
            None => written(py, &inner.slots)?,
        };
        let written = inner.written.insert(written);
        for part in &parts {
            check_overlap(py, &inner.slots, written, part)?;
        }
        if self.nonfinite != NonFinite::Propagate
            && let Some(found) = find_nonfinite(&inner.slots, &parts)
        {
            if self.nonfinite == NonFinite::Skip {
                inner.skipped += 1;
                return Ok(self.not_applied.clone_ref(py));
            }
            let message = format!("the gradient of {} is not finite", inner.slots[found].label);
            return Err(PyErr::from_value(self.nonfinite_error.bind(py).call1((message,))?));
        }
        match &self.reference {
            Some(reference) => self.run_reference(py, inner, &parts, reference)?,
            None => run_native(py, inner, &parts),
        }
        for part in &parts {
            inner.slots[part.slot].step += 1;
        }
        Ok(self.applied.clone_ref(py))
    }

    /// Computes all new values before the first is written.
    fn run_reference(
        &self,
        py: Python<'_>,
        inner: &Inner,
        parts: &[Part<'_>],
        reference: &Py<PyAny>,
    ) -> PyResult<()> {
        let mut results = Vec::new();
        for part in parts {
            let slot = &inner.slots[part.slot];
            let state = PyDict::new(py);
            for array in &slot.states {
                state.set_item(&array.name, &array.array)?;
            }
            let fresh = PySet::empty(py)?;
            if part.fresh {
                for state in &part.compiled.states {
                    fresh.add(state.name)?;
                }
            }
            let options = &part.compiled.options;
            let (p, new): (Bound<'_, PyAny>, Bound<'_, PyDict>) = reference
                .bind(py)
                .call1((
                    &self.rule,
                    &part.array,
                    &part.gradient,
                    &state,
                    options,
                    slot.step + 1,
                    fresh,
                ))?
                .extract()?;
            results.push((part.array.as_any().clone(), p));
            for (name, value) in &new {
                if let Some(old) = state.get_item(&name)? {
                    results.push((old, value));
                }
            }
        }
        let copyto = py.import("numpy")?.getattr("copyto")?;
        for result in results {
            copyto.call1(result)?;
        }
        Ok(())
    }
}

/// Makes what state is missing, for all parameters before any is kept.
fn make_states(inner: &mut Inner, parts: &mut [Part<'_>]) -> PyResult<()> {
    let mut made = Vec::new();
    for part in parts {
        let slot = &inner.slots[part.slot];
        let has = |name| slot.states.iter().any(|have| have.name == name);
        if !part.compiled.states.iter().all(|state| has(state.name)) {
            made.push((part.slot, slot.missing(&part.array, &part.compiled.states)?));
            part.fresh = true;
        }
    }
    for (slot, states) in made {
        inner.slots[slot].states.extend(states);
        inner.written = None;
    }
    Ok(())
}

fn check_overlap(
    py: Python<'_>,
    slots: &[Slot],
    written: &Written,
    part: &Part<'_>,
) -> PyResult<()> {
    let extent = match &part.in_place {
        Ok(data) => Some(slots[part.slot].header.range_from(*data)),
        Err(header) => header.view().extent(),
    };
    let Some(extent) = extent.filter(|extent| !extent.is_empty()) else { return Ok(()) };
    for other in written.hits(extent) {
        let slot = &slots[other];
        let states = slot.states.iter().map(|state| state.array.bind(py).clone());
        for array in slot.array(py).into_iter().chain(states) {
            if shares_memory(&part.gradient, &array)? {
                return Err(PyValueError::new_err(format!(
                    "the gradient of {} overlaps {} (or its state) in memory; pass a copy",
                    slots[part.slot].label, slot.label
                )));
            }
        }
    }
    Ok(())
}

/// The first parameter whose gradient is not finite once it is converted.
fn find_nonfinite(slots: &[Slot], parts: &[Part<'_>]) -> Option<usize> {
    let _control = ControlGuard::new();
    let finite = |part: &&Part<'_>| {
        let slot = &slots[part.slot];
        let view = match &part.in_place {
            Ok(data) => {
                let mut view = slot.header.view();
                view.data = *data as *mut u8;
                view.strides = c_strides(&view.shape, view.format.kind.size());
                view
            }
            Err(header) => header.view(),
        };
        // SAFETY: the header was read in this call and the gradient is held.
        unsafe { all_finite(&view, slot.header.precision()) }
    };
    parts.iter().find(|part| !finite(part)).map(|part| part.slot)
}

fn c_strides(shape: &[usize], size: usize) -> Vec<isize> {
    let mut strides = vec![size as isize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    strides
}

fn run_native(py: Python<'_>, inner: &mut Inner, parts: &[Part<'_>]) {
    let _control = ControlGuard::new();
    let plan = &mut inner.plan;
    plan.clear();
    let mut blocks: Vec<((usize, Clock, Precision), usize)> = Vec::new();
    for part in parts {
        let slot = &inner.slots[part.slot];
        let Compiled { method, kernel, prelude, .. } = &*part.compiled;
        let precision = slot.header.precision();
        let clock = Clock { t: slot.step + 1, fresh: part.fresh };
        let key = (slot.group, clock, precision);
        let block = match blocks.iter().rev().find(|(known, _)| *known == key) {
            Some((_, block)) => *block,
            None => {
                let block = plan.block(Block::new(method.scalars(clock), prelude, precision));
                blocks.push((key, block));
                block
            }
        };
        let mut states = [&slot.header; MAX_STATES];
        for (place, wanted) in states.iter_mut().zip(&part.compiled.states) {
            if let Some(found) = slot.states.iter().find(|have| have.name == wanted.name) {
                *place = &found.header;
            }
        }
        let states = &states[..kernel.states()];
        let decay = prelude.coupled_decay();
        let in_place = slot.header.runs_in_place() && states.iter().all(|s| s.runs_in_place());
        let mut pointers = [std::ptr::null_mut(); MAX_STATES];
        for (pointer, state) in pointers.iter_mut().zip(states) {
            *pointer = state.pointer();
        }
        // SAFETY: all headers were read or compared in this call, under the lock; parameters and
        // states are writable and disjoint (`written`), gradients overlap none of them
        // (`check_overlap`), and `parts` holds every array until the run is over.
        unsafe {
            match &part.in_place {
                Ok(data) if in_place => plan.push_dense(
                    *kernel,
                    decay,
                    block,
                    precision,
                    slot.header.pointer(),
                    *data as *const u8,
                    &pointers[..states.len()],
                    slot.header.len(),
                ),
                other => {
                    let p = slot.header.view();
                    let g = match other {
                        Ok(data) => {
                            let mut g = slot.header.view();
                            g.data = *data as *mut u8;
                            g
                        }
                        Err(header) => header.view(),
                    };
                    let states: Vec<_> = states.iter().map(|state| state.view()).collect();
                    plan.push(*kernel, decay, block, precision, &p, &g, &states);
                }
            }
        }
    }
    let plan = &inner.plan;
    let threads = threads::count();
    // SAFETY: as above; without the interpreter too, since the arrays are held and another
    // thread that resizes or writes them meanwhile is as unsafe as it is with NumPy itself.
    let run = || unsafe { plan.run(threads) };
    if plan.bytes() > DETACH_BYTES { py.detach(run) } else { run() }
}
