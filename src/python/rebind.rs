//! Other arrays in the place of the parameters, and the lists and dicts that are watched.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::container::{Container, Handed};
use super::inner::Inner;
use super::memory;
use super::parameters::{Origin, Parameter};
use super::words::count_error;
use crate::engine::memory::with_room;
use crate::optimizer::{Named, check_heirs, check_same};

impl Inner {
    /// Watches what parameters were handed in by, in place of what is returned.
    pub(super) fn watch(&mut self, containers: Vec<Handed<'_>>) -> PyResult<Vec<Container>> {
        Ok(std::mem::replace(&mut self.containers, Container::all(containers)?))
    }

    /// Puts other arrays in the place of all parameters, with the same state; or none.
    pub(super) fn rebind(
        &mut self,
        py: Python<'_>,
        arrays: &Bound<'_, PyList>,
        containers: Vec<Handed<'_>>,
    ) -> PyResult<impl Sized + use<>> {
        let wanted = self.slots().len();
        if arrays.len() != wanted {
            return Err(count_error("parameters", arrays.len(), wanted, "parameter"));
        }
        let origin = if self.unbound { Origin::Unbound } else { Origin::Bound };
        let (caller, optimizer) = self.called(py);
        let read = |(i, array): (usize, Bound<'_, PyAny>)| {
            let new = Parameter::new(&array, &caller.label(Named::Parameter(i)), origin)?;
            let checked = check_same(i, &new.header, &optimizer.slots()[i].header);
            checked.map_err(|refusal| caller.refused(refusal)).map(|()| new)
        };
        let heirs = memory::all(wanted, arrays.iter().enumerate().map(read))?;
        let new = heirs.iter().map(|heir| (&*heir.header, heir.array.as_ptr() as usize));
        check_heirs(caller, optimizer.slots(), new).map_err(|refusal| caller.refused(refusal))?;
        let containers = if self.unbound { Vec::new() } else { Container::all(containers)? };
        // Python code may have run: what follows is held against what is there now.
        self.check_list(py)?;
        for group in &self.groups {
            group.check_params(py, self.slots(), !self.unbound)?;
        }
        let mut lists = with_room(self.groups.len())?;
        for group in self.groups.iter().filter(|_| !self.unbound) {
            let list = group.dict.bind(py).get_item(intern!(py, "params"))?;
            lists.push(list.map(Bound::cast_into::<PyList>).transpose()?);
        }
        let mut gone = with_room(wanted)?;
        // Nothing fails from here on, and nothing that was held is dropped: that may run Python code.
        for (list, group) in lists.iter().zip(&self.groups) {
            for (place, i) in group.slots.clone().enumerate() {
                if let Some(list) = list {
                    list.set_item(place, arrays.get_item(i)?)?;
                }
            }
        }
        for (i, heir) in heirs.into_iter().enumerate() {
            let Parameter { array, header, owner } = heir;
            let header = self.optimizer.set_header(i, header);
            let owner = std::mem::replace(&mut self.owners[i], owner);
            let held = if self.unbound { None } else { Some(array) };
            gone.push((self.optimizer.set_array(i, held), header, owner));
        }
        let before = std::mem::replace(&mut self.containers, containers);
        Ok((gone, before))
    }
}
