//! What one optimizer's lock protects: the optimizer, and what Python knows of it.

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::array::Array;
use super::caller::Caller;
use super::container::{Container, Handed};
use super::group::Group;
use super::memory;
use super::missing::Missing;
use super::owner::Owner;
use super::parameters::{Origin, Parameter, check_memory};
use super::python_arrays::PythonArrays;
use super::raw;
use super::settings::Settings;
use super::structure::Structure;
use super::words::{Label, count_error};
use crate::engine::OutOfMemory;
use crate::engine::memory::with_room;
use crate::number::Kind;
use crate::optimizer::{Named, Norm, Optimizer, Prepared, Slot};

/// How an unbound optimizer is used.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    InPlace,
    Anew,
    OneByOne,
}

pub(super) struct Inner {
    pub(super) settings: Settings,
    pub(super) optimizer: Optimizer<PythonArrays>,
    pub(super) groups: Vec<Group>,
    pub(super) names: Option<Vec<Py<PyString>>>,
    /// Whether parameters come with each call instead of being held.
    pub(super) unbound: bool,
    /// How they come; None before the first call.
    pub(super) way: Option<Way>,
    /// Whose memory it is that comes with each call.
    pub(super) owners: Vec<Option<Owner>>,
    /// Of parameters that come one by one: the number of each by its key.
    pub(super) numbers: Option<Py<PyDict>>,
    /// Of parameters whose names may be missing among the gradients.
    pub(super) missing: Missing,
    /// State that was loaded before the parameters came.
    pub(super) pending: Option<Py<PyAny>>,
    /// What parameters were handed in by.
    pub(super) containers: Vec<Container>,
    /// A step that waits to be committed or abandoned.
    pub(super) prepared: Option<Prepared<PythonArrays>>,
}

impl Inner {
    pub(super) fn new(settings: Settings, unbound: bool) -> Self {
        Inner {
            settings,
            optimizer: Optimizer::default(),
            groups: Vec::new(),
            names: None,
            unbound,
            way: None,
            owners: Vec::new(),
            numbers: None,
            missing: Missing::default(),
            pending: None,
            containers: Vec::new(),
            prepared: None,
        }
    }

