//! What an array was when it was last looked at, and what of it makes that quick to see: NumPy's
//! flags, and its type as an object. A C-contiguous array's strides, which follow from its shape
//! and flags, are not compared.

use std::fmt::Display;
use std::ops::Deref;
use std::sync::atomic::{AtomicI32, Ordering};

use numpy::npyffi::{NPY_ARRAY_ALIGNED, NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_WRITEABLE, NPY_TYPES};
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;

use super::device;
use super::fields::Fields;
use super::held::{Array, Held};
use super::host::{HostArray, axes, fields};
use super::shape::shape_text;
use crate::number::{Format, Kind};
use crate::optimizer::{Axes, Header, Place};
use crate::python::imported::imported;

const IN_PLACE: i32 = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED;

/// What an array of either kind says of itself.
fn told(array: &Array<'_>) -> PyResult<Fields> {
    let array = match array {
        Array::Host(array) => fields(array),
        Array::Device(array) => return device::fields(array),
    };
    let (shape, strides) = axes(array);
    Ok(Fields {
        place: Place::Host,
        data: array.data as usize,
        flags: array.flags,
        shape: Axes::from_slice(shape),
        strides: Axes::from_slice(strides),
    })
}

/// What an array was when it was last checked.
#[derive(Debug)]
pub(in crate::python) struct Seen {
    header: Header,
    /// Held, so that no other descriptor can come to lie at its address.
    descr: Py<PyArrayDescr>,
    /// With `UNSEEN`, which no array has, they never match.
    flags: i32,
}

impl Deref for Seen {
    type Target = Header;

    #[inline]
    fn deref(&self) -> &Header {
        &self.header
    }
}

/// Of an array that is to be checked when it is used.
const UNSEEN: i32 = 1 << 30;

/// Shapes or strides; for the few values that they are, a loop beats a call of memcmp.
#[inline]
fn equal(a: &[isize], b: &[isize]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b)
}

/// How the elements are stored, None for a type that the engine does not know.
fn format(dtype: &Bound<'_, PyArrayDescr>) -> Option<Format> {
    let kind = match dtype.num() {
        n if n == NPY_TYPES::NPY_HALF as i32 => Kind::F16,
        n if n == NPY_TYPES::NPY_FLOAT as i32 => Kind::F32,
        n if n == NPY_TYPES::NPY_DOUBLE as i32 => Kind::F64,
        _ if is_bfloat16(dtype) => Kind::BF16,
        _ => return None,
    };
    let foreign = if cfg!(target_endian = "little") { b'>' } else { b'<' };
    Some(Format { kind, swapped: dtype.byteorder() == foreign })
}

/// Whether this is `ml_dtypes.bfloat16`, whose type number is given to it when it is imported.
///
/// Only C code can register a type under such a number, and no other type has the same: a class
/// that is made in Python, whatever it is called, is a void of some size. The size is compared
/// because NumPy lets it be set, fields because they tell of other contents.
fn is_bfloat16(dtype: &Bound<'_, PyArrayDescr>) -> bool {
    static KNOWN: AtomicI32 = AtomicI32::new(-1);
    let number = dtype.num();
    if number < NPY_TYPES::NPY_USERDEF as i32
        || dtype.itemsize() != Kind::BF16.size()
        || dtype.has_fields()
    {
        return false;
    }
    if KNOWN.load(Ordering::Relaxed) != number {
        let genuine = imported(dtype.py(), "ml_dtypes", "bfloat16");
        if !genuine.is_ok_and(|genuine| genuine.is_some_and(|class| class.is(dtype.typeobj()))) {
            return false;
        }
        KNOWN.store(number, Ordering::Relaxed);
    }
    true
}

/// What is said of an array of a type that is not computed with, and what makes one that is.
fn no_float(array: &Array<'_>, label: &impl Display, remedy: &str) -> PyErr {
    PyTypeError::new_err(format!(
        "{label} has dtype {}, wanted float16, bfloat16, float32 or float64; write {remedy}",
        array.dtype_name()
    ))
}

impl Seen {
    /// None for a type that the engine does not know.
    fn read(array: &Array<'_>, label: &impl Display) -> PyResult<Option<Self>> {
        let dtype = array.dtype()?;
        let Some(format) = format(&dtype) else { return Ok(None) };
        let Fields { place, data, flags, shape, strides } = told(array)?;
        let odd = format.swapped || !data.is_multiple_of(format.kind.size());
        if place != Place::Host && odd {
            let found = if format.swapped { "in another byte order" } else { "unaligned" };
            return Err(PyValueError::new_err(format!(
                "{label} is {found}, wanted aligned and in native order on a CUDA device; pass a copy"
            )));
        }
        let in_order = flags & IN_PLACE == IN_PLACE;
        let header = Header::new(place, data, format, shape, strides, in_order);
        Ok(Some(Seen { header, descr: dtype.unbind(), flags }))
    }

