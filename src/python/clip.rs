//! The global norm of arrays, and the checks before they are clipped in place.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::array::{Array, Seen};
use super::given::Given;
use super::gradients::collect;
use super::guard::guarded;
use super::holder::detached;
use super::words::{misplaced, must_be, overlap_error};
use crate::engine::memory::{Grow, try_collect, with_room};
use crate::engine::{self, ControlGuard, Leaves, OutOfMemory, norm_of_leaves, threads};
use crate::optimizer::{Header, Named, Place, Refusal, Which, WrittenArray, check_disjoint};
use crate::rules::{GradientNorm, clip_factor};

/// What errors call an array; they come as a step's gradients do.
fn label(labels: &Bound<'_, PyList>, i: usize) -> String {
    let known = labels.get_item(i).and_then(|label| label.extract());
    known.unwrap_or_else(|_| format!("parameter {i}"))
}

fn check_host(header: &Header, label: &str) -> PyResult<()> {
    if header.place == Place::Host {
        return Ok(());
    }
    let gradient = format!("the gradient of {label}");
    Err(PyTypeError::new_err(format!(
        "{}; give max_norm to step() instead",
        misplaced(gradient, header.place, Place::Host)
    )))
}

/// The square root of the sum of squares of all elements, None counting as empty.
#[pyfunction]
pub(super) fn global_norm(
    py: Python<'_>,
    arrays: &Bound<'_, PyAny>,
    labels: &Bound<'_, PyList>,
) -> PyResult<f64> {
    guarded(|| {
        let (_, sums) = measured(py, arrays, labels)?;
        Ok(norm_of_leaves(sums.all().iter().copied(), 1.0))
    })
}

/// By array, the bytes of the float64 sums of squares of its leaves; of None, none.
#[pyfunction]
pub(super) fn leaf_sums<'py>(
    py: Python<'py>,
    arrays: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyList>,
) -> PyResult<Bound<'py, PyList>> {
    guarded(|| {
        let (given, sums) = measured(py, arrays, labels)?;
        let by_array = PyList::empty(py);
        let mut array = 0;
        for given in given {
            let sums = if given { sums.of(array) } else { &[] };
            by_array.append(PyBytes::new_with(py, size_of_val(sums), |bytes| {
                let (places, _) = bytes.as_chunks_mut();
                places.iter_mut().zip(sums).for_each(|(place, sum)| *place = sum.to_ne_bytes());
                Ok(())
            })?)?;
            array += usize::from(given);
        }
        Ok(by_array)
    })
}

/// The norm from the bytes of the sums of all leaves.
#[pyfunction]
pub(super) fn norm_of_leaf_sums(sums: &Bound<'_, PyBytes>) -> f64 {
    let (sums, _) = sums.as_bytes().as_chunks();
    norm_of_leaves(sums.iter().map(|sum| f64::from_ne_bytes(*sum)), 1.0)
}

/// By array, whether there is one; and the leaves of those that there are.
fn measured(
    py: Python<'_>,
    arrays: &Bound<'_, PyAny>,
    labels: &Bound<'_, PyList>,
) -> PyResult<(Vec<bool>, Leaves)> {
    let arrays = collect(arrays, |i| label(labels, i), |_| false)?;
    let mut reduction = engine::Measured::default();
    for (i, given) in arrays.iter().enumerate() {
        if let Some(Given::Rows(rows)) = given {
            let label = format!("the gradient of {}", label(labels, i));
            return Err(PyTypeError::new_err(format!(
                "{}; give max_norm to step() instead",
                must_be(label, "a NumPy array", rows)
            )));
        }
        if let Some(Given::Whole(array)) = given {
            let header = Seen::of_read(array, &format!("the gradient of {}", label(labels, i)))?;
            check_host(&header, &label(labels, i))?;
            reduction.push(&header.view(), header.precision())?;
        }
    }
    let (bytes, threads) = (reduction.bytes(), threads::count());
    // SAFETY: the headers were read in this call and `arrays` holds the memory; another thread
    // that resizes or writes them meanwhile is as unsafe as it is with NumPy itself.
    let run = || unsafe { reduction.measure::<GradientNorm>(threads) };
    let sums = detached(py, bytes, run)?;
    Ok((try_collect(arrays.iter().map(Option::is_some))?, sums))
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
            "a NumPy array (numpy.ndarray or numpy.memmap) to write to",
        )?;
        let header = Seen::of_read(&array, &name)?;
        check_host(&header, &label(labels, i))?;
        header.check_writable(&name)?;
        found.try_push((header, array, i))?;
    }
    let mut regions = with_room(found.len())?;
    regions.extend(found.iter().map(|(header, array, i)| WrittenArray {
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
    let _control = ControlGuard::new();
    clip_factor(norm, max_norm)
}
