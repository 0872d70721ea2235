//! Steps of one parameter at a time, each known by a key of its own.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::array::{Array, exactly, ndarray};
use super::calling;
use super::core::{Core, started};
use super::given::Given;
use super::inner::{Inner, Way};
use super::keys::Keys;
use super::parameters::check_memory;
use super::scaling::Scaling;
use super::step::{Done, done, has_been};
use super::words::{ARRAY, Label, must_be};
use crate::optimizer::Named;

/// What a key's parameter is called in errors and in what is saved.
fn name_of<'py>(key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    match key.cast_exact::<PyString>() {
        Ok(name) => Ok(name.clone()),
        Err(_) => in_python(key, "name_of"),
    }
}

/// The key as it is kept, made of Python's own str, int and tuple where it equals such a one.
fn plain<'py>(key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match key.is_exact_instance_of::<PyString>() {
        true => Ok(key.clone()),
        false => in_python(key, "plain"),
    }
}

fn in_python<'py, T>(key: &Bound<'py, PyAny>, name: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
{
    let keys = key.py().import(intern!(key.py(), "ferrostep.keys"))?;
    calling::method(&keys, name, (key,))?.extract().map_err(Into::into)
}

#[cold]
fn unhashable(key: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    let py = key.py();
    let hash = key.get_type().getattr(intern!(py, "__hash__"));
    if !hash.is_ok_and(|hash| hash.is_none()) && key.cast::<PyTuple>().is_err() {
        return error; // its own
    }
    let wanted = "one that a dict can have, such as a str, an int or a tuple of these";
    let refused = PyTypeError::new_err(must_be("the key", wanted, key));
    refused.set_cause(py, Some(error));
    refused
}

/// A parameter and its gradient.
type Pair<'py> = (Array<'py>, Option<Given<'py>>);

/// The two as they are, if that needs no Python code.
#[inline]
fn plain_pair<'py>(param: &Bound<'py, PyAny>, grad: &Bound<'py, PyAny>) -> Option<Pair<'py>> {
    let ndarray = ndarray(param.py());
    let param = exactly(param.clone(), ndarray).ok()?;
    Some((Array::Host(param), Given::plain(grad.clone(), ndarray).ok()?))
}

/// The two as arrays.
fn read<'py>(
    key: &Bound<'py, PyAny>,
    param: &Bound<'py, PyAny>,
    grad: &Bound<'py, PyAny>,
) -> PyResult<Pair<'py>> {
    if let Some(plain) = plain_pair(param, grad) {
        return Ok(plain);
    }
    let py = key.py();
    let names = [name_of(key)?.unbind()];
    let label = Label { py, names: Some(&names), named: Named::Parameter(0) };
    let param = Array::plain(param, &label, ARRAY)?;
    let single = param.object().getattr("ndim")?.extract::<usize>()? == 0;
    let grad = Given::of(grad.clone(), single, || format!("the gradient of {label}"))?;
    Ok((param, grad))
}

