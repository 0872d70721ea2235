//! What other modules have, where somebody has imported them. An object of a class exists only where
//! the class's module was imported, so nothing need be imported to learn that it is of none.

use pyo3::prelude::*;

/// An attribute of a module, None where that was not imported or has no such attribute.
pub(super) fn imported<'py>(
    py: Python<'py>,
    module: &str,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let modules = py.import("sys")?.getattr("modules")?;
    match modules.call_method1("get", (module,))? {
        module if module.is_none() => Ok(None),
        module => module.getattr_opt(name),
    }
}

/// Whether it is an instance of a class, whose module may not have been imported.
pub(super) fn is_of(object: &Bound<'_, PyAny>, module: &str, class: &str) -> PyResult<bool> {
    imported(object.py(), module, class)?.map_or(Ok(false), |class| object.is_instance(&class))
}
