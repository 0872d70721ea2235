//! Parameters that are added, as a group.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::container::{Container, Handed};
use super::group::Group;
use super::inner::Inner;
use super::memory;
use super::parameters::{Origin, Parameter};
use super::structure::Structure;
use super::words::Label;
use crate::engine::OutOfMemory;
use crate::engine::memory::with_room;
use crate::optimizer::{Named, Slot};

impl Inner {
    /// Adds a group's parameters, or nothing if one of them is refused. `like` is their tree, if they
    /// have names; `restored`: they come out of a pickle or a copy.
    pub(super) fn add_group(
        &mut self,
        group: &Bound<'_, PyDict>,
        arrays: &Bound<'_, PyList>,
        names: Option<Vec<Py<PyString>>>,
        like: Option<&Bound<'_, PyAny>>,
        containers: Vec<Handed<'_>>,
        restored: bool,
    ) -> PyResult<()> {
        let structure = like.map(Structure::new).transpose()?;
        // Named first, so that errors can tell.
        let known = self.names.as_ref().map(Vec::len);
        if let Some(names) = names {
            let all = self.names.get_or_insert_default();
            all.try_reserve(names.len()).map_err(OutOfMemory::from)?;
            all.extend(names);
        }
        let added = self.add_named(group, arrays, structure, containers, restored);
        if added.is_err() {
            match (&mut self.names, known) {
                (Some(names), Some(known)) => names.truncate(known),
                (names, _) => *names = None,
            }
        }
        added
    }

    fn add_named(
        &mut self,
        group: &Bound<'_, PyDict>,
        arrays: &Bound<'_, PyList>,
        structure: Option<Structure>,
        containers: Vec<Handed<'_>>,
        restored: bool,
    ) -> PyResult<()> {
        let py = group.py();
        let (caller, optimizer) = self.called(py);
        // An array that was resized may be the same as a new one and lie elsewhere by now.
        if !restored {
            optimizer.look(caller).map_err(|stop| caller.error(stop))?;
        }
        let (known, number) = (self.slots().len(), self.groups.len());
        let origin = match (self.unbound, restored) {
            (true, _) => Origin::Unbound,
            (false, true) => Origin::Restored,
            (false, false) => Origin::Bound,
        };
        let names = self.names.as_deref();
        let read = |(i, array): (usize, Bound<'_, PyAny>)| {
            let label = Label { py, names, named: Named::Parameter(known + i) };
            Parameter::new(&array, &label, origin)
        };
        let new = memory::all(arrays.len(), arrays.iter().enumerate().map(read))?;
        let containers = Container::all(containers)?;
        // Room for all of it first: once the group is in the list nothing can fail.
        self.owners.try_reserve(new.len()).map_err(OutOfMemory::from)?;
        self.groups.try_reserve(1).map_err(OutOfMemory::from)?;
        self.containers.try_reserve(containers.len()).map_err(OutOfMemory::from)?;
        let (mut slots, mut owners) = (with_room(new.len())?, with_room(new.len())?);
        for Parameter { array, header, owner } in new {
            slots.push(Slot::new(number, array, header));
            owners.push(owner);
        }
        let bound = !self.unbound;
        let (caller, optimizer) = self.called(py);
        let added = optimizer.add(slots).map_err(|refusal| caller.refused(refusal))?;
        caller.check_reference(&added.optimizer().slots()[known..], known)?;
        let mut group = Group::new(group, added.slots(), structure);
        let compiled = group.read(py, added.optimizer(), bound, caller.settings);
        let compiled = compiled.map_err(|stop| caller.error(stop))?;
        let compiled = compiled.ok_or_else(|| PyRuntimeError::new_err("no options were read"))?;
        if bound {
            caller.settings.param_groups.bind(py).append(&group.dict)?;
        }
        added.keep(compiled);
        self.groups.push(group);
        self.owners.extend(owners);
        self.containers.extend(containers);
        Ok(())
    }
}
