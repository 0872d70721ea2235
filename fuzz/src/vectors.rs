//! The targets' arrays as an optimizer holds them, and factories of state that do what users' do.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use ferrostep::engine::{Added, Occurrences, RowValues};
use ferrostep::number::{Format, Kind, Precision};
use ferrostep::optimizer::{Axes, Header, Holder, Named, Optimizer, Place};

use super::arrays::Array;
use super::device::Device;

pub type Trained = Optimizer<Vectors>;

pub struct Vectors;

/// An array that several hold: the optimizer, and who wants to see what becomes of it.
#[derive(Clone)]
pub struct Held(Rc<RefCell<Array>>, Place, Option<Arc<Occurrences>>);

impl Held {
    pub fn new(array: Array) -> Self {
        Held::at(Place::Host, array)
    }

    /// Memory of this machine all the same: what is said to be a device's is left to `Device`.
    pub fn at(place: Place, array: Array) -> Self {
        Held(Rc::new(RefCell::new(array)), place, None)
    }

    /// A gradient of these rows alone, this one the values.
    pub fn of_rows(self, indices: &[usize]) -> Self {
        Held(self.0, self.1, Some(Arc::new(Occurrences::of(indices).unwrap())))
    }

    pub fn rows(&self) -> Option<&Occurrences> {
        self.2.as_deref()
    }

    pub fn array(&self) -> Array {
        self.0.borrow().clone()
    }

    /// Puts another array into the object: it lies elsewhere then.
    pub fn replace(&self, array: Array) {
        self.0.replace(array);
    }

    /// Writes every element where it lies.
    pub fn write(&self, value: impl Fn(usize) -> f64) {
        let mut array = self.0.borrow_mut();
        (0..array.len()).for_each(|i| array.set_value(i, value(i)));
    }

    pub fn header(&self) -> Header {
        let mut array = self.0.borrow_mut();
        let (data, size) = (array.address(), array.format.kind.size());
        let shape: Axes = array.shape.iter().map(|n| *n as isize).collect();
        let strides: Axes = array.strides.iter().copied().collect();
        let mut span = size as isize;
        let mut in_order = data.is_multiple_of(size);
        for (n, stride) in shape.iter().zip(&strides).rev() {
            in_order &= *n == 1 || *stride == span;
            span *= n;
        }
        Header::new(self.1, data, array.format, shape, strides, in_order)
    }
}

#[derive(Debug)]
pub struct Seen(Header);

impl Deref for Seen {
    type Target = Header;

    fn deref(&self) -> &Header {
        &self.0
    }
}

/// What the holder of vectors refuses.
#[derive(Debug, PartialEq)]
pub enum Said {
    /// The factory has failed.
    NoState,
    OverlapsItself,
    /// The device has.
    Fault,
}

/// What a factory does at one of its calls.
pub enum Prank {
    Fail,
    /// It makes something else.
    Make(Array),
    /// It makes this, which it has kept.
    Give(Held),
    /// It puts another array into an object first.
    Replace(Held, Array),
}

/// A call, with who makes state.
pub struct Call {
    /// What the factory is run by.
    pub run: fn(&mut dyn FnMut()),
    pub made: Cell<usize>,
    /// At the call of this number.
    pub prank: Option<(usize, Prank)>,
    pub shared: bool,
    /// What runs the arrays that do not lie in host memory.
    pub device: Device,
}

impl Default for Call {
    fn default() -> Self {
        Call {
            run: |make| make(),
            made: Cell::new(0),
            prank: None,
            shared: false,
            device: Device::default(),
        }
    }
}

impl Call {
    fn state(&self, parameter: &Held, kind: Kind) -> Result<Held, Said> {
        let number = self.made.replace(self.made.get() + 1);
        let shape = parameter.0.borrow().shape.clone();
        match &self.prank {
            Some((at, prank)) if *at == number => match prank {
                Prank::Fail => Err(Said::NoState),
                Prank::Make(array) => Ok(Held::at(parameter.1, array.clone())),
                Prank::Give(held) => Ok(held.clone()),
                Prank::Replace(held, array) => {
                    held.replace(array.clone());
                    Ok(Held::at(parameter.1, fresh(&shape, kind)))
                }
            },
            _ => Ok(Held::at(parameter.1, fresh(&shape, kind))),
        }
    }
}

