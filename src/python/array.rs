//! NumPy arrays by their headers: pointer, type, shape, strides and flags, read and checked here
//! and nowhere else.
//!
//! A step compares every header with what it was; that is most of a small step's time. So shapes
//! and strides up to four axes lie inside the header, and a C-contiguous array's strides, which
//! follow from its shape and flags, are not compared.

use std::ops::Range;
use std::sync::atomic::{AtomicI32, Ordering};

use numpy::npyffi::{
    NPY_ARRAY_ALIGNED, NPY_ARRAY_C_CONTIGUOUS, NPY_ARRAY_WRITEABLE, NPY_TYPES, PyArrayObject_fields,
};
use numpy::{PyArrayDescr, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::{PyTypeInfo, ffi};
use smallvec::SmallVec;

use crate::engine::{Precision, View};
use crate::number::{Format, Kind};

pub(super) type Array<'py> = Bound<'py, PyUntypedArray>;

const IN_PLACE: i32 = NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED;

type Axes = SmallVec<[isize; 4]>;

/// What an array was when it was last checked.
#[derive(Debug)]
pub(super) struct Header {
    data: usize,
    /// Held, so that no other descriptor can come to lie at its address.
    descr: Py<PyArrayDescr>,
    flags: i32,
    pub(super) shape: Axes,
    strides: Axes,
    pub(super) format: Format,
    len: usize,
}

/// The object as an array if it is just that, no subclass; else the object. `ndarray` is the type,
/// looked up once for many.
#[inline]
pub(super) fn exactly<'py>(
    object: Bound<'py, PyAny>,
    ndarray: *mut ffi::PyTypeObject,
) -> Result<Array<'py>, Bound<'py, PyAny>> {
    if object.get_type_ptr() == ndarray {
        // SAFETY: its type was just compared.
        Ok(unsafe { object.cast_into_unchecked() })
    } else {
        Err(object)
    }
}

pub(super) fn ndarray(py: Python<'_>) -> *mut ffi::PyTypeObject {
    PyUntypedArray::type_object_raw(py)
}

#[inline]
fn fields<'a>(array: &'a Array<'_>) -> &'a PyArrayObject_fields {
    // SAFETY: the reference keeps the array alive, and the interpreter is held: nobody changes it.
    unsafe { &(*array.as_array_ptr()).fields }
}

#[inline]
fn axes(fields: &PyArrayObject_fields) -> (&[isize], &[isize]) {
    match usize::try_from(fields.nd) {
        Ok(0) | Err(_) => (&[], &[]),
        // SAFETY: NumPy keeps `nd` values at both pointers.
        Ok(nd) => unsafe {
            (
                std::slice::from_raw_parts(fields.dimensions, nd),
                std::slice::from_raw_parts(fields.strides, nd),
            )
        },
    }
}

/// Shapes or strides; for the few values that they are, a loop beats a call of memcmp.
#[inline]
fn equal(a: &[isize], b: &[isize]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b)
}

/// How the elements are stored, None for a type that the engine does not know.
fn format(array: &Array<'_>) -> Option<Format> {
    // SAFETY: an array always has a descriptor.
    let descr = unsafe { &(*fields(array).descr).fields };
    let kind = match descr.type_num {
        n if n == NPY_TYPES::NPY_HALF as i32 => Kind::F16,
        n if n == NPY_TYPES::NPY_FLOAT as i32 => Kind::F32,
        n if n == NPY_TYPES::NPY_DOUBLE as i32 => Kind::F64,
        n if is_bfloat16(array, n) => Kind::BF16,
        _ => return None,
    };
    let foreign = if cfg!(target_endian = "little") { b'>' } else { b'<' };
    Some(Format { kind, swapped: descr.byteorder as u8 == foreign })
}

/// Whether this type number is that of `ml_dtypes.bfloat16`, which it gets when it is imported.
fn is_bfloat16(array: &Array<'_>, type_num: i32) -> bool {
    static KNOWN: AtomicI32 = AtomicI32::new(-1);
    if KNOWN.load(Ordering::Relaxed) == type_num {
        return true;
    }
    let is = |name: &str, wanted: &str| {
        let found = array.dtype().getattr("type").and_then(|scalar| scalar.getattr(name));
        found.is_ok_and(|found| found.extract::<String>().is_ok_and(|found| found == wanted))
    };
    let found = type_num >= 0 && is("__name__", "bfloat16") && is("__module__", "ml_dtypes");
    if found {
        KNOWN.store(type_num, Ordering::Relaxed);
    }
    found
}

pub(super) fn dtype_name(array: &Array<'_>) -> String {
    array.dtype().str().map_or_else(|_| "?".to_owned(), |name| name.to_string())
}

