//! What one optimizer's lock protects: the optimizer, and what Python knows of it.

use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::caller::Caller;
use super::container::{Container, Handed};
use super::group::Group;
use super::keys::Keys;
use super::memory;
use super::missing::Missing;
use super::owner::Owner;
use super::python_arrays::PythonArrays;
use super::raw;
use super::settings::Settings;
use crate::number::Kind;
use crate::optimizer::{Norm, Optimizer, Prepared, Slot};

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
    /// Of parameters that come one by one.
    pub(super) keys: Option<Keys>,
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
            keys: None,
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
        std::mem::swap(&mut self.keys, &mut other.keys);
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
        self.keys.iter().try_for_each(|keys| keys.traverse(visit))?;
        self.pending.iter().try_for_each(|pending| visit.call(pending))
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
