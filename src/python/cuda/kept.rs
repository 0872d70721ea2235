//! What an optimizer keeps for its devices from step to step.

use std::any::TypeId;
use std::collections::HashMap;

use pyo3::prelude::*;

use super::tables::Tables;
use crate::number::Kinds;

#[derive(Default)]
pub(in crate::python) struct Cuda {
    pub(super) tables: Tables,
    /// By device, formula, types, and whether weight decay is added to the gradient.
    pub(super) kernels: HashMap<(i32, TypeId, Kinds, bool), Py<PyAny>>,
}

impl Cuda {
    /// Begins a step.
    pub(in crate::python) fn begin(&mut self) {
        self.tables.begin();
    }
}