/// A shape as Python writes it.
pub(super) fn shape_text(shape: &[isize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        many => format!("({})", many.iter().map(isize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

impl Header {
    fn read(array: &Array<'_>, format: Format) -> Self {
        let fields = fields(array);
        let (shape, strides) = axes(fields);
        Header {
            data: fields.data as usize,
            descr: array.dtype().unbind(),
            flags: fields.flags,
            shape: Axes::from_slice(shape),
            strides: Axes::from_slice(strides),
            format,
            len: shape.iter().map(|n| n.unsigned_abs()).product(),
        }
    }

    /// The header of an array that we are to write.
    pub(super) fn of_written(array: &Array<'_>, label: &str) -> PyResult<Self> {
        let Some(format) = format(array) else {
            return Err(PyTypeError::new_err(format!(
                "{label} has dtype {}; parameters must be float32 or float64 (or float16 or \
                 bfloat16)",
                dtype_name(array)
            )));
        };
        let header = Header::read(array, format);
        header.check_writable(label)?;
        Ok(header)
    }

    /// Refuses an array that cannot be updated where it lies.
    pub(super) fn check_writable(&self, label: &str) -> PyResult<()> {
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
    pub(super) fn of_gradient(array: &Array<'_>, label: &str) -> PyResult<Self> {
        match format(array) {
            Some(format) => Ok(Header::read(array, format)),
            None => Err(PyTypeError::new_err(format!(
                "the gradient of {label} has dtype {}; wanted float16, bfloat16, float32 or \
                 float64",
                dtype_name(array)
            ))),
        }
    }

    /// Whether the array is still what it was.
    #[inline]
    pub(super) fn matches(&self, array: &Array<'_>) -> bool {
        let now = fields(array);
        let (shape, strides) = axes(now);
        self.data == now.data as usize
            && self.is_of(now)
            && self.flags == now.flags
            && equal(&self.shape, shape)
            && (self.flags & NPY_ARRAY_C_CONTIGUOUS != 0 || equal(&self.strides, strides))
    }

    #[inline]
    fn is_of(&self, now: &PyArrayObject_fields) -> bool {
        self.descr.as_ptr() == now.descr.cast()
    }

    /// Whether the array lies where this one lay, as a fresh view of the same memory does.
    pub(super) fn same_memory(&self, array: &Array<'_>) -> bool {
        let now = fields(array);
        self.data == now.data as usize && axes(now) == (&self.shape, &self.strides)
    }

    /// The address and type of a gradient that can run in place beside this parameter: of its
    /// shape, both in C order without gaps, in the machine's byte order.
    #[inline]
    pub(super) fn beside(&self, gradient: &Array<'_>) -> Option<(usize, Kind)> {
        let g = fields(gradient);
        if self.flags & g.flags & IN_PLACE != IN_PLACE || !equal(axes(g).0, &self.shape) {
            return None;
        }
        let format = if self.is_of(g) { self.format } else { format(gradient)? };
        (!self.format.swapped && !format.swapped).then_some((g.data as usize, format.kind))
    }

    pub(super) fn runs_in_place(&self) -> bool {
        self.flags & IN_PLACE == IN_PLACE && !self.format.swapped
    }

    pub(super) fn precision(&self) -> Precision {
        Precision::of(self.format.kind)
    }

    pub(super) fn pointer(&self) -> *mut u8 {
        self.data as *mut u8
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn view(&self) -> View {
        View {
            data: self.pointer(),
            format: self.format,
            shape: self.shape.iter().map(|n| n.unsigned_abs()).collect(),
            strides: self.strides.to_vec(),
        }
    }

    /// An array of this shape in C order, from `data` on.
    pub(super) fn view_at(&self, data: usize, kind: Kind) -> View {
        let mut view = View { data: data as *mut u8, format: Format::native(kind), ..self.view() };
        let mut stride = kind.size() as isize;
        for (place, n) in view.strides.iter_mut().zip(&view.shape).rev() {
            *place = stride;
            stride *= *n as isize;
        }
        view
    }

    /// The bytes of as many elements of `kind`, from `data` on without gaps.
    pub(super) fn range_from(&self, data: usize, kind: Kind) -> Range<usize> {
        data..data + self.len * kind.size()
    }
}

/// An array that is nothing but memory: neither masked nor a matrix.
pub(super) fn plain<'py>(
    array: &Bound<'py, PyAny>,
    label: &str,
    wanted: &str,
) -> PyResult<Array<'py>> {
    let numpy = array.py().import(pyo3::intern!(array.py(), "numpy"))?;
    let found = array.cast::<PyUntypedArray>();
    if let Ok(found) = found
        && !found.is_instance(&numpy.getattr("ma")?.getattr("MaskedArray")?)?
        && !found.is_instance(&numpy.getattr("matrix")?)?
    {
        return Ok(found.clone());
    }
    Err(PyTypeError::new_err(format!("{label} is a {}; {wanted}", array.get_type().name()?)))
}

/// Whether two arrays have a byte in common; extents that interleave need not.
pub(super) fn shares_memory(a: &Array<'_>, b: &Array<'_>) -> PyResult<bool> {
    let numpy = a.py().import(pyo3::intern!(a.py(), "numpy"))?;
    numpy.call_method1(pyo3::intern!(a.py(), "shares_memory"), (a, b))?.extract()
}
