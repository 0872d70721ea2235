//! Lists and dicts read without owning what they hold: to own it would double the cost of looking at
//! a group.
//!
//! The pointers are borrowed: they are good for comparison, while the GIL is held and no Python code
//! runs.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// Whether `same` holds for every key and value in order, and there are `count` of them.
pub(super) fn all_entries(
    dict: &Bound<'_, PyDict>,
    count: usize,
    mut same: impl FnMut(usize, *mut ffi::PyObject, *mut ffi::PyObject) -> bool,
) -> bool {
    let mut i = 0;
    dict.len() == count
        && first_entries(dict, count, |key, value| {
            i += 1;
            same(i - 1, key, value)
        })
}

/// Whether `same` holds for the first `count` keys and values, in order.
pub(super) fn first_entries(
    dict: &Bound<'_, PyDict>,
    count: usize,
    mut same: impl FnMut(*mut ffi::PyObject, *mut ffi::PyObject) -> bool,
) -> bool {
    let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
    let mut position = 0;
    (0..count).all(|_| {
        // SAFETY: the dict is alive and the GIL is held; a dict that changes meanwhile,
        // which `same` cannot bring about, would end or disturb the walk and not invalidate it.
        let found =
            unsafe { ffi::PyDict_Next(dict.as_ptr(), &mut position, &mut key, &mut value) != 0 };
        found && same(key, value)
    })
}

/// Whether the list holds exactly these objects.
pub(super) fn holds(
    list: &Bound<'_, PyList>,
    objects: impl ExactSizeIterator<Item = *mut ffi::PyObject>,
) -> bool {
    list.len() == objects.len() && begins_with(list, objects)
}

/// Whether the list holds these objects, and perhaps more after them.
pub(super) fn begins_with(
    list: &Bound<'_, PyList>,
    objects: impl ExactSizeIterator<Item = *mut ffi::PyObject>,
) -> bool {
    list.len() >= objects.len()
        && objects.enumerate().all(|(i, object)| {
            // SAFETY: the list is alive; an index beyond its end gives null (and an error that is
            // impossible here, the length having been compared).
            object == unsafe { ffi::PyList_GetItem(list.as_ptr(), i as ffi::Py_ssize_t) }
        })
}
