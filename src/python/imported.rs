//! Classes of other modules, taken only if those have been imported already. As long as a module has
//! not been, no object is of its class, so we never have to import it to find out.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// An attribute of a module, None where that was not imported or has no such attribute.
pub(super) fn imported<'py>(
    py: Python<'py>,
    module: &str,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    // SAFETY: the GIL is held, and the interpreter has its modules as long as it lives.
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