fn fresh(shape: &[usize], kind: Kind) -> Array {
    let mut array = Array::plain(shape, Format::native(kind));
    for i in 0..array.len() {
        array.set_value(i, -7.0); // whatever is there
    }
    array
}

// SAFETY: headers are those of vectors that live as long as who holds them, unless they are replaced,
// which their address tells.
unsafe impl Holder for Vectors {
    type Held = Held;
    type Given<'a> = Held;
    type Header = Seen;
    type Caller<'a> = &'a Call;
    type Error = Said;

    fn hold(given: Held) -> Held {
        given
    }

    fn rows(gradient: &Held) -> Option<Arc<Occurrences>> {
        gradient.2.clone()
    }

    fn add_rows(
        _: &Call,
        values: &Held,
        device: i32,
        occurrences: &Occurrences,
        precision: Precision,
    ) -> Result<(Held, Seen), Said> {
        let mut array = values.array();
        let rows = RowValues { occurrences, values: values.header().view(), precision };
        // SAFETY: the vector is live, and nobody writes it meanwhile.
        let added = unsafe { rows.add(1) }.unwrap();
        array.shape[0] = occurrences.rows().len();
        let mut sums = Array::plain(&array.shape, Format::native(added.kind()));
        match added {
            Added::F32(all) => {
                all.iter().enumerate().for_each(|(i, x)| sums.set_value(i, (*x).into()))
            }
            Added::F64(all) => all.iter().enumerate().for_each(|(i, x)| sums.set_value(i, *x)),
        }
        let held = Held::at(Place::Device(device), sums);
        let seen = Seen(held.header());
        Ok((held, seen))
    }

    fn identity(array: &Held) -> usize {
        Rc::as_ptr(&array.0).addr()
    }

    fn is_unchanged(_: &Call, array: &Held, header: &Seen) -> bool {
        let (now, was) = (array.header(), &header.0);
        (now.data, now.format, &now.shape, &now.strides)
            == (was.data, was.format, &was.shape, &was.strides)
    }

    fn written(_: &Call, array: &Held, _: Named<'_>) -> Result<Seen, Said> {
        let header = array.header();
        if header.view().may_overlap_itself() {
            return Err(Said::OverlapsItself);
        }
        Ok(Seen(header))
    }

    fn read(_: &Call, array: &Held, _: Named<'_>) -> Result<Seen, Said> {
        Ok(Seen(array.header()))
    }

    fn beside(call: &Call, parameter: &Seen, gradient: &Held) -> Option<(usize, Kind)> {
        let whole = gradient.rows().is_none();
        Vectors::held_beside(call, parameter, gradient).filter(|_| whole)
    }

    fn held_beside(_: &Call, parameter: &Seen, gradient: &Held) -> Option<(usize, Kind)> {
        let header = gradient.header();
        let both = parameter.runs_in_place()
            && header.runs_in_place()
            && (parameter.place, header.place) == (Place::Host, Place::Host);
        (both && header.shape == parameter.shape).then_some((header.data, header.format.kind))
    }

    /// Nothing that these are of has state of another shape.
    fn make(
        call: &Call,
        _: usize,
        parameter: &Held,
        _: &Axes,
        _: &str,
        kind: Kind,
    ) -> Result<Held, Said> {
        let mut made = Err(Said::NoState);
        (call.run)(&mut || made = call.state(parameter, kind));
        made
    }

    fn makes_shared(call: &Call) -> bool {
        call.shared
    }

    fn detached<T: Send>(_: &Call, _: usize, run: impl FnOnce() -> T + Send) -> T {
        run()
    }
}
