//! What parameters were handed in by, and other arrays in their place.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::container::{Container, Parts};
use super::inner::{Inner, count_error};
use super::memory;
use super::overlap;
use crate::engine::memory::with_room;

impl Inner {
    /// Refuses containers in which a parameter was replaced.
    pub(super) fn check_containers(&self, py: Python<'_>) -> PyResult<()> {
        self.containers.iter().try_for_each(|container| container.check(py, &self.slots))
    }

    /// The containers and what they held, for a copy.
    pub(super) fn containers<'py>(&self, py: Python<'py>) -> PyResult<Vec<Parts<'py>>> {
        memory::all(self.containers.len(), self.containers.iter().map(|known| known.parts(py)))
    }

    /// Watches what parameters were handed in by, in place of what is returned.
    pub(super) fn watch(&mut self, containers: Vec<Parts<'_>>) -> PyResult<Vec<Container>> {
        let watched = self.watched(containers)?;
        Ok(std::mem::replace(&mut self.containers, watched))
    }

    fn watched(&self, containers: Vec<Parts<'_>>) -> PyResult<Vec<Container>> {
        let mut watched = with_room(containers.len())?;
        for parts in containers {
            let names = self.names.as_ref();
            let names = names.and_then(|names| names.get(parts.2..parts.2 + parts.1.len()));
            watched.extend(Container::new(parts, names)?);
        }
        Ok(watched)
    }

    /// Puts other arrays in the place of all parameters, with the same state; or none.
    pub(super) fn rebind(
        &mut self,
        py: Python<'_>,
        arrays: &Bound<'_, PyList>,
        containers: Vec<Parts<'_>>,
    ) -> PyResult<impl Sized + use<>> {
        if arrays.len() != self.slots.len() {
            return Err(count_error("parameters", arrays.len(), self.slots.len()));
        }
        let heirs = self.slots.iter().zip(arrays).map(|(slot, array)| slot.heir(&array));
        let heirs = memory::all(arrays.len(), heirs)?;
        overlap::check_heirs(&self.slots, &heirs)?;
        let containers = if self.unbound { Vec::new() } else { self.watched(containers)? };
        // Python code may have run: what follows is held against what is there now.
        self.check_list(py)?;
        for group in &self.groups {
            group.check_params(py, &self.slots, !self.unbound)?;
        }
        let mut lists = with_room(self.groups.len())?;
        for group in self.groups.iter().filter(|_| !self.unbound) {
            let list = group.dict.bind(py).get_item(intern!(py, "params"))?;
            lists.push(list.map(Bound::cast_into::<PyList>).transpose()?);
        }
        let mut gone = with_room(self.slots.len())?;
        // Nothing fails from here on, and nothing that was held is dropped: that may run Python code.
        for (list, group) in lists.iter().zip(&self.groups) {
            for (place, i) in group.slots.clone().enumerate() {
                if let Some(list) = list {
                    list.set_item(place, arrays.get_item(i)?)?;
                }
            }
        }
        for (slot, heir) in self.slots.iter_mut().zip(heirs) {
            gone.push(slot.inherit(heir));
        }
        let before = std::mem::replace(&mut self.containers, containers);
        self.forget_memory();
        Ok((gone, before))
    }
}