    /// The header of an array that we are to write.
    pub(in crate::python) fn of_written(array: &Array<'_>, label: &impl Display) -> PyResult<Self> {
        let seen = Seen::of_any(array, label)?;
        seen.check_writable(label)?;
        Ok(seen)
    }

    fn of_any(array: &Array<'_>, label: &impl Display) -> PyResult<Self> {
        let no_float = || no_float(array, label, "np.array(x, dtype=float)");
        Seen::read(array, label)?.ok_or_else(no_float)
    }

    /// The header of an array that comes out of a pickle: it may be read-only there, and is refused
    /// when it is to be written.
    pub(in crate::python) fn of_kept(array: &Array<'_>, label: &impl Display) -> PyResult<Self> {
        let mut seen = Seen::of_any(array, label)?;
        seen.flags |= UNSEEN;
        Ok(seen)
    }

    /// Refuses an array that cannot be updated where it lies.
    pub(in crate::python) fn check_writable(&self, label: &impl Display) -> PyResult<()> {
        if self.flags & NPY_ARRAY_WRITEABLE == 0 {
            return Err(PyValueError::new_err(format!(
                "{label} is read-only, wanted writable to be updated in place; give a writable copy"
            )));
        }
        if self.view().may_overlap_itself() {
            return Err(PyValueError::new_err(format!(
                "{label} overlaps itself in memory (shape {} with strides {}); pass an array whose \
                 elements are distinct",
                shape_text(&self.shape),
                shape_text(&self.strides)
            )));
        }
        Ok(())
    }

    /// The header of an array that is only read: a gradient.
    pub(in crate::python) fn of_read(array: &Array<'_>, label: &impl Display) -> PyResult<Self> {
        Seen::read(array, label)?.ok_or_else(|| no_float(array, label, "g.astype(float)"))
    }

    /// The header of an array that the backend made.
    pub(in crate::python) fn of_copy(array: &Array<'_>) -> PyResult<Self> {
        Seen::of_read(array, &"a copy")
    }

    /// Whether the array is still what it was.
    #[inline]
    pub(in crate::python) fn matches(&self, py: Python<'_>, array: &Held) -> bool {
        match array {
            Held::Host(array) => self.matches_host(array.bind(py)),
            Held::Device(array) => self.matches_device(array.bind(py)),
        }
    }

    #[inline]
    fn matches_host(&self, array: &HostArray<'_>) -> bool {
        let now = fields(array);
        let (shape, strides) = axes(now);
        self.header.data == now.data as usize
            && self.is_of(now.descr.cast())
            && self.flags == now.flags
            && equal(&self.shape, shape)
            && (self.flags & NPY_ARRAY_C_CONTIGUOUS != 0 || equal(&self.strides, strides))
    }

    fn matches_device(&self, array: &Bound<'_, PyAny>) -> bool {
        // What cannot be read is read again, with its error.
        let is_of = |descr| self.is_of(descr);
        self.flags & UNSEEN == 0 && device::matches(self, is_of, array).unwrap_or(false)
    }

    #[inline]
    fn is_of(&self, descr: *mut ffi::PyObject) -> bool {
        self.descr.as_ptr() == descr
    }

    /// Whether the array is one and the same memory seen in the same way.
    pub(in crate::python) fn same_memory(&self, array: &Array<'_>) -> PyResult<bool> {
        let (now, dtype) = (told(array)?, array.dtype()?);
        let same = self.data == now.data && self.shape == now.shape && self.strides == now.strides;
        Ok(same && format(&dtype) == Some(self.format))
    }

    /// The address and type of a gradient that can run in place beside this parameter: of its
    /// shape, both in C order without gaps, in the machine's byte order, in host memory.
    #[inline]
    pub(in crate::python) fn beside(&self, gradient: &HostArray<'_>) -> Option<(usize, Kind)> {
        let g = fields(gradient);
        if self.flags & g.flags & IN_PLACE != IN_PLACE
            || self.place != Place::Host
            || !equal(axes(g).0, &self.shape)
        {
            return None;
        }
        let same = self.is_of(g.descr.cast());
        let format = if same { self.format } else { format(&gradient.dtype())? };
        (!self.format.swapped && !format.swapped).then_some((g.data as usize, format.kind))
    }
}
