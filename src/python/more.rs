//! Names that come later: a dict with more parameters than an unbound optimizer has had so far.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::array::Array;
use super::calling;
use super::core::{Core, started};
use super::gradients;
use super::inner::Way;
use super::memory;
use super::scaling::Scaling;
use super::step::{Done, has_been};
use super::structure::Structure;
use super::words::{ARRAY, Label};
use crate::optimizer::Named;

impl Core {
    /// One step of all parameters in a dict of which some are new: those are registered in a core of
    /// their own, in Python; they are taken over and all are stepped here, or all is left as it was.
    /// `old`: where the parameters' values are to be taken from. None, and nothing done, if it is no
    /// such dict.
    pub(super) fn step_with_more<'py>(
        slf: &Bound<'py, Self>,
        params: &Bound<'py, PyAny>,
        grads: &Bound<'py, PyAny>,
        scaling: Scaling,
        (way, old): (Way, Option<&Bound<'py, PyAny>>),
    ) -> PyResult<Option<Done>> {
        let (py, core) = (slf.py(), slf.get());
        let skip = started(&mut core.inner.lock(py)?)?.settings.skips_missing;
        let registered = calling::method(slf.as_any(), "_register_more", (params,))?;
        if registered.is_none() {
            return Ok(None);
        }
        let (theirs, names): (Bound<'py, Core>, Vec<Py<PyString>>) = registered.extract()?;
        let listed = |given: &Bound<'py, PyAny>| {
            memory::all(
                names.len(),
                names.iter().enumerate().map(|(i, name)| {
                    let label = Label { py, names: Some(&names), named: Named::Parameter(i) };
                    Array::plain(&given.get_item(name)?, &label, ARRAY)
                }),
            )
        };
        let (arrays, sources) = (listed(params)?, old.map(listed).transpose()?);
        let like = PyDict::new(py);
        for name in &names {
            like.set_item(name, 0)?;
        }
        let mut structure = Some(Structure::new(&like)?);
        let likes = [like.into_any().unbind()];
        let grads = gradients::read((Some(&names), &likes), grads, skip, |_| true)?;
        let mut first = theirs.get().contents(py)?;
        let mut locked = core.inner.lock(py)?;
        let inner = started(&mut locked)?;
        inner.check_way(way)?;
        let known = inner.slots().len();
        let same = |(one, other): (&Py<PyString>, &Py<PyString>)| one.is(other);
        let has = inner.names.as_ref().is_some_and(|has| has.iter().zip(&names).all(same));
        if !has || known + first.slots().len() != names.len() {
            return Ok(None); // another thread was first
        }
        inner.absorb(py, &mut first, &mut structure)?;
        let taken = match way {
            Way::Anew => inner.take_new(arrays, sources),
            Way::InPlace | Way::OneByOne => inner.take(py, arrays),
        };
        let done = taken.and_then(|()| inner.step(py, grads, scaling));
        inner.release();
        if !has_been(&done) {
            inner.give_back(known, &mut first, &mut structure);
        }
        drop(locked); // before what is left is dropped
        done.map(Some)
    }
}
