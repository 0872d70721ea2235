//! The global norm of arrays, and the checks before they are clipped in place.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::array::{Array, Seen};
use super::gradients::collect;
use super::guard::guarded;
use super::holder::detached;
use super::words::overlap_error;
use crate::engine::memory::{Grow, with_room};
use crate::engine::{self, OutOfMemory, clip_factor, threads};
use crate::optimizer::{Header, Named, Place, Refusal, Region, Which, check_disjoint};

/// What errors call an array; they come as a step's gradients do.
fn label(labels: &Bound<'_, PyList>, i: usize) -> String {
    let known = labels.get_item(i).and_then(|label| label.extract());
    known.unwrap_or_else(|_| format!("parameter {i}"))
}

fn check_host(header: &Header, label: &str) -> PyResult<()> {
    if header.place == Place::Host {
        return Ok(());
    }
    Err(PyTypeError::new_err(format!(
        "the gradient of {label} is {}; these functions take NumPy arrays: give max_norm to step()",
        header.place
    )))
}

/// The square root of the sum of squares of all elements, None counting as empty.
#[pyfunction]
pub(super) fn global_norm(
    py: Python<'_>,
    arrays: &Bound<'_, PyAny>,
    labels: &Bound<'_, PyList>,
) -> PyResult<f64> {
    guarded(|| measured(py, arrays, labels))
}

fn measured(
    py: Python<'_>,
    arrays: &Bound<'_, PyAny>,
    labels: &Bound<'_, PyList>,
) -> PyResult<f64> {
    let arrays = collect(arrays, |i| label(labels, i), |_| false)?;
    let mut reduction = engine::Arrays::default();
    for (i, array) in arrays.iter().enumerate() {
        if let Some(array) = array {
            let header =
                Seen::of_gradient(array, &format!("the gradient of {}", label(labels, i)))?;
            check_host(&header, &label(labels, i))?;
            reduction.push(&header.view(), header.precision())?;
        }
    }
    let (bytes, threads) = (reduction.bytes(), threads::count());
    // SAFETY: the headers were read in this call and `arrays` holds the memory; another thread
    // that resizes or writes them meanwhile is as unsafe as it is with NumPy itself.
    let norm = || unsafe { reduction.squares(threads) }.map(|sums| sums.norm(1.0));
    Ok(detached(py, bytes, norm)?)
}

fn refused(labels: &Bound<'_, PyList>, refusal: Refusal) -> PyErr {
    match refusal {
        Refusal::Overlap { first: Which::Gradient(a), second: Which::Gradient(b), same } => {
            let named = |i| format!("the gradient of {}", label(labels, i));
            overlap_error(&named(a), &named(b), same)
        }
        _ => OutOfMemory.into(), // nothing else can go wrong there
    }
}

/// The arrays without None, checked to be writable where they lie and to share no memory.
#[pyfunction]
pub(super) fn writable<'py>(
    arrays: &Bound<'py, PyList>,
    labels: &Bound<'py, PyList>,
) -> PyResult<Bound<'py, PyList>> {
    guarded(|| checked(arrays, labels))
}

fn checked<'py>(
    arrays: &Bound<'py, PyList>,
    labels: &Bound<'py, PyList>,
) -> PyResult<Bound<'py, PyList>> {
    let mut found = Vec::new();
    for (i, array) in arrays.iter().enumerate().filter(|(_, array)| !array.is_none()) {
        let name = format!("the gradient of {}", label(labels, i));
        let array = Array::plain(
            &array,
            &name,
            "wanted a NumPy array (numpy.ndarray or numpy.memmap) to write to",
        )?;
        let header = Seen::of_gradient(&array, &name)?;
        check_host(&header, &label(labels, i))?;
        header.check_writable(&name)?;
        found.try_push((header, array, i))?;
    }
    let mut regions = with_room(found.len())?;
    regions.extend(found.iter().map(|(header, array, i)| Region {
        header,
        identity: array.object().as_ptr() as usize,
        which: Named::Gradient(*i),
    }));
    check_disjoint(&regions, 0).map_err(|refusal| refused(labels, refusal))?;
    let written = PyList::empty(arrays.py());
    found.iter().try_for_each(|(_, array, _)| written.append(array.object()))?;
    Ok(written)
}

/// What arrays of this norm are multiplied by.
#[pyfunction(name = "clip_factor")]
pub(super) fn factor(norm: f64, max_norm: f64) -> f64 {
    clip_factor(norm, max_norm)
}
