//! The parameters: how they come, are looked at, exchanged and taken out.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::python::array::Held;
use crate::python::container::Handed;
use crate::python::core::{Core, started};
use crate::python::guard::guarded;
use crate::python::memory;

#[pymethods]
impl Core {
    /// Adds a group's parameters, or nothing if one of them is refused: with their tree, if they have
    /// names, and the containers to watch.
    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (group, arrays, names, like=None, containers=vec![], *, restored=false))]
    fn _add_group(
        &self,
        group: &Bound<'_, PyDict>,
        arrays: &Bound<'_, PyList>,
        names: Option<Vec<Py<PyString>>>,
        like: Option<&Bound<'_, PyAny>>,
        containers: Vec<Handed<'_>>,
        restored: bool,
    ) -> PyResult<()> {
        guarded(|| {
            let mut locked = self.inner.lock(group.py())?;
            let inner = started(&mut locked)?;
            inner.add_group(group, arrays, names, like, containers, restored)
        })
    }

    /// Puts other arrays in the place of the parameters: all of them or none.
    fn _rebind(&self, arrays: &Bound<'_, PyList>, containers: Vec<Handed<'_>>) -> PyResult<()> {
        let py = arrays.py();
        self.exchange(py, |inner| inner.rebind(py, arrays, containers))
    }

    /// Puts an array in the place of a parameter, with rows of its state, or does nothing. `given`: what is
    /// to stand for it where the parameter came in; `index`: the old row of each new one, or -1, as
    /// int64.
    #[pyo3(signature = (i, given, array, index))]
    fn _replace(
        &self,
        i: usize,
        given: &Bound<'_, PyAny>,
        array: &Bound<'_, PyAny>,
        index: Option<&[u8]>,
    ) -> PyResult<()> {
        let py = given.py();
        self.exchange(py, |inner| inner.replace(py, i, given, array, index))
    }

    /// Takes out a group and its parameters; these containers are watched from now on.
    fn _remove_group(
        &self,
        py: Python<'_>,
        number: usize,
        containers: Vec<Handed<'_>>,
    ) -> PyResult<()> {
        self.exchange(py, |inner| inner.remove_group(py, number, containers))
    }

    /// The groups' trees; None of one whose parameters have no names.
    fn _trees(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        started(&mut self.inner.lock(py)?)?.likes(py)
    }

    /// What parameters were handed in by, and what it held.
    fn _containers<'py>(&self, py: Python<'py>) -> PyResult<Vec<Handed<'py>>> {
        started(&mut self.inner.lock(py)?)?.containers(py)
    }

    /// Refuses what a step would refuse of them.
    fn _check_containers(&self, py: Python<'_>) -> PyResult<()> {
        started(&mut self.inner.lock(py)?)?.check_containers(py)
    }

    /// Watches these instead.
    fn _watch(&self, py: Python<'_>, containers: Vec<Handed<'_>>) -> PyResult<()> {
        self.exchange(py, |inner| inner.watch(containers))
    }

    /// The number of parameters of each group; refuses groups that were edited from outside.
    fn _group_sizes(&self, py: Python<'_>) -> PyResult<Vec<usize>> {
        started(&mut self.inner.lock(py)?)?.group_sizes(py)
    }

    /// The parameters' arrays; None for those of an unbound optimizer, which holds none.
    fn _parameters<'py>(&self, py: Python<'py>) -> PyResult<Vec<Option<Bound<'py, PyAny>>>> {
        let mut locked = self.inner.lock(py)?;
        let slots = started(&mut locked)?.slots();
        let arrays = slots.iter().map(|slot| slot.array.as_ref());
        let object = |array: &Held| array.bind(py).object().clone();
        memory::all(slots.len(), arrays.map(|array| Ok(array.map(object))))
    }

    /// The parameters' shapes and the names of their types.
    fn _layouts(&self, py: Python<'_>) -> PyResult<Vec<(Py<PyTuple>, &'static str)>> {
        let mut locked = self.inner.lock(py)?;
        let slots = started(&mut locked)?.slots();
        let layouts = slots.iter().map(|slot| {
            let shape = PyTuple::new(py, slot.header.shape.iter().copied())?;
            Ok((shape.unbind(), slot.header.format.kind.name()))
        });
        memory::all(slots.len(), layouts)
    }

    /// The keys of parameters that come one by one, in their order; None of others.
    #[getter(_numbers)]
    fn numbers(&self, py: Python<'_>) -> PyResult<Option<Py<PyDict>>> {
        let mut locked = self.inner.lock(py)?;
        Ok(started(&mut locked)?.keys.as_ref().map(|keys| keys.numbers().clone_ref(py)))
    }

    /// The parameters' names, None if they have none.
    #[getter(_names)]
    fn names(&self, py: Python<'_>) -> PyResult<Option<Vec<Py<PyString>>>> {
        started(&mut self.inner.lock(py)?)?.names(py)
    }
}