impl Core {
    /// One step of the parameter of this key.
    pub(super) fn update_one<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        param: &Bound<'py, PyAny>,
        grad: &Bound<'py, PyAny>,
        scaling: Scaling,
    ) -> PyResult<Done> {
        let (py, core) = (slf.py(), slf.get());
        loop {
            let mut locked = core.inner.lock(py)?;
            let inner = started(&mut locked)?;
            if !inner.unbound {
                return Err(PyValueError::new_err(
                    "this optimizer is bound to its parameters; use step(), or make it without \
                     params for update_one()",
                ));
            }
            inner.check_way(Way::OneByOne)?;
            if let Some((param, grad)) = plain_pair(param, grad)
                && let Some(number) = inner.keys.as_mut().and_then(|keys| keys.next(key))
            {
                return inner.take_one(py, number, param, grad, scaling);
            }
            let numbers = inner.numbers(py)?;
            drop(locked);
            // To look a key up may run Python code.
            let number = numbers.bind(py).get_item(key).map_err(|error| unhashable(key, error))?;
            let (param, grad) = match &number {
                Some(_) => read(key, param, grad)?,
                None => match core.first_of(slf, &numbers, (key, param, grad), scaling)? {
                    Some(done) => return Ok(done),
                    None => continue, // another thread was first
                },
            };
            let number = number.map_or(Ok(0), |number| number.extract::<usize>())?;
            let mut locked = core.inner.lock(py)?;
            let inner = started(&mut locked)?;
            if let Some(keys) = inner.keys_of(&numbers) {
                keys.found(number);
                inner.check_way(Way::OneByOne)?;
                return inner.take_one(py, number, param, grad, scaling);
            }
        }
    }

    /// The first step of a key. Its parameter, and the state that was loaded for it, are registered in
    /// a core of their own, in Python; they are taken over and stepped here, or all is left as it was.
    /// None, and nothing done, if something has come in between.
    fn first_of<'py>(
        &self,
        slf: &Bound<'py, Self>,
        numbers: &Py<PyDict>,
        (key, param, grad): (&Bound<'py, PyAny>, &Bound<'py, PyAny>, &Bound<'py, PyAny>),
        scaling: Scaling,
    ) -> PyResult<Option<Done>> {
        let py = slf.py();
        let key = &plain(key)?;
        let name = name_of(key)?;
        let registered = calling::method(slf.as_any(), "_register_key", (&name, param))?;
        type Registered<'py> = (Bound<'py, Core>, Option<Py<PyAny>>, Option<Py<PyAny>>);
        let (theirs, pending, mut left): Registered<'_> = registered.extract()?;
        let mut first = theirs.get().contents(py)?;
        let single = first.slots().iter().all(|slot| slot.header.shape.is_empty());
        let names = [name.unbind()];
        let label = Label { py, names: Some(&names), named: Named::Gradient(0) };
        let grad = Given::of(grad.clone(), single, || label.to_string())?;
        let more = numbers.bind(py).copy()?;
        more.set_item(key, more.len())?;
        let mut locked = self.inner.lock(py)?;
        let inner = started(&mut locked)?;
        match inner.keys_of(numbers) {
            Some(keys) => keys.reserve()?,
            None => return Ok(None),
        }
        if !inner.has_pending(pending.as_ref()) {
            return Ok(None);
        }
        let known = inner.slots().len();
        let name = names[0].bind(py).as_any();
        let taken = |known: &Py<PyString>| known.bind(py).as_any().eq(name).unwrap_or(false);
        if inner.names.iter().flatten().any(taken) {
            return Err(PyValueError::new_err(format!(
                "keys must print differently, since state is saved by what they print, found a second \
                 one that prints {name}",
            )));
        }
        inner.absorb(py, &mut first, &mut None)?;
        std::mem::swap(&mut inner.pending, &mut left);
        let keys = inner.keys_of(numbers);
        let before = keys.map(|keys| keys.add(key.clone().unbind(), more.clone().unbind()));
        let mut gone = None;
        let way = inner.way.replace(Way::OneByOne);
        let outcome = inner.step_one(py, known, grad, scaling);
        if !has_been(&outcome) {
            inner.way = way;
            gone = inner.keys.as_mut().zip(before).map(|(keys, before)| keys.give_back(before));
            std::mem::swap(&mut inner.pending, &mut left);
            inner.give_back(known, &mut first, &mut None);
        }
        drop(locked); // before what is left is dropped
        drop(gone);
        outcome.map(Some)
    }
}

impl Inner {
    /// The keys, if these are still their numbers.
    fn keys_of(&mut self, numbers: &Py<PyDict>) -> Option<&mut Keys> {
        self.keys.as_mut().filter(|keys| keys.numbers().is(numbers))
    }

    /// The number of each key's parameter.
    fn numbers(&mut self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        let known = match &self.keys {
            Some(keys) => keys.numbers().clone_ref(py),
            None => {
                let numbers = PyDict::new(py);
                for (i, name) in self.names.iter().flatten().enumerate() {
                    numbers.set_item(name, i)?;
                }
                if numbers.len() != self.slots().len() {
                    return Err(PyValueError::new_err(
                        "parameters that come one by one have names, found some by position; give \
                         init_state() a dict of keys, or call reset() first",
                    ));
                }
                self.keys.insert(Keys::new(numbers)?).numbers().clone_ref(py)
            }
        };
        Ok(known)
    }

    /// Steps a parameter that came with a call.
    fn take_one(
        &mut self,
        py: Python<'_>,
        number: usize,
        param: Array<'_>,
        grad: Option<Given<'_>>,
        scaling: Scaling,
    ) -> PyResult<Done> {
        let label = Label { py, names: self.names.as_deref(), named: Named::Parameter(number) };
        check_memory(&param, &self.slots()[number], self.owners[number].as_ref(), &label)?;
        self.way = Some(Way::OneByOne);
        self.optimizer.set_array(number, Some(param.hold()));
        self.step_one(py, number, grad, scaling)
    }

    /// Steps a parameter as if there were no other, and lets go of its array.
    fn step_one(
        &mut self,
        py: Python<'_>,
        number: usize,
        grad: Option<Given<'_>>,
        scaling: Scaling,
    ) -> PyResult<Done> {
        let outcome = self.check_surroundings(py).and_then(|()| {
            self.check_rows(py, std::slice::from_ref(&grad), number)?;
            let asked = self.asked(scaling, None);
            let (mut caller, optimizer) = self.called(py);
            caller.names = caller.names.map(|names| &names[number..=number]);
            let alone = optimizer.alone(number).map_err(|refusal| caller.refused(refusal));
            let outcome = alone?.step(caller, [grad], &asked);
            outcome.map(|outcome| done(caller, outcome, None)).map_err(|stop| caller.error(stop))
        });
        self.optimizer.set_array(number, None);
        outcome
    }
}