    /// A call, and the optimizer that it is of.
    #[inline]
    pub(super) fn called<'a>(
        &'a mut self,
        py: Python<'a>,
    ) -> (Caller<'a>, &'a mut Optimizer<PythonArrays>) {
        let Inner { settings, optimizer, groups, names, .. } = self;
        (Caller { py, names: names.as_deref(), settings, groups }, optimizer)
    }

    pub(super) fn slots(&self) -> &[Slot<PythonArrays>] {
        self.optimizer.slots()
    }

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

    pub(super) fn names(&self, py: Python<'_>) -> PyResult<Option<Vec<Py<PyString>>>> {
        let copied = |names: &Vec<Py<PyString>>| {
            memory::all(names.len(), names.iter().map(|name| Ok(name.clone_ref(py))))
        };
        self.names.as_ref().map(copied).transpose()
    }

    /// The trees of the groups, as Python made them; None among them where there are no names.
    pub(super) fn likes(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        let likes = self.groups.iter().map(|group| match &group.structure {
            Some(structure) => Ok(structure.like.clone_ref(py)),
            None => Ok(py.None()),
        });
        memory::all(self.groups.len(), likes)
    }

    /// Exchanges the parameters and their state, if an unbound optimizer, with another's.
    pub(super) fn exchange(&mut self, other: &mut Inner) {
        std::mem::swap(&mut self.groups, &mut other.groups);
        self.optimizer.exchange(&mut other.optimizer);
        std::mem::swap(&mut self.owners, &mut other.owners);
        std::mem::swap(&mut self.names, &mut other.names);
        std::mem::swap(&mut self.way, &mut other.way);
        std::mem::swap(&mut self.numbers, &mut other.numbers);
        std::mem::swap(&mut self.missing, &mut other.missing);
        std::mem::swap(&mut self.pending, &mut other.pending);
    }

    pub(super) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.settings.traverse(visit)?;
        self.groups.iter().try_for_each(|group| group.traverse(visit))?;
        for slot in self.slots() {
            let states = slot.states.iter().map(|state| &state.array);
            slot.array.iter().chain(states).try_for_each(|array| array.traverse(visit))?;
        }
        self.owners.iter().flatten().try_for_each(|owner| owner.traverse(visit))?;
        self.containers.iter().try_for_each(|container| container.traverse(visit))?;
        if let Some(prepared) = &self.prepared {
            prepared.arrays().try_for_each(|array| array.traverse(visit))?;
            let (work, norm) = prepared.elsewhere();
            work.iter().try_for_each(|work| work.traverse(visit))?;
            if let Norm::Elsewhere(norm) = norm {
                norm.traverse(visit)?;
            }
        }
        self.numbers.iter().try_for_each(|numbers| visit.call(numbers))?;
        self.pending.iter().try_for_each(|pending| visit.call(pending))
    }

    /// Takes the arrays that came with a call of an unbound optimizer.
    pub(super) fn take(&mut self, py: Python<'_>, arrays: Vec<Array<'_>>) -> PyResult<()> {
        if arrays.len() != self.slots().len() {
            return Err(count_error("parameters", arrays.len(), self.slots().len(), "parameter"));
        }
        let Inner { optimizer, owners, names, .. } = self;
        for (i, array) in arrays.into_iter().enumerate() {
            let label = Label { py, names: names.as_deref(), named: Named::Parameter(i) };
            check_memory(&array, &optimizer.slots()[i], owners[i].as_ref(), &label)?;
            optimizer.set_array(i, Some(array.hold()));
        }
        Ok(())
    }

    /// Takes new arrays for the parameters, and those that have their values; None where the new ones
    /// have them.
    pub(super) fn take_new(
        &mut self,
        arrays: Vec<Array<'_>>,
        sources: Option<Vec<Array<'_>>>,
    ) -> PyResult<()> {
        for given in std::iter::once(&arrays).chain(&sources) {
            if given.len() != self.slots().len() {
                return Err(count_error(
                    "parameters",
                    given.len(),
                    self.slots().len(),
                    "parameter",
                ));
            }
        }
        for (i, array) in arrays.into_iter().enumerate() {
            self.optimizer.set_array(i, Some(array.hold()));
        }
        self.set_sources(sources);
        Ok(())
    }

    /// Lets parameters in host memory take their values from these; a new one on a device has them.
    pub(super) fn set_sources(&mut self, sources: Option<Vec<Array<'_>>>) {
        for (i, source) in sources.into_iter().flatten().enumerate() {
            let on_host = matches!(source, Array::Host(_));
            self.optimizer.set_source(i, on_host.then(|| source.hold()));
        }
    }

    /// Refuses to use the optimizer now in one way and now in another.
    pub(super) fn check_way(&self, way: Way) -> PyResult<()> {
        if self.way.is_none_or(|known| known == way) {
            return Ok(());
        }
        let name = |way| match way {
            Way::InPlace => "update",
            Way::Anew => "updated",
            Way::OneByOne => "update_one",
        };
        let (now, before) = (name(way), name(self.way.unwrap_or(way)));
        Err(PyValueError::new_err(format!(
            "{now}() cannot follow {before}() on one optimizer: update() writes into all parameters, \
             update_one() into one of them, and updated() returns new ones; go on with {before}(), or \
             call reset() for a new run"
        )))
    }

    /// Whether this very state waits for its parameters.
    pub(super) fn has_pending(&self, pending: Option<&Py<PyAny>>) -> bool {
        self.pending.as_ref().map(Py::as_ptr) == pending.map(Py::as_ptr)
    }

    /// Lets go of the arrays that came with a call.
    pub(super) fn release(&mut self) {
        for i in 0..self.owners.len() {
            if self.owners[i].is_some() {
                self.optimizer.set_array(i, None);
                self.optimizer.set_source(i, None);
            }
        }
    }

    /// Refuses groups that came, went or were replaced behind our back.
    pub(super) fn check_list(&self, py: Python<'_>) -> PyResult<()> {
        let param_groups = self.settings.param_groups.bind(py);
        let dicts = self.groups.iter().map(|group| group.dict.as_ptr());
        // Before its first call an unbound optimizer has one group that nobody has read.
        let unread = self.unbound && self.groups.is_empty();
        let intact = if unread { param_groups.len() == 1 } else { raw::holds(param_groups, dicts) };
        if intact {
            return Ok(());
        }
        Err(PyValueError::new_err(
            "param_groups itself was changed; edit the options inside its dicts, and use \
             add_param_group for new parameters",
        ))
    }

    /// The number of parameters of each group, none of which was edited.
    pub(super) fn group_sizes(&self, py: Python<'_>) -> PyResult<Vec<usize>> {
        self.check_list(py)?;
        let sizes = self.groups.iter().map(|group| {
            group.check_params(py, self.slots(), !self.unbound)?;
            Ok(group.slots.len())
        });
        sizes.collect()
    }

    /// Reads what changed in the groups.
    pub(super) fn check_groups(&mut self, py: Python<'_>) -> PyResult<()> {
        self.check_list(py)?;
        let Inner { settings, optimizer, groups, unbound, .. } = self;
        let mut groups = groups.iter_mut().enumerate();
        let refreshed =
            groups.try_for_each(|(i, group)| group.refresh(py, i, optimizer, !*unbound, settings));
        refreshed.map_err(|stop| self.called(py).0.error(stop))
    }

    /// Refuses a type of state that does not go with one of the parameters.
    pub(super) fn check_state_kind(&mut self, py: Python<'_>, kind: Option<Kind>) -> PyResult<()> {
        let (caller, optimizer) = self.called(py);
        let checked = optimizer.check_state_kind(0..optimizer.slots().len(), kind);
        checked.map_err(|refusal| caller.refused(refusal))
    }

    /// Refuses containers in which a parameter was replaced.
    pub(super) fn check_containers(&self, py: Python<'_>) -> PyResult<()> {
        let names = self.names.as_deref();
        self.containers.iter().try_for_each(|container| container.check(py, names))
    }

    /// The containers and what they held, for a copy.
    pub(super) fn containers<'py>(&self, py: Python<'py>) -> PyResult<Vec<Handed<'py>>> {
        memory::all(self.containers.len(), self.containers.iter().map(|known| known.parts(py)))
    }
}
