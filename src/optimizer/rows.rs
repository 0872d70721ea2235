//! A gradient that only some rows of its parameter have.

use std::sync::Arc;

use super::header::{Axes, Header, Place};
use super::holder::Holder;
use super::refusal::{Looks, Named, Refusal, Stop, Which};
use super::slot::Slot;
use crate::engine::{Added, Occurrences, RowValues, View, threads};

/// The values are read and added up when the gradient is looked at: what becomes of their array later
/// is of no interest, nor what it overlaps.
pub struct Rows<H: Holder> {
    pub occurrences: Arc<Occurrences>,
    pub values: AddedUp<H>,
}

/// The values of each row that occurs, in ascending order of the rows, in the compute type, in C order.
pub enum AddedUp<H: Holder> {
    OnHost(Added),
    /// In the array that the part holds as its gradient.
    Elsewhere(H::Header),
}

impl<H: Holder> Rows<H> {
    /// Checks that the parameter has these rows, and adds their values up: a gradient that is not in host
    /// memory is another array then.
    pub(super) fn of(
        caller: H::Caller<'_>,
        slot: &Slot<H>,
        i: usize,
        occurrences: Arc<Occurrences>,
        gradient: &mut H::Held,
    ) -> Result<Self, Stop<H::Error>> {
        let header = H::read(caller, gradient, Named::Gradient(i)).map_err(Stop::Holder)?;
        check_place(i, &header, &slot.header)?;
        let [count, row @ ..] = &slot.header.shape[..] else {
            return Err(Refusal::NoRows(i).into());
        };
        let mut wanted = Looks::of(&slot.header);
        wanted.shape = Axes::from_slice(&[occurrences.count() as isize]);
        wanted.shape.extend_from_slice(row);
        if header.shape != wanted.shape {
            let found = Looks::of(&header);
            return Err(Refusal::looks(Which::Gradient(i), found, wanted).into());
        }
        let (last, rows) = (occurrences.rows().last(), count.unsigned_abs());
        if let Some(&found) = last.filter(|last| **last >= rows) {
            return Err(Refusal::NoSuchRow { gradient: i, found, rows }.into());
        }
        let precision = slot.header.precision();
        let values = if let Place::Device(device) = header.place {
            let added = H::add_rows(caller, gradient, device, &occurrences, precision);
            let header;
            (*gradient, header) = added.map_err(Stop::Holder)?;
            AddedUp::Elsewhere(header)
        } else {
            let values = RowValues { occurrences: &occurrences, values: header.view(), precision };
            let (bytes, threads) = (values.bytes(), threads::count());
            // SAFETY: the header was just read and the gradient is held; another thread that resizes or
            // writes it meanwhile is as unsafe as it is with NumPy itself.
            AddedUp::OnHost(H::detached(caller, bytes, || unsafe { values.add(threads) })?)
        };
        Ok(Rows { occurrences, values })
    }

    /// The values as an array of their own, beside a parameter of this header.
    pub(super) fn view(&self, parameter: &Header) -> View {
        match &self.values {
            AddedUp::OnHost(added) => {
                let mut view = parameter.view_at(added.bytes().as_ptr() as usize, added.kind());
                view.shape[0] = self.occurrences.rows().len();
                view
            }
            AddedUp::Elsewhere(header) => header.view(),
        }
    }
}

/// Refuses a gradient that is in another place than its parameter.
pub(super) fn check_place(i: usize, gradient: &Header, parameter: &Header) -> Result<(), Refusal> {
    let (found, wanted) = (gradient.place, parameter.place);
    // Nobody knows which device an empty array of another library is on.
    let nowhere = found != Place::Host && wanted != Place::Host && gradient.len() == 0;
    match found == wanted || nowhere {
        true => Ok(()),
        false => Err(Refusal::Place { which: Which::Gradient(i), found, wanted }),
    }
}
