//! `Rows`: a gradient that only some rows of its parameter have.

use std::sync::Arc;

use numpy::{PyArray1, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::array::{Array, Held};
use super::calling;
use super::gradient::{WANTED, array};
use super::guard::guarded;
use super::words::must_be;
use crate::engine::Occurrences;
use crate::engine::memory::with_room;

const VALUES: &str = "the values of rows";

/// The gradient of some rows of a parameter, for tables of which a step uses few.
///
/// ``values[i]`` is the gradient of row ``indices[i]`` of the parameter's first axis. Values of a row
/// that occurs more than once are added up first, in order, in the type that the parameter is computed
/// in. The step then touches these rows of the parameter and of its state and no others, which keep
/// their values: no momentum moves them, no average of theirs decays, and weight decay spares them.
/// The step count is the parameter's, as in torch's ``SparseAdam``.
///
/// So `SGD` without momentum and `Adagrad` (with `eps` above 0) do to the bit what they do with the
/// whole gradient, which is 0 elsewhere, if there is no weight decay (and no -0.0 that `maximize` would
/// turn into 0.0). ``max_norm`` takes the added-up values, in ascending order of the rows, as an array
/// of their own. ``measure`` is of the whole parameter: it reads and keeps all of it.
///
/// Parameters
/// ----------
/// indices : array_like of int, shape (n,)
///     Rows of the parameter, from 0 on, in any order, repeated or not. They are copied.
/// values : array, shape (n, ...)
///     Of NumPy or CuPy, where the parameter is; each row has the shape of one of the parameter's, in
///     float16, bfloat16, float32 or float64. Read when the step is made (or prepared), never written.
///
/// Raises
/// ------
/// TypeError
///     If `indices` are not integers (a mask, for instance), or `values` is no array.
/// ValueError
///     If `indices` are not one-dimensional, negative or not as many as `values` has rows. The step
///     raises it before anything is written if the parameter has no such row, or rows of another shape.
///
/// Examples
/// --------
/// >>> import numpy as np, ferrostep as fs
/// >>> table = np.zeros((4, 2))
/// >>> opt = fs.SGD([table], lr=1.0)
/// >>> _ = opt.step([fs.Rows([3, 1, 3], np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))])
/// >>> table
/// array([[ 0.,  0.],
///        [-3., -4.],
///        [ 0.,  0.],
///        [-6., -8.]])
#[pyclass(frozen, module = "ferrostep")]
pub(super) struct Rows {
    occurrences: Arc<Occurrences>,
    values: Held,
}

#[pymethods]
impl Rows {
    #[new]
    fn new(indices: &Bound<'_, PyAny>, values: &Bound<'_, PyAny>) -> PyResult<Self> {
        guarded(|| Rows::of(indices, values))
    }

    /// A copy of the indices, int64.
    #[getter]
    fn indices<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        indices(py, &self.occurrences)
    }

    /// The array of the values.
    #[getter(values)]
    fn array<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.values.bind(py).object().clone()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Reduced<'py>> {
        let rows = slf.get();
        Ok((slf.get_type(), (rows.indices(slf.py())?, rows.array(slf.py()))))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Rows({}, {})", self.indices(py)?.repr()?, self.array(py).repr()?))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.values.traverse(&visit)
    }
}

/// What a `Rows` is pickled as.
type Reduced<'py> = (Bound<'py, PyType>, (Bound<'py, PyArray1<i64>>, Bound<'py, PyAny>));

/// A new array of the indices.
pub(super) fn indices<'py>(
    py: Python<'py>,
    occurrences: &Occurrences,
) -> PyResult<Bound<'py, PyArray1<i64>>> {
    let list = occurrences.indices()?;
    let mut indices = with_room(list.len())?;
    indices.extend(list.into_iter().map(|row| row as i64)); // as they were given
    Ok(PyArray1::from_vec(py, indices))
}

impl Rows {
    fn of(given: &Bound<'_, PyAny>, values: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = given.py();
        let plain = given.cast::<PyArray1<i64>>().ok().cloned();
        let in_place =
            |array: &Bound<'_, PyArray1<i64>>| array.is_contiguous() && array.data().is_aligned();
        let given = match plain.filter(in_place) {
            Some(array) => array,
            None => {
                let rows = py.import(intern!(py, "ferrostep.rows"))?;
                calling::method(&rows, "indices", (given,))?.cast_into()?
            }
        };
        let label = || VALUES.to_owned();
        let array = array(values.clone(), false, label)?;
        let values = array.ok_or_else(|| PyTypeError::new_err(must_be(VALUES, WANTED, values)))?;
        // SAFETY: nobody writes it meanwhile, since no Python code runs.
        let list = unsafe { given.as_slice() };
        let list = list.map_err(|_| PyRuntimeError::new_err("the indices of rows have gaps"))?;
        let mut rows = with_room(list.len())?;
        for index in list {
            rows.push(usize::try_from(*index).map_err(|_| {
                PyValueError::new_err(format!(
                    "indices of rows must be 0 or more, found {index}; add the number of rows to count \
                     from the end"
                ))
            })?);
        }
        let count = values.object().len().unwrap_or(0);
        if count != rows.len() {
            return Err(PyValueError::new_err(format!(
                "{VALUES} must be {}, as many as there are indices, found {count}",
                rows.len()
            )));
        }
        let occurrences = Occurrences::of(&rows)?;
        Ok(Rows { occurrences: Arc::new(occurrences), values: values.hold() })
    }

    pub(super) fn occurrences(&self) -> Arc<Occurrences> {
        Arc::clone(&self.occurrences)
    }

    pub(super) fn values<'py>(&self, py: Python<'py>) -> Array<'py> {
        self.values.bind(py)
    }
}
