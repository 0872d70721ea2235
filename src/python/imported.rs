//! What other modules have, where somebody has imported them. An object of a class exists only where
//! the class's module was imported, so nothing need be imported to learn that it is of none.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// An attribute of a module, None where that was not imported or has no such attribute.
pub(super) fn imported<'py>(
    py: Python<'py>,
    module: &str,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    // SAFETY: the interpreter is held, and has its modules as long as it lives.
    let modules = unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyImport_GetModuleDict()) };
    let modules = modules.and_then(|modules| modules.cast_into::<PyDict>().ok());
    match modules.map_or(Ok(None), |modules| modules.get_item(module))? {
        Some(module) if !module.is_none() => module.getattr_opt(name),
        _ => Ok(None),
    }
}

/// Whether it is an instance of a class, whose module may not have been imported.
pub(super) fn is_of(object: &Bound<'_, PyAny>, module: &str, class: &str) -> PyResult<bool> {
    imported(object.py(), module, class)?.map_or(Ok(false), |class| object.is_instance(&class))
}
