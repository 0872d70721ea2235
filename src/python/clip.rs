//! The global norm of arrays, and the checks before they are clipped in place.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::array::{Array, Header, Place};
use super::gradients::collect;
use super::guard::guarded;
use super::overlap::check_disjoint;
use super::step::detached;
use crate::engine::{self, clip_factor, threads};

/// What errors call the arrays; they come as a step's gradients do.
fn label(labels: &[String], i: usize) -> String {
    labels.get(i).cloned().unwrap_or_else(|| format!("parameter {i}"))
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
    labels: Vec<String>,
) -> PyResult<f64> {
    guarded(|| measured(py, arrays, &labels))
}

fn measured(py: Python<'_>, arrays: &Bound<'_, PyAny>, labels: &[String]) -> PyResult<f64> {
    let arrays = collect(arrays, |i| label(labels, i), |_| false)?;
    let mut views = Vec::new();
    for (i, array) in arrays.iter().enumerate() {
        if let Some(array) = array {
            let header = Header::of_gradient(array, &label(labels, i))?;
            check_host(&header, &label(labels, i))?;
            views.push((header.view(), header.precision()));
        }
    }
    let reduction: engine::Arrays = views.into_iter().collect();
    let threads = threads::count();
    // SAFETY: the headers were read in this call and `arrays` holds the memory; another thread
    // that resizes or writes them meanwhile is as unsafe as it is with NumPy itself.
    let norm = || unsafe { reduction.squares(threads) }.norm(1.0);
    Ok(detached(py, reduction.bytes(), norm))
}

/// The arrays without None, checked to be writable where they lie and to share no memory.
#[pyfunction]
pub(super) fn writable<'py>(
    arrays: Vec<Bound<'py, PyAny>>,
    labels: Vec<String>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    guarded(|| checked(&arrays, &labels))
}

fn checked<'py>(
    arrays: &[Bound<'py, PyAny>],
    labels: &[String],
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let mut places: Vec<(String, Array<'py>)> = Vec::new();
    let mut intervals = Vec::new();
    for (i, array) in arrays.iter().enumerate().filter(|(_, array)| !array.is_none()) {
        let name = format!("the gradient of {}", label(labels, i));
        let array = Array::plain(
            array,
            &name,
            "wanted a NumPy array (numpy.ndarray or numpy.memmap) to write to",
        )?;
        let header = Header::of_gradient(&array, &label(labels, i))?;
        check_host(&header, &label(labels, i))?;
        header.check_writable(&name)?;
        intervals.extend(header.view().extent().map(|range| (range, places.len())));
        places.push((name, array));
    }
    check_disjoint(&places, intervals)?;
    Ok(places.into_iter().map(|(_, array)| array.object().clone()).collect())
}

/// `max_norm / (norm + 1e-6)` where that is below 1, else 1.
#[pyfunction(name = "clip_factor")]
pub(super) fn factor(norm: f64, max_norm: f64) -> f64 {
    clip_factor(norm, max_norm)
}
