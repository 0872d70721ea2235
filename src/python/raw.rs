//! Lists and dicts read without owning what they hold: to own it would double the cost of looking at
//! a group.
//!
//! The pointers are borrowed: they are good for comparison, while the GIL is held and no Python code
//! runs.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// Whether the dict has as many entries as are known, and `same` holds for each in order: what is
/// known, key and value.
pub(super) fn all_entries<T>(
    dict: &Bound<'_, PyDict>,
    known: impl ExactSizeIterator<Item = T>,
    same: impl FnMut(T, *mut ffi::PyObject, *mut ffi::PyObject) -> bool,
) -> bool {
    dict.len() == known.len() && first_entries(dict, known, same)
}

/// The same of its first entries; there may be more after them.
#[inline]
pub(super) fn first_entries<T>(
    dict: &Bound<'_, PyDict>,
    mut known: impl Iterator<Item = T>,
    mut same: impl FnMut(T, *mut ffi::PyObject, *mut ffi::PyObject) -> bool,
) -> bool {
    let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
    let mut position = 0;
    known.all(|known| {
        // SAFETY: the dict is alive and the GIL is held; a dict that changes meanwhile,
        // which `same` cannot bring about, would end or disturb the walk and not invalidate it.
        let found =
            unsafe { ffi::PyDict_Next(dict.as_ptr(), &mut position, &mut key, &mut value) != 0 };
        found && same(known, key, value)
    })
}

/// Whether the list holds exactly these objects.
pub(super) fn holds(
    list: &Bound<'_, PyList>,
    objects: impl ExactSizeIterator<Item = *mut ffi::PyObject>,
) -> bool {
    list.len() == objects.len() && has(list, objects)
}

/// Whether the list holds these objects, and perhaps more after them.
pub(super) fn begins_with(
    list: &Bound<'_, PyList>,
    objects: impl ExactSizeIterator<Item = *mut ffi::PyObject>,
) -> bool {
    list.len() >= objects.len() && has(list, objects)
}

/// The same of a list that is known to be long enough.
#[inline]
fn has(list: &Bound<'_, PyList>, objects: impl Iterator<Item = *mut ffi::PyObject>) -> bool {
    objects.enumerate().all(|(i, object)| {
        // SAFETY: the list is alive; an index beyond its end gives null (and an error that is
        // impossible here, the length having been compared).
        object == unsafe { ffi::PyList_GetItem(list.as_ptr(), i as ffi::Py_ssize_t) }
    })
}
