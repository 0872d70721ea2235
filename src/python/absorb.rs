//! Parameters that come to an unbound optimizer when it has some.

use pyo3::prelude::*;

use super::inner::Inner;
use super::owner::Owner;
use super::structure::Structure;
use crate::engine::OutOfMemory;

impl Inner {
    /// Takes over the parameters of another, after its own; they can be given back. `structure`: of all
    /// of them together, where they come together; what was there is in its place then.
    pub(super) fn absorb(
        &mut self,
        py: Python<'_>,
        other: &mut Inner,
        structure: &mut Option<Structure>,
    ) -> PyResult<()> {
        let known = self.slots().len();
        if known == 0 {
            self.exchange_parameters(other);
            return Ok(());
        }
        self.owners.try_reserve(other.owners.len()).map_err(OutOfMemory::from)?;
        if let (Some(names), Some(theirs)) = (&mut self.names, &mut other.names) {
            names.try_reserve(theirs.len()).map_err(OutOfMemory::from)?;
            names.append(theirs); // first, so that errors can tell
        }
        let owners = std::mem::take(&mut self.owners);
        let alive = |i: usize| owners[i].as_ref().is_none_or(|owner| Owner::is_alive(owner, py));
        let (caller, optimizer) = self.called(py);
        let appended = optimizer.append(&mut other.optimizer, alive);
        let appended = appended.map_err(|refusal| caller.refused(refusal));
        self.owners = owners;
        if appended.is_err() {
            self.give_names_back(known, other);
            return appended;
        }
        self.owners.append(&mut other.owners);
        self.resize_group(structure);
        Ok(())
    }

    /// Gives back the parameters from number `known` on.
    pub(super) fn give_back(
        &mut self,
        known: usize,
        other: &mut Inner,
        structure: &mut Option<Structure>,
    ) {
        if known == 0 {
            self.exchange_parameters(other);
            return;
        }
        // Everything into the room that it came from.
        self.give_names_back(known, other);
        other.owners.extend(self.owners.drain(known..));
        self.optimizer.detach(known, &mut other.optimizer);
        self.resize_group(structure);
    }

    /// But for keys, which are not of the other.
    fn exchange_parameters(&mut self, other: &mut Inner) {
        self.exchange(other);
        std::mem::swap(&mut self.keys, &mut other.keys);
    }

    fn give_names_back(&mut self, known: usize, other: &mut Inner) {
        if let (Some(names), Some(theirs)) = (&mut self.names, &mut other.names) {
            theirs.extend(names.drain(known..));
        }
    }

    /// Unbound optimizers have one group.
    fn resize_group(&mut self, structure: &mut Option<Structure>) {
        let end = self.slots().len();
        if let [group] = &mut self.groups[..] {
            group.slots.end = end;
            if structure.is_some() {
                std::mem::swap(&mut group.structure, structure);
            }
        }
    }
}
