//! One gradient as it comes: an array, or `Rows`.

use pyo3::ffi;
use pyo3::prelude::*;
use smallvec::SmallVec;

use super::array::{Array, exactly};
use super::gradient::array;
use super::rows::Rows;

/// A gradient as it came.
#[derive(Clone)]
pub(super) enum Given<'py> {
    Whole(Array<'py>),
    Rows(Bound<'py, Rows>),
}

/// A gradient for each parameter, None for one that is skipped. One alone needs no memory of its own.
pub(super) type GivenArrays<'py> = SmallVec<[Option<Given<'py>>; 1]>;

impl<'py> Given<'py> {
    /// What needs no Python code to be read: a plain array, `Rows`, or None, which skips a parameter.
    /// The object again if it is something else. `ndarray` as for `exactly`.
    #[inline]
    pub(super) fn plain(
        object: Bound<'py, PyAny>,
        ndarray: *mut ffi::PyTypeObject,
    ) -> Result<Option<Self>, Bound<'py, PyAny>> {
        match exactly(object, ndarray) {
            Ok(array) => Ok(Some(Given::Whole(Array::Host(array)))),
            Err(object) if object.is_none() => Ok(None),
            Err(object) => Given::rows(object).map(Some),
        }
    }

    #[inline(never)] // few are
    fn rows(object: Bound<'py, PyAny>) -> Result<Self, Bound<'py, PyAny>> {
        match object.cast_into_exact::<Rows>() {
            Ok(rows) => Ok(Given::Rows(rows)),
            Err(error) => Err(error.into_inner()),
        }
    }

    /// The same of anything, with whatever Python code that takes.
    pub(super) fn of(
        object: Bound<'py, PyAny>,
        single: bool,
        label: impl Fn() -> String,
    ) -> PyResult<Option<Self>> {
        match Given::rows(object) {
            Ok(rows) => Ok(Some(rows)),
            Err(object) => Ok(array(object, single, label)?.map(Given::Whole)),
        }
    }
}
