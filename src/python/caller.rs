//! A call from Python, and what it is told where there is no step.

use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::array::shape_text;
use super::calling;
use super::group::Group;
use super::python_arrays::PythonArrays;
use super::settings::Settings;
use super::step_info::ParameterKey;
use super::words::{
    Label, count_error, differs, misplaced, overlap_error, state_kind, unsupported,
};
use crate::optimizer::{Cause, Named, Place, Refusal, Slot, Stop, Which};

/// A call from Python, with what of the optimizer it can see.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) py: Python<'a>,
    pub(super) names: Option<&'a [Py<PyString>]>,
    pub(super) settings: &'a Settings,
    pub(super) groups: &'a [Group],
}

impl<'a> Caller<'a> {
    /// What errors call an array.
    pub(super) fn label(self, named: Named<'a>) -> Label<'a> {
        Label { py: self.py, names: self.names, named }
    }
}

impl From<PyErr> for Stop<PyErr> {
    fn from(error: PyErr) -> Self {
        Stop::Holder(error)
    }
}

impl Caller<'_> {
    /// Refuses parameters, the first of which has this number, that the reference is to take and
    /// cannot.
    pub(super) fn check_reference(
        self,
        slots: &[Slot<PythonArrays>],
        first: usize,
    ) -> PyResult<()> {
        if self.settings.reference.is_none() {
            return Ok(());
        }
        match slots.iter().position(|slot| slot.header.place != Place::Host) {
            None => Ok(()),
            Some(i) => Err(PyValueError::new_err(format!(
                "{} for backend=\"reference\"",
                misplaced(
                    self.label(Named::Parameter(first + i)),
                    slots[i].header.place,
                    Place::Host
                )
            ))),
        }
    }

    /// A parameter as `opt.state` knows it.
    pub(super) fn key(self, i: usize) -> ParameterKey {
        match self.names.and_then(|names| names.get(i)) {
            Some(name) => ParameterKey::Name(name.clone_ref(self.py)),
            None => ParameterKey::Position(i),
        }
    }

    /// A stopped step as Python's error.
    #[cold]
    pub(super) fn error(self, stop: Stop<PyErr>) -> PyErr {
        match stop {
            Stop::Holder(error) => error,
            Stop::Refused(refusal) => self.refused(refusal),
        }
    }

