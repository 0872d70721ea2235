//! Python's arrays as the step takes them: NumPy's in host memory, CuPy's on devices.

use std::sync::Arc;

use numpy::PyArrayDescr;
use pyo3::prelude::*;

use super::array::{Array, Held, Seen};
use super::caller::Caller;
use super::calling;
use super::cuda;
use super::given::Given;
use super::python_arrays::PythonArrays;
use super::words::ARRAY;
use crate::engine::Occurrences;
use crate::number::{Kind, Precision};
use crate::optimizer::{Axes, Holder, Named};

/// Below this the step is shorter than releasing the GIL and taking it back.
const DETACH_BYTES: usize = 128 * 1024;

// SAFETY: headers are read from the objects of NumPy and CuPy, which keep their memory; `Seen` compares
// pointer, type, flags and shape with what the object says now, for NumPy's arrays by reading its
// fields; `Seen::of_written` refuses what is read-only or overlaps itself.
unsafe impl Holder for PythonArrays {
    type Held = Held;
    type Given<'a> = Given<'a>;
    type Header = Seen;
    type Caller<'a> = Caller<'a>;
    type Error = PyErr;

    fn hold(given: Given<'_>) -> Held {
        match given {
            Given::Whole(array) => array.hold(),
            Given::Rows(rows) => rows.get().values(rows.py()).hold(),
        }
    }

    fn rows(gradient: &Given<'_>) -> Option<Arc<Occurrences>> {
        match gradient {
            Given::Whole(_) => None,
            Given::Rows(rows) => Some(rows.get().occurrences()),
        }
    }

    fn add_rows(
        caller: Caller<'_>,
        values: &Held,
        device: i32,
        rows: &Occurrences,
        precision: Precision,
    ) -> PyResult<(Held, Seen)> {
        cuda::add_rows(caller.py, values, device, rows, precision)
    }

    fn identity(array: &Held) -> usize {
        array.as_ptr() as usize
    }

    #[inline]
    fn is_unchanged(caller: Caller<'_>, array: &Held, header: &Seen) -> bool {
        header.matches(caller.py, array)
    }

    fn written(caller: Caller<'_>, array: &Held, named: Named<'_>) -> PyResult<Seen> {
        Seen::of_written(&array.bind(caller.py), &caller.label(named))
    }

    fn read(caller: Caller<'_>, array: &Held, named: Named<'_>) -> PyResult<Seen> {
        Seen::of_read(&array.bind(caller.py), &caller.label(named))
    }

    #[inline]
    fn beside(_: Caller<'_>, parameter: &Seen, gradient: &Given<'_>) -> Option<(usize, Kind)> {
        match gradient {
            Given::Whole(Array::Host(gradient)) => parameter.beside(gradient),
            Given::Whole(Array::Device(_)) | Given::Rows(_) => None,
        }
    }

    fn held_beside(caller: Caller<'_>, parameter: &Seen, gradient: &Held) -> Option<(usize, Kind)> {
        match gradient {
            Held::Host(gradient) => parameter.beside(gradient.bind(caller.py)),
            Held::Device(_) => None,
        }
    }

    /// By the user's factory, which is Python code, or by NumPy and CuPy.
    fn make(
        caller: Caller<'_>,
        of: usize,
        parameter: &Held,
        shape: &Axes,
        name: &str,
        kind: Kind,
    ) -> PyResult<Held> {
        let py = caller.py;
        let like = parameter.bind(py).first(shape)?;
        let made = match &caller.settings.state_factory {
            None => like.empty_like(kind.name())?,
            Some(factory) => {
                let key = match caller.names {
                    Some(names) => names[of].bind(py).clone().into_any(),
                    None => of.into_pyobject(py)?.into_any(),
                };
                let dtype = PyArrayDescr::new(py, kind.name())?;
                calling::call(factory.bind(py), (key, name, like.object(), dtype))?
            }
        };
        let label = caller.label(Named::State(of, name));
        Ok(Array::plain(&made, &label, ARRAY)?.hold())
    }

    fn makes_shared(caller: Caller<'_>) -> bool {
        caller.settings.state_factory.is_some()
    }

    fn detached<T: Send>(caller: Caller<'_>, bytes: usize, run: impl FnOnce() -> T + Send) -> T {
        detached(caller.py, bytes, run)
    }
}

/// Runs what moves this many bytes, and releases the GIL meanwhile if they are many.
pub(super) fn detached<T: Send>(py: Python<'_>, bytes: usize, run: impl FnOnce() -> T + Send) -> T {
    if bytes > DETACH_BYTES { py.detach(run) } else { run() }
}
