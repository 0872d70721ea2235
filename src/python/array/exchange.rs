//! Tensors of other libraries as NumPy arrays of the same memory, by DLPack's C exchange API (dlpack.h,
//! 1.2): their type tells of it as `__dlpack_c_exchange_api__`, and nothing of it runs Python code.

use std::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};

use numpy::npyffi::{NPY_TYPES, PY_ARRAY_API, PyArrayObject};
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods};

use super::host::{HostArray, axes, fields, ndarray};
use crate::optimizer::Axes;
use crate::python::imported::imported;

const CPU: i32 = 1;
const FLOAT: u8 = 2;
const BFLOAT: u8 = 4;

#[repr(C)]
struct DLTensor {
    data: *mut c_void,
    device: i32,
    device_id: i32,
    ndim: i32,
    code: u8,
    bits: u8,
    lanes: u16,
    shape: *const i64,
    strides: *const i64,
    byte_offset: u64,
}

type FromObject = unsafe extern "C" fn(*mut c_void, *mut DLTensor) -> c_int;

#[repr(C)]
struct DLPackExchangeAPI {
    major: u32,
    minor: u32,
    previous: *const c_void,
    allocator: *const c_void,
    managed_from_object: *const c_void,
    managed_to_object: *const c_void,
    from_object: Option<FromObject>,
    current_stream: *const c_void,
}

/// How the tensors of one type are looked at.
#[derive(Clone, Copy)]
pub(in crate::python) struct Exchange(FromObject);

/// A tensor of a floating type in host memory, as long as nobody gives it other memory.
pub(in crate::python) struct Tensor(DLTensor);

impl Exchange {
    /// None for a type that has no such way.
    pub(in crate::python) fn of(object: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let name = pyo3::intern!(object.py(), "__dlpack_c_exchange_api__");
        let Some(found) = object.get_type().getattr_opt(name)? else { return Ok(None) };
        let Ok(capsule) = found.cast::<PyCapsule>() else { return Ok(None) };
        let api = capsule.pointer_checked(Some(c"dlpack_exchange_api"))?;
        // SAFETY: a capsule of this name holds this struct, for as long as the process lives.
        let api = unsafe { api.cast::<DLPackExchangeAPI>().as_ref() };
        Ok(api.from_object.filter(|_| api.major == 1).map(Exchange))
    }

    /// None for what no NumPy array can show.
    pub(in crate::python) fn read(self, object: &Bound<'_, PyAny>) -> Option<Tensor> {
        let mut read = DLTensor {
            data: ptr::null_mut(),
            device: 0,
            device_id: 0,
            ndim: 0,
            code: 0,
            bits: 0,
            lanes: 0,
            shape: ptr::null(),
            strides: ptr::null(),
            byte_offset: 0,
        };
        // SAFETY: the object is alive, and the function fills in what it is given; of an object that
        // is no such tensor it says so.
        if unsafe { self.0(object.as_ptr().cast(), &mut read) } != 0 {
            drop(PyErr::take(object.py()));
            return None;
        }
        let tensor = Tensor(read);
        (tensor.0.device == CPU && tensor.0.lanes == 1 && tensor.number().is_some())
            .then_some(tensor)
    }
}

impl Tensor {
    /// The type as NumPy numbers it; of bfloat16, which has a number of its own in each process, the
    /// least that it may be.
    fn number(&self) -> Option<c_int> {
        let number = match (self.0.code, self.0.bits) {
            (FLOAT, 16) => NPY_TYPES::NPY_HALF,
            (FLOAT, 32) => NPY_TYPES::NPY_FLOAT,
            (FLOAT, 64) => NPY_TYPES::NPY_DOUBLE,
            (BFLOAT, 16) => NPY_TYPES::NPY_USERDEF,
            _ => return None,
        };
        Some(number as c_int)
    }

    fn lengths(&self, from: *const i64) -> &[i64] {
        match usize::try_from(self.0.ndim) {
            // SAFETY: a tensor keeps `ndim` values at both pointers.
            Ok(n) if n > 0 && !from.is_null() => unsafe { std::slice::from_raw_parts(from, n) },
            _ => &[],
        }
    }

