//! Gradients (and the parameters of an unbound optimizer) as they come: lists, tuples, dicts of
//! names, one array; arrays as they are, whatever else has the array interface through NumPy.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use super::array::ndarray;
use super::calling;
use super::given::{Given, GivenArrays};
use super::group::Group;
use super::inner::Inner;
use super::words::{Label, must_be};
use crate::engine::OutOfMemory;
use crate::engine::memory::small_with_room;
use crate::optimizer::Named;

/// Reads what needs no Python code: plain arrays, `Rows` or None in a list or tuple; where parameters have
/// names in a dict of just those, or in the trees of the groups. Names may be missing if that is to
/// `skip` their parameters. None if it is something else.
fn plain<'py>(
    given: &Bound<'py, PyAny>,
    names: Option<&[Py<PyString>]>,
    groups: &[Group],
    skip: bool,
) -> PyResult<Option<GivenArrays<'py>>> {
    if let Some(names) = names {
        if let Ok(dict) = given.cast_exact::<PyDict>()
            && (dict.len() == names.len() || skip)
        {
            let by_name = named(dict, names, skip)?;
            if by_name.is_some() {
                return Ok(by_name);
            }
        }
        in_trees(given, names.len(), groups)
    } else if let Ok(list) = given.cast_exact::<PyList>() {
        listed(given.py(), list.len(), list.iter().map(Some))
    } else if let Ok(tuple) = given.cast_exact::<PyTuple>() {
        listed(given.py(), tuple.len(), tuple.iter().map(Some))
    } else {
        listed(given.py(), 1, std::iter::once(Some(given.clone()).filter(|one| !one.is_none())))
    }
}

impl Inner {
    /// The parameters that came with a call, if that is all there is to them.
    pub(super) fn plain_parameters<'py>(
        &self,
        given: &Bound<'py, PyAny>,
    ) -> PyResult<Option<GivenArrays<'py>>> {
        plain(given, self.names.as_deref(), &self.groups, false)
    }

    /// The gradients, if that is all there is to them.
    pub(super) fn plain_gradients<'py>(
        &self,
        given: &Bound<'py, PyAny>,
    ) -> PyResult<Option<GivenArrays<'py>>> {
        plain(given, self.names.as_deref(), &self.groups, self.settings.skips_missing)
    }
}

/// What a dict of no other names has for each of these.
fn named<'py>(
    dict: &Bound<'py, PyDict>,
    names: &[Py<PyString>],
    skip: bool,
) -> PyResult<Option<GivenArrays<'py>>> {
    let mut found = 0;
    let none = dict.py().None().into_bound(dict.py());
    let item = |name: &Py<PyString>| match dict.get_item(name) {
        Ok(Some(item)) => {
            found += 1;
            Some(item)
        }
        Ok(None) if skip => Some(none.clone()),
        _ => None,
    };
    let arrays = listed(dict.py(), names.len(), names.iter().map(item))?;
    Ok(arrays.filter(|_| found == dict.len()))
}

/// Reads gradients for these names and trees, with whatever Python code that takes: no lock may be held.
/// A number is an array where `single` says that the parameter is.
pub(super) fn read<'py>(
    (names, likes): (Option<&[Py<PyString>]>, &[Py<PyAny>]),
    given: &Bound<'py, PyAny>,
    skip: bool,
    single: impl Fn(usize) -> bool,
) -> PyResult<GivenArrays<'py>> {
    let py = given.py();
    let flat = flatten("gradients", (names, likes), given, skip)?;
    let label = |i: usize| Label { py, names, named: Named::Parameter(i) }.to_string();
    collect(&flat, label, single)
}

/// The arrays in the tree of the one group, or in a list of the groups' trees.
fn in_trees<'py>(
    given: &Bound<'py, PyAny>,
    count: usize,
    groups: &[Group],
) -> PyResult<Option<GivenArrays<'py>>> {
    let ndarray = ndarray(given.py());
    let mut arrays = small_with_room(count)?;
    let mut read = |group: &Group, tree: &Bound<'py, PyAny>| match &group.structure {
        Some(structure) => structure.read(tree, ndarray, &mut arrays),
        None => Ok(false),
    };
    if let [group] = groups {
        return Ok(read(group, given)?.then_some(arrays));
    }
    let Ok(list) = given.cast_exact::<PyList>() else { return Ok(None) };
    if list.len() != groups.len() {
        return Ok(None);
    }
    for (group, tree) in groups.iter().zip(list.iter()) {
        if !read(group, &tree)? {
            return Ok(None);
        }
    }
    Ok(Some(arrays))
}

/// The items, if each is there and needs no Python code; at most `count`.
#[inline]
fn listed<'py>(
    py: Python<'py>,
    count: usize,
    items: impl Iterator<Item = Option<Bound<'py, PyAny>>>,
) -> PyResult<Option<GivenArrays<'py>>> {
    let ndarray = ndarray(py);
    let mut arrays = small_with_room(count)?;
    for item in items.take(count) {
        let Some(item) = item else { return Ok(None) };
        match Given::plain(item, ndarray) {
            Ok(given) => arrays.push(given),
            Err(_) => return Ok(None),
        }
    }
    Ok(Some(arrays))
}

/// What is no plain list or dict of arrays, in the order of the parameters.
pub(super) fn flatten<'py>(
    what: &str,
    (names, likes): (Option<&[Py<PyString>]>, &[Py<PyAny>]),
    given: &Bound<'py, PyAny>,
    skip: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let matched = given.py().import(intern!(given.py(), "ferrostep.matched"))?;
    calling::method(&matched, "flatten", (what, names, likes, given, skip))
}

/// Reads gradients with whatever Python code that takes, so no lock may be held. `flat` is what
/// Python made of their structure. A number is an array where `single` says that the parameter is.
pub(super) fn collect<'py>(
    flat: &Bound<'py, PyAny>,
    label: impl Fn(usize) -> String,
    single: impl Fn(usize) -> bool,
) -> PyResult<GivenArrays<'py>> {
    if flat.cast::<PyList>().is_err() && flat.cast::<PyTuple>().is_err() {
        let wanted = "a list or tuple of arrays, as the parameters came";
        return Err(PyTypeError::new_err(must_be("gradients", wanted, flat)));
    }
    // A subclass may give more or fewer than its length.
    let mut arrays = small_with_room(flat.len().unwrap_or(0))?;
    let mut items = calling::iterate(flat)?;
    while let Some(item) = items.next()? {
        let i = arrays.len();
        let label = || format!("the gradient of {}", label(i));
        arrays.try_reserve(1).map_err(OutOfMemory::from)?;
        arrays.push(Given::of(item, single(i), label)?);
    }
    Ok(arrays)
}