    #[cold]
    pub(super) fn refused(self, refusal: Refusal) -> PyErr {
        let label = |which: &Which| self.label(which.into()).to_string();
        let parameter = |i: usize| label(&Which::Parameter(i));
        match refusal {
            Refusal::OutOfMemory => PyMemoryError::new_err(()),
            Refusal::Count { found, wanted } => {
                count_error("gradients", found, wanted, "parameter")
            }
            Refusal::Forked => PyRuntimeError::new_err(
                "the state of this optimizer was made by its state_factory before the process was \
                 forked, and both may share its memory; call load_state_dict() or reset() here first",
            ),
            Refusal::Place { which: Which::Gradient(i), found, wanted } => {
                let gradient = label(&Which::Gradient(i));
                let message = format!(
                    "{}, where the parameter is; copy it there",
                    misplaced(gradient, found, wanted)
                );
                match found != Place::Host && wanted != Place::Host {
                    true => PyValueError::new_err(message),
                    false => PyTypeError::new_err(message),
                }
            }
            Refusal::Place { which, found, wanted } => PyValueError::new_err(format!(
                "{} as before",
                misplaced(label(&which), found, wanted)
            )),
            Refusal::Looks { which: Which::Gradient(i), found, wanted } => {
                PyValueError::new_err(format!(
                    "{} has shape {}, wanted {}",
                    label(&Which::Gradient(i)),
                    shape_text(&found.shape),
                    shape_text(&wanted.shape)
                ))
            }
            Refusal::Looks { which, found, wanted } => {
                let text = differs(label(&which), &found, &wanted);
                let rows = found.shape.get(1..) == wanted.shape.get(1..)
                    && (found.format, found.place) == (wanted.format, wanted.place);
                let remedy = match which {
                    Which::Parameter(_) if rows => "; Optimizer.replace takes other rows",
                    _ => "",
                };
                PyValueError::new_err(format!("{text} as before{remedy}"))
            }
            Refusal::Loaded { which, found, wanted } => {
                PyValueError::new_err(differs(label(&which), &found, &wanted))
            }
            Refusal::Made { which, found, wanted } => {
                let made = format!("{} from state_factory", label(&which));
                let message = differs(made, &found, &wanted);
                match found.shape == wanted.shape {
                    true => PyTypeError::new_err(message),
                    false => PyValueError::new_err(message),
                }
            }
            Refusal::Overlap { first, second, same } => {
                overlap_error(&label(&first), &label(&second), same)
            }
            Refusal::ReadOverlaps { which, parameter: of } => {
                let what = match which {
                    Which::Parameter(_) => format!("the state of {}", parameter(of)), // it is ours
                    _ => format!("{} (or its state)", parameter(of)),
                };
                PyValueError::new_err(format!(
                    "{} overlaps {what} in memory; pass a copy",
                    label(&which)
                ))
            }
            Refusal::NoSuchRow { gradient, found, rows } => PyValueError::new_err(format!(
                "{} has indices that must be below {rows}, the parameter's number of rows, found {found}",
                label(&Which::Gradient(gradient))
            )),
            Refusal::NoRows(i) => PyValueError::new_err(format!(
                "{} must be an array, as the parameter is 0-d and has no rows, found Rows",
                label(&Which::Gradient(i))
            )),
            Refusal::MeasuredRows(i) => PyTypeError::new_err(format!(
                "{} must be whole for a rule that measures it, found rows; give the whole gradient, or \
                 give the parameter to an optimizer whose step is of each element",
                self.label(Named::Gradient(i))
            )),
            Refusal::Away(i) => PyValueError::new_err(format!(
                "{} must be what training goes on with, found the average that eval() has put there; \
                 call train() before a step",
                parameter(i)
            )),
            Refusal::Alone => PyTypeError::new_err(format!(
                "the parameters must come together for {}, whose sums are over all of them, found one; \
                 use step() or update()",
                self.settings.rule
            )),
            Refusal::NoMatrix { parameter: i, shape } => PyValueError::new_err(format!(
                "{} must have two dimensions for {}, found shape {}; give it to another optimizer, \
                 AdamW for instance",
                parameter(i),
                self.settings.rule,
                shape_text(&shape)
            )),
            Refusal::NotThere(i) => PyValueError::new_err(format!(
                "{} is not here; it comes with each call",
                parameter(i)
            )),
            Refusal::StateKind { parameter: i, kind, beside } => {
                PyValueError::new_err(state_kind("state_dtype", parameter(i), beside, kind))
            }
            Refusal::Unsupported(kind) => unsupported(kind),
            Refusal::NotFinite(cause) => {
                let raised = calling::call(
                    self.settings.nonfinite_error.bind(self.py),
                    (self.not_finite(cause),),
                );
                raised.map_or_else(|error| error, PyErr::from_value)
            }
            Refusal::ChangedMeanwhile(which) => PyRuntimeError::new_err(format!(
                "{} was changed while the step was being prepared, by a signal handler, a callback \
                 or another thread; nothing was written",
                label(&which)
            )),
            Refusal::ChangedLate(which) => PyRuntimeError::new_err(format!(
                "{} was changed by Python code that ran while devices were at work; what lies on \
                 devices has made the step, what is in host memory has not",
                label(&which)
            )),
            Refusal::Outdated => PyRuntimeError::new_err(
                "parameters, state or options have changed since this step was prepared; nothing was \
                 written",
            ),
        }
    }

    /// What keeps gradients from being finite.
    pub(super) fn not_finite(self, cause: Cause) -> String {
        match cause {
            Cause::Gradient(i) => format!("{} is not finite", self.label(Named::Gradient(i))),
            Cause::Sum => "the norm of the gradients overflows float64".to_owned(),
            Cause::GivenNorm(norm) => format!("the given norm of the gradients is {norm}"),
        }
    }
}