    fn shape(&self) -> &[i64] {
        self.lengths(self.0.shape)
    }

    /// In bytes. Where there is but one element along an axis it may be anything.
    fn strides(&self) -> impl Iterator<Item = isize> {
        let size = isize::from(self.0.bits / 8);
        self.lengths(self.0.strides).iter().map(move |&stride| stride as isize * size)
    }

    fn data(&self) -> usize {
        self.0.data as usize + self.0.byte_offset as usize
    }

    /// Whether it is C-contiguous and of more than one element: it is no view that torch has put a
    /// minus before, as it does with the imaginary part of a conjugate.
    pub(in crate::python) fn is_plain(&self) -> bool {
        let mut span = 1;
        let contiguous =
            self.shape().iter().zip(self.lengths(self.0.strides)).rev().all(|(n, stride)| {
                let fits = *stride == span;
                span *= n;
                fits
            });
        contiguous && span > 1
    }

    /// Whether the array shows this very memory, in the same way.
    pub(in crate::python) fn is_shown_by(&self, array: &HostArray<'_>) -> bool {
        let now = fields(array);
        let (shape, strides) = axes(now);
        let number = array.dtype().num();
        let wanted = self.number().unwrap_or(number);
        let same_type =
            number == wanted || (number > wanted && wanted == NPY_TYPES::NPY_USERDEF as c_int);
        let empty = shape.contains(&0);
        same_type
            && shape.len() == self.shape().len()
            && shape.iter().zip(self.shape()).all(|(&n, &m)| n as i64 == m)
            && (empty || now.data as usize == self.data())
            && (shape.iter().zip(strides).zip(self.strides()))
                .all(|((&n, &a), b)| n < 2 || empty || a == b)
    }

    /// An array of the same memory, which is only to be read; None if NumPy knows no such type yet.
    pub(in crate::python) fn array<'py>(
        &self,
        owner: &Bound<'py, PyAny>,
    ) -> PyResult<Option<HostArray<'py>>> {
        let py = owner.py();
        let Some(dtype) = self.dtype(py)? else { return Ok(None) };
        let mut shape: Axes = self.shape().iter().map(|&n| n as isize).collect();
        let mut strides: Axes = self.strides().collect();
        let (Ok(ndim), Some(data)) =
            (c_int::try_from(shape.len()), NonNull::new(self.data() as *mut c_void))
        else {
            return Ok(None);
        };
        // SAFETY: the tensor keeps memory of this type, shape and strides, and the array keeps the
        // tensor. Whoever gives a tensor other memory while it is in use breaks torch's own kernels too.
        unsafe {
            let made = PY_ARRAY_API.PyArray_NewFromDescr(
                py,
                ndarray(py),
                dtype.into_dtype_ptr(),
                ndim,
                shape.as_mut_ptr(),
                strides.as_mut_ptr(),
                data.as_ptr(),
                0,
                ptr::null_mut(),
            );
            let made = Bound::from_owned_ptr_or_err(py, made)?;
            let base = owner.clone().into_ptr();
            if PY_ARRAY_API.PyArray_SetBaseObject(py, made.as_ptr() as *mut PyArrayObject, base)
                != 0
            {
                return Err(PyErr::fetch(py));
            }
            Ok(Some(made.cast_into_unchecked::<PyUntypedArray>()))
        }
    }

    fn dtype<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyArrayDescr>>> {
        match self.number() {
            Some(number) if number == NPY_TYPES::NPY_USERDEF as c_int => {
                let class = imported(py, "ml_dtypes", "bfloat16")?;
                class.map(|class| PyArrayDescr::new(py, class)).transpose()
            }
            // SAFETY: one of NumPy's own types, so that there is a descriptor.
            Some(number) => unsafe {
                let made = PY_ARRAY_API.PyArray_DescrFromType(py, number);
                Ok(Some(Bound::from_owned_ptr_or_err(py, made.cast())?.cast_into_unchecked()))
            },
            None => Ok(None),
        }
    }
}
