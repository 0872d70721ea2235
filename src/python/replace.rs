//! A parameter in the place of another, of as many rows as it likes; and a group that goes.

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::array::shape_text;
use super::caller::Caller;
use super::container::{Container, Handed};
use super::inner::{Inner, Way};
use super::memory;
use super::parameters::{Origin, Parameter};
use super::words::{Label, differs};
use crate::engine::OutOfMemory;
use crate::engine::memory::with_room;
use crate::optimizer::{Header, Looks, Named, Slot};

/// Refuses what has not the place, the type or the rows' shape of the parameter that it is to replace.
fn check_rows(label: &Label<'_>, new: &Header, old: &Header) -> PyResult<()> {
    if old.shape.is_empty() {
        return Err(PyValueError::new_err(format!(
            "{label} must have rows to be replaced, found shape {}; rebind(params) takes another array \
             of the same shape",
            shape_text(&old.shape)
        )));
    }
    let (found, mut wanted) = (Looks::of(new), Looks::of(old));
    if let Some(rows) = found.shape.first() {
        wanted.shape[0] = *rows;
    }
    wanted.format.swapped = found.format.swapped;
    if found == wanted {
        return Ok(());
    }
    let text = differs(label, &found, &wanted);
    Err(PyValueError::new_err(format!("{text} as before; only the number of rows may be another")))
}

/// The old row of each of `new` rows, or -1: as `index` says it (in bytes of int64), or else each row its
/// own as far as there are `old` ones.
fn rows(label: &Label<'_>, index: Option<&[u8]>, new: isize, old: isize) -> PyResult<Vec<i64>> {
    let (new, old) = (new.unsigned_abs(), old as i64);
    let mut rows = with_room(new)?;
    let Some(index) = index else {
        rows.extend((0..new as i64).map(|row| if row < old { row } else { -1 }));
        return Ok(rows);
    };
    let (index, _) = index.as_chunks();
    if index.len() != new {
        return Err(PyValueError::new_err(format!(
            "index has {} rows, wanted {new}: one for each row of the new array",
            index.len()
        )));
    }
    rows.extend(index.iter().map(|row| i64::from_ne_bytes(*row)));
    match rows.iter().position(|row| !(-1..old).contains(row)) {
        None => Ok(rows),
        Some(i) => Err(PyValueError::new_err(format!(
            "index[{i}] must be one of the {old} rows of {label}, or -1 for a new row, found {}",
            rows[i]
        ))),
    }
}

impl Inner {
    /// Puts an array in the place of parameter number `i`, with rows of its state, or does nothing.
    /// `given`: the object that is to stand in the user's lists and dicts.
    pub(super) fn replace(
        &mut self,
        py: Python<'_>,
        i: usize,
        given: &Bound<'_, PyAny>,
        array: &Bound<'_, PyAny>,
        index: Option<&[u8]>,
    ) -> PyResult<impl Sized + use<>> {
        self.group_sizes(py)?;
        let origin = if self.unbound { Origin::Unbound } else { Origin::Bound };
        let alone = self.way == Some(Way::OneByOne);
        let Inner { settings, optimizer, groups, names, owners, .. } = &mut *self;
        let caller = Caller { py, names: names.as_deref(), settings, groups };
        let Some(old) = optimizer.slots().get(i) else {
            let count = optimizer.slots().len();
            let message = format!("the parameter must be one of {count}, found number {i}");
            return Err(PyValueError::new_err(message));
        };
        let label = caller.label(Named::Parameter(i));
        let Parameter { array, header, owner } = Parameter::new(array, &label, origin)?;
        check_rows(&label, &header, &old.header)?;
        let rows = rows(&label, index, header.shape[0], old.header.shape[0])?;
        let new = Slot::new(old.group, array, header);
        // Those that come together are held against each other when they come.
        let alive =
            |other: usize| alone && owners[other].as_ref().is_some_and(|of| of.is_alive(py));
        let heir = optimizer.heir(caller, i, new, &rows, alive);
        let mut heir = heir.map_err(|stop| caller.error(stop))?;
        // Python code may have run: what follows is held against what is there now.
        self.group_sizes(py)?;
        let names = self.names.as_deref();
        let label = Label { py, names, named: Named::Parameter(i) };
        let places = self.containers.iter().map(|container| container.place(i, given, &label));
        let places = memory::all(self.containers.len(), places)?;
        let group = &self.groups[heir.group];
        let list = group.dict.bind(py).get_item(intern!(py, "params"))?;
        let list = list.map(Bound::cast_into::<PyList>).transpose()?.filter(|_| !self.unbound);
        let mut gone = with_room(places.len())?;
        // Nothing fails from here on, and nothing that was held is dropped: that may run Python code.
        if let (Some(list), Some(array)) = (list, &heir.array) {
            list.set_item(i - group.slots.start, array.bind(py).object())?;
        }
        for (container, place) in self.containers.iter_mut().zip(places) {
            if let Some(place) = place {
                gone.push(container.put(py, place)?);
            }
        }
        let released = if self.unbound { heir.array.take() } else { None };
        let owner = std::mem::replace(&mut self.owners[i], owner);
        let (caller, optimizer) = self.called(py);
        Ok((optimizer.set_slot(caller, i, heir), owner, released, gone))
    }

    /// Takes out a group and its parameters; the containers are what is watched from now on.
    pub(super) fn remove_group(
        &mut self,
        py: Python<'_>,
        number: usize,
        containers: Vec<Handed<'_>>,
    ) -> PyResult<impl Sized + use<>> {
        self.group_sizes(py)?;
        let count = self.groups.len();
        if number >= count || count == 1 {
            return Err(PyValueError::new_err(format!(
                "the group must be one of {count}, and not the last one left, found number {number}"
            )));
        }
        let containers = Container::all(containers)?;
        let slots = self.groups[number].slots.clone();
        let (mut gone, mut owners) = (with_room(slots.len())?, with_room(slots.len())?);
        let mut names = Vec::new();
        names.try_reserve_exact(slots.len()).map_err(OutOfMemory::from)?;
        // Nothing fails from here on, and nothing that was held is dropped: that may run Python code.
        self.settings.param_groups.bind(py).del_item(number)?;
        let group = self.groups.remove(number);
        for later in &mut self.groups[number..] {
            later.slots = later.slots.start - slots.len()..later.slots.end - slots.len();
        }
        names.extend(self.names.iter_mut().flat_map(|all| all.drain(slots.clone())));
        owners.extend(self.owners.drain(slots.clone()));
        self.missing.forget(slots);
        let compiled = self.optimizer.remove_group(number, &mut gone);
        let watched = std::mem::replace(&mut self.containers, containers);
        Ok((group, compiled, gone, names, owners, watched))
    }
}
