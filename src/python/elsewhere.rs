//! What runs in the engine's place: CuPy's devices, and the NumPy reference.

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::array::Held;
use super::caller::Caller;
use super::cuda::{self, Cuda, DeviceNorm, Launch, Old, backend};
use super::python_arrays::PythonArrays;
use super::reference::{self, Results};
use crate::optimizer::{
    Asked, Elsewhere, Measured, Norm, Place, Scaling, Slot, Step, Stop, SumsOfParts,
};
use crate::rules::MAX_SUMS;

/// What is ready to run.
pub(super) enum Work {
    Launches(Vec<Launch>),
    Results(Results),
}

impl Work {
    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Work::Launches(launches) => launches.iter().try_for_each(|one| one.traverse(visit)),
            Work::Results(results) => results.traverse(visit),
        }
    }
}

// SAFETY: a kernel writes the tensors of its table, made of the step's headers; results are written into
// the arrays that they were computed for; copies are told of.
unsafe impl Elsewhere for PythonArrays {
    type Kept = Cuda;
    type Norm = DeviceNorm;
    type Work = Work;
    type Old = Old;

    #[inline]
    fn runs(caller: Caller<'_>, place: Place) -> bool {
        place != Place::Host || caller.settings.reference.is_some()
    }

    fn begin(cuda: &mut Cuda) {
        cuda.begin();
    }

    fn fill(caller: Caller<'_>, array: &Held, initial: f64) -> PyResult<()> {
        backend(caller.py, "fill", (array.bind(caller.py).object(), initial)).map(drop)
    }

    fn copy_rows(caller: Caller<'_>, from: &Held, to: &Held, rows: &[i64]) -> PyResult<()> {
        let py = caller.py;
        let (from, to) = (from.bind(py), to.bind(py));
        backend(py, "copy_rows", (from.object(), to.object(), rows)).map(drop)
    }

    fn norm(
        cuda: &mut Cuda,
        caller: Caller<'_>,
        step: Step<'_, Self>,
        asked: &Asked,
    ) -> PyResult<Option<Measured<DeviceNorm>>> {
        if let Some(module) = &caller.settings.reference {
            let (norm, scales) = reference::measure(module.bind(caller.py), step, asked)?;
            return Ok(Some((Norm::Known(norm), scales)));
        }
        cuda::norm(caller.py, cuda, step, asked)
    }

    fn leaf_sums(
        cuda: &mut Cuda,
        caller: Caller<'_>,
        step: Step<'_, Self>,
        by_part: &mut [Vec<f64>],
    ) -> PyResult<()> {
        cuda::leaf_sums(caller.py, cuda, step, by_part)
    }

    fn first_nonfinite(
        cuda: &mut Cuda,
        caller: Caller<'_>,
        step: Step<'_, Self>,
    ) -> PyResult<Option<usize>> {
        cuda::first_nonfinite(caller.py, cuda, step)
    }

    fn terms(
        cuda: &mut Cuda,
        caller: Caller<'_>,
        step: Step<'_, Self>,
        scaling: Scaling<'_, DeviceNorm>,
        by_part: &mut [Vec<[f64; MAX_SUMS]>],
    ) -> Result<(), Stop<PyErr>> {
        Ok(cuda.terms(caller, step, scaling, by_part)?)
    }

    fn prepare(
        cuda: &mut Cuda,
        caller: Caller<'_>,
        step: Step<'_, Self>,
        scaling: Scaling<'_, DeviceNorm>,
        sums: &[[f64; MAX_SUMS]],
    ) -> Result<Work, Stop<PyErr>> {
        if caller.settings.reference.is_some() {
            return Ok(Work::Results(reference::run(caller, step, scaling.1)?));
        }
        Ok(Work::Launches(cuda.plan(caller, step, scaling, sums)?))
    }

    fn sums(caller: Caller<'_>, work: &Work) -> PyResult<SumsOfParts> {
        let mut found = Vec::new();
        if let Work::Launches(launches) = work {
            for sums in launches.iter().filter_map(Launch::sums) {
                sums.read(caller.py, &mut found)?;
            }
        }
        Ok(found)
    }

    fn keep(
        _: &mut Cuda,
        caller: Caller<'_>,
        slots: &[Slot<Self>],
        moving: &[bool],
    ) -> PyResult<Option<Old>> {
        cuda::keep(caller.py, slots, moving)
    }

    fn moved(
        cuda: &mut Cuda,
        caller: Caller<'_>,
        slots: &[Slot<Self>],
        old: Old,
        sums: &mut [Vec<[f64; 2]>],
    ) -> PyResult<()> {
        cuda::moved(caller.py, cuda, slots, &old, sums)
    }

    #[inline]
    fn is_empty(work: &Work) -> bool {
        matches!(work, Work::Launches(launches) if launches.is_empty())
    }

    unsafe fn run(caller: Caller<'_>, work: &Work) -> PyResult<bool> {
        match work {
            Work::Launches(launches) => {
                launches.iter().try_for_each(|launch| launch.run(caller.py))?;
                Ok(launches.iter().any(Launch::copies))
            }
            Work::Results(results) => {
                // SAFETY: passed on from the caller; no Python code runs.
                unsafe { results.write() };
                Ok(false)
            }
        }
    }
}
