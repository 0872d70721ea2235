//! The functional call of an unbound optimizer: parameters come, and new ones are returned.

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;

use super::array::Array;
use super::calling;
use super::core::{Core, info, started};
use super::given::Given;
use super::inner::{Inner, Way};
use super::scaling::Scaling;
use super::step::Done;
use super::structure;
use crate::engine::memory::with_room;
use crate::optimizer::Anew;

/// What came, as arrays: plain ones as they are, numbers and integers by Python.
fn as_arrays<'py>(given: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let functional = given.py().import(intern!(given.py(), "ferrostep.functional"))?;
    calling::method(&functional, "arrays", (given,))
}

/// New arrays in the same structure; with `copy`, and on devices, they have the old values.
fn renewed<'py>(params: &Bound<'py, PyAny>, copy: bool) -> PyResult<Bound<'py, PyAny>> {
    let functional = params.py().import(intern!(params.py(), "ferrostep.functional"))?;
    calling::method(&functional, "renewed", (params, copy))
}

impl Core {
    /// New parameters in the structure of the old ones.
    pub(super) fn updated<'py>(
        slf: &Bound<'py, Self>,
        params: &Bound<'py, PyAny>,
        grads: &Bound<'py, PyAny>,
        scaling: Scaling,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, core) = (slf.py(), slf.get());
        let mut locked = core.inner.lock(py)?;
        let inner = started(&mut locked)?;
        if !inner.unbound {
            return Err(PyValueError::new_err(
                "this optimizer is bound to its parameters and updates them in place; use step(), or \
                 make it without params for updated()",
            ));
        }
        inner.check_way(Way::Anew)?;
        // The reference reads the parameters where they are to be written.
        let copy = inner.settings.reference.is_some();
        let begun = !inner.slots().is_empty();
        drop(locked);
        // Before the lock: to make a container may run the garbage collector.
        if begun
            && !copy
            && let Some(new) = structure::map(params, Array::new_like)?
            && let Some(done) = core.repeat_anew(py, params, &new, grads, scaling)?
        {
            core.tell(py, done)?;
            return Ok(new);
        }
        let (params, grads) = (as_arrays(params)?, as_arrays(grads)?);
        let new = renewed(&params, copy)?;
        let old = Some(&params).filter(|_| !copy);
        let done = Core::begin_or_go_on(slf, begun, &new, &grads, scaling, (Way::Anew, old))?;
        core.tell(py, done)?;
        Ok(new)
    }

    /// The call as a repetition of the last one; None if there is more to it. The `new` arrays are ours
    /// alone, made for this call.
    fn repeat_anew<'py>(
        &self,
        py: Python<'py>,
        params: &Bound<'py, PyAny>,
        new: &Bound<'py, PyAny>,
        grads: &Bound<'py, PyAny>,
        scaling: Scaling,
    ) -> PyResult<Option<Done>> {
        let mut locked = self.inner.lock(py)?;
        let inner = started(&mut locked)?;
        inner.check_way(Way::Anew)?;
        let (old, new) = (inner.plain_parameters(params)?, inner.plain_parameters(new)?);
        let (Some(old), Some(new), Some(grads)) = (old, new, inner.plain_gradients(grads)?) else {
            return Ok(None);
        };
        let mut given = with_room(old.len())?;
        for ((source, new), gradient) in old.into_iter().zip(new).zip(grads) {
            let (Some(source), Some(new), Some(gradient)) = (source, new, gradient) else {
                return Ok(None);
            };
            given.push(Anew { source, new, gradient });
        }
        inner.repeat_anew(py, &given, scaling)
    }

    /// Keeps what the step did, as `last`.
    fn tell(&self, py: Python<'_>, done: Done) -> PyResult<()> {
        let info = info(py, done)?;
        let before = self.last_info().replace(info);
        drop(before); // may run Python code, so after the lock is free
        Ok(())
    }
}

impl Inner {
    fn repeat_anew(
        &mut self,
        py: Python<'_>,
        given: &[Anew<Given<'_>>],
        scaling: Scaling,
    ) -> PyResult<Option<Done>> {
        if given.len() != self.slots().len() {
            return Ok(None); // with more, or less, to say
        }
        self.check_surroundings(py)?;
        let asked = self.asked(scaling, None);
        let (caller, optimizer) = self.called(py);
        // SAFETY: `given` holds the arrays, and the new ones were made by NumPy for this call.
        let repeated = unsafe { optimizer.repeat_anew(caller, given, &asked) };
        let repeated = repeated.map_err(|refusal| caller.refused(refusal))?;
        Ok(repeated.then_some(Done(None)))
    }
}
