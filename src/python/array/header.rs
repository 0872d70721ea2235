//! What an array was when it was last looked at.
//!
//! A step compares every header with what it was; that is most of a small step's time. So shapes
//! and strides up to four axes lie inside the header, and a C-contiguous array's strides, which
//! follow from its shape and flags, are not compared.

use std::ops::Range;
use std::sync::atomic::{AtomicI32, Ordering};

use numpy::npyffi::{NPY_ARRAY_ALIGNED, NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_WRITEABLE, NPY_TYPES};
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use smallvec::SmallVec;

use super::host::{axes, fields};
use super::{Array, Held, HostArray, Place, device, shape_text};
use crate::engine::{Region, View, share_bytes};
use crate::number::{Format, Kind, Precision};
use crate::python::imported::imported;

const IN_PLACE: i32 = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED;

pub(super) type Axes = SmallVec<[isize; 4]>;

/// What an array says of itself, but for its type.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) place: Place,
    pub(super) data: usize,
    pub(super) flags: i32,
    pub(super) shape: Axes,
    pub(super) strides: Axes,
}

impl Fields {
    fn of(array: &Array<'_>) -> PyResult<Self> {
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
}

/// What an array was when it was last checked.
#[derive(Debug)]
pub(in crate::python) struct Header {
    pub(in crate::python) place: Place,
    data: usize,
    /// Held, so that no other descriptor can come to lie at its address.
    descr: Py<PyArrayDescr>,
    /// With `UNSEEN`, which no array has, they never match.
    flags: i32,
    pub(in crate::python) shape: Axes,
    strides: Axes,
    pub(in crate::python) format: Format,
    len: usize,
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

impl Header {
    /// None for a type that the engine does not know.
    fn read(array: &Array<'_>, label: impl Fn() -> String) -> PyResult<Option<Self>> {
        let dtype = array.dtype()?;
        let Some(format) = format(&dtype) else { return Ok(None) };
        let Fields { place, data, flags, shape, strides } = Fields::of(array)?;
        let odd = format.swapped || !data.is_multiple_of(format.kind.size());
        if place != Place::Host && odd {
            return Err(PyValueError::new_err(format!(
                "{} is in another byte order or unaligned, which CUDA devices cannot read",
                label()
            )));
        }
        let len = shape.iter().map(|n| n.unsigned_abs()).product();
        let descr = dtype.unbind();
        Ok(Some(Header { place, data, descr, flags, shape, strides, format, len }))
    }

    /// The header of an array that we are to write.
    pub(in crate::python) fn of_written(array: &Array<'_>, label: &str) -> PyResult<Self> {
        let header = Header::of_any(array, label)?;
        header.check_writable(label)?;
        Ok(header)
    }

    fn of_any(array: &Array<'_>, label: &str) -> PyResult<Self> {
        Header::read(array, || label.to_owned())?.ok_or_else(|| {
            PyTypeError::new_err(format!(
                "{label} has dtype {}; parameters must be float32 or float64 (or float16 or \
                 bfloat16): np.array(x, dtype=float)",
                array.dtype_name()
            ))
        })
    }

    /// The header of an array that comes out of a pickle: it may be read-only there, and is refused
    /// when it is to be written.
    pub(in crate::python) fn of_kept(array: &Array<'_>, label: &str) -> PyResult<Self> {
        let mut header = Header::of_any(array, label)?;
        header.flags |= UNSEEN;
        Ok(header)
    }

    /// Refuses an array that cannot be updated where it lies.
    pub(in crate::python) fn check_writable(&self, label: &str) -> PyResult<()> {
        if self.flags & NPY_ARRAY_WRITEABLE == 0 {
            return Err(PyValueError::new_err(format!(
                "{label} is read-only; it must be writable to be updated in place"
            )));
        }
        if self.view().may_overlap_itself() {
            return Err(PyValueError::new_err(format!(
                "{label} overlaps itself in memory: shape {} with strides {}; pass an array whose \
                 elements are distinct",
                shape_text(&self.shape),
                shape_text(&self.strides)
            )));
        }
        Ok(())
    }

    /// The header of a gradient.
    pub(in crate::python) fn of_gradient(array: &Array<'_>, label: &str) -> PyResult<Self> {
        Header::read(array, || format!("the gradient of {label}"))?.ok_or_else(|| {
            PyTypeError::new_err(format!(
                "the gradient of {label} has dtype {}; wanted float16, bfloat16, float32 or \
                 float64, as g.astype(float) makes it",
                array.dtype_name()
            ))
        })
    }

