//! Steps that others follow: what a wrapped optimizer's step brings with it, made in the same call.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use super::calling;
use super::core::Core;
use super::guard::guarded;
use super::step_info::StepInfo;
use super::words::must_be;

/// Calls `step`. If there was a step, commits what these optimizers have prepared, in their order, and
/// calls `then`; if it was left out, they abandon it; and both ways it calls `always`. An error of the
/// step is all there is to it. The functions are to run no Python code: so no signal's handler comes in
/// between.
#[pyfunction]
#[pyo3(signature = (step, prepared, then, always))]
pub(super) fn followed<'py>(
    step: &Bound<'py, PyAny>,
    prepared: Vec<Bound<'py, Core>>,
    then: Option<&Bound<'py, PyAny>>,
    always: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, StepInfo>> {
    guarded(|| {
        let done = calling::call(step, ()).and_then(|info| {
            let wrong =
                |info| PyTypeError::new_err(must_be("what step() returns", "a StepInfo", info));
            info.cast::<StepInfo>().cloned().map_err(|_| wrong(&info))
        });
        let applied = done.as_ref().is_ok_and(|info| info.get().is_applied());
        for core in &prepared {
            match applied {
                true => core.get().commit(core.py()).map(drop)?,
                false => core.get().abandon(core.py())?,
            }
        }
        let info = done?;
        for function in then.filter(|_| applied).into_iter().chain(always) {
            calling::call(function, ())?;
        }
        Ok(info)
    })
}