    /// The header of an array that the backend made.
    pub(in crate::python) fn of_copy(array: &Array<'_>) -> PyResult<Self> {
        Header::of_gradient(array, "a copy")
    }

    /// Whether the array is still what it was.
    #[inline]
    pub(in crate::python) fn matches(&self, py: Python<'_>, array: &Held) -> bool {
        match array {
            Held::Host(array) => self.matches_host(array.bind(py)),
            Held::Device(array) => self.matches_device(array.bind(py)),
        }
    }

    /// The same of an array that is not kept.
    pub(in crate::python) fn is_still_of(&self, array: &Array<'_>) -> bool {
        match array {
            Array::Host(array) => self.matches_host(array),
            Array::Device(array) => self.matches_device(array),
        }
    }

    #[inline]
    fn matches_host(&self, array: &HostArray<'_>) -> bool {
        let now = fields(array);
        let (shape, strides) = axes(now);
        self.data == now.data as usize
            && self.is_of(now.descr.cast())
            && self.flags == now.flags
            && equal(&self.shape, shape)
            && (self.flags & NPY_ARRAY_C_CONTIGUOUS != 0 || equal(&self.strides, strides))
    }

    fn matches_device(&self, array: &Bound<'_, PyAny>) -> bool {
        // What cannot be read is read again, with its error.
        self.flags & UNSEEN == 0 && device::matches(self, array).unwrap_or(false)
    }

    #[inline]
    pub(super) fn is_of(&self, descr: *mut ffi::PyObject) -> bool {
        self.descr.as_ptr() == descr
    }

    /// Whether the array is one and the same memory seen in the same way.
    pub(in crate::python) fn same_memory(&self, array: &Array<'_>) -> PyResult<bool> {
        let (now, dtype) = (Fields::of(array)?, array.dtype()?);
        let same = self.data == now.data && self.shape == now.shape && self.strides == now.strides;
        Ok(same && format(&dtype) == Some(self.format))
    }

    fn region(&self) -> Region<impl Iterator<Item = (usize, isize)> + Clone + '_> {
        let lengths = self.shape.iter().map(|n| n.unsigned_abs());
        let axes = lengths.zip(self.strides.iter().copied());
        Region { data: self.data, size: self.format.kind.size(), axes }
    }

    /// Whether two arrays have a byte in common. Host and device addresses are of one space.
    pub(in crate::python) fn shares_memory(&self, other: &Self) -> bool {
        share_bytes(self.region(), other.region())
    }

    /// The same of a gradient's view.
    pub(in crate::python) fn shares(&self, other: &View) -> bool {
        share_bytes(self.region(), other.region())
    }

    /// The addresses between the first and the last byte; None for an empty array.
    pub(in crate::python) fn extent(&self) -> Option<Range<usize>> {
        self.view().extent()
    }

    /// The address and type of a gradient that can run in place beside this parameter: of its
    /// shape, both in C order without gaps, in the machine's byte order, in host memory.
    #[inline]
    pub(in crate::python) fn beside(&self, gradient: &Array<'_>) -> Option<(usize, Kind)> {
        let Array::Host(gradient) = gradient else { return None };
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

    pub(in crate::python) fn runs_in_place(&self) -> bool {
        self.flags & IN_PLACE == IN_PLACE && !self.format.swapped
    }

    pub(in crate::python) fn precision(&self) -> Precision {
        Precision::of(self.format.kind)
    }

    pub(in crate::python) fn pointer(&self) -> *mut u8 {
        self.data as *mut u8
    }

    /// The lowest address of an element.
    pub(in crate::python) fn lowest(&self) -> usize {
        if self.runs_in_place() { self.data } else { self.view().lowest() as usize }
    }

    pub(in crate::python) fn len(&self) -> usize {
        self.len
    }

    pub(in crate::python) fn view(&self) -> View {
        View {
            data: self.pointer(),
            format: self.format,
            shape: self.shape.iter().map(|n| n.unsigned_abs()).collect(),
            strides: self.strides.iter().copied().collect(),
        }
    }

    /// An array of this shape in C order, from `data` on.
    pub(in crate::python) fn view_at(&self, data: usize, kind: Kind) -> View {
        let mut view = View { data: data as *mut u8, format: Format::native(kind), ..self.view() };
        let mut stride = kind.size() as isize;
        for (place, n) in view.strides.iter_mut().zip(&view.shape).rev() {
            *place = stride;
            stride *= *n as isize;
        }
        view
    }

    /// The bytes of as many elements of `kind`, from `data` on without gaps.
    pub(in crate::python) fn range_from(&self, data: usize, kind: Kind) -> Range<usize> {
        data..data + self.len * kind.size()
    }
}
