//! Elements in any place, stride and byte order, to and from an array of the compute type.

use crate::number::{BF16, Compute, F16, Kind, Precision, Store, Stored};

/// Reads strided elements, in the machine's byte order or the other, and converts each once.
///
/// SAFETY of a call: pointer and stride lead to elements of the type in live memory.
pub(super) type Gather<R> = unsafe fn(bool, *const u8, isize, &mut [R]);

/// Writes strided elements, each rounded once.
///
/// SAFETY of a call: as for [`Gather`], and the memory is the caller's to write.
pub(super) type Scatter<R> = unsafe fn(bool, *mut u8, isize, &[R]);

/// A compute type of tiles.
pub(super) trait Tile: Compute {
    const PRECISION: Precision;

    fn gather(kind: Kind) -> Gather<Self> {
        match kind {
            Kind::F16 => gather::<F16, Self>,
            Kind::BF16 => gather::<BF16, Self>,
            Kind::F32 => gather::<f32, Self>,
            Kind::F64 => gather::<f64, Self>,
        }
    }

    /// None for a kind that does not hold results of this type.
    fn scatter(kind: Kind) -> Option<Scatter<Self>>;
}

impl Tile for f32 {
    const PRECISION: Precision = Precision::F32;

    fn scatter(kind: Kind) -> Option<Scatter<f32>> {
        match kind {
            Kind::F16 => Some(scatter::<F16, f32>),
            Kind::BF16 => Some(scatter::<BF16, f32>),
            Kind::F32 => Some(scatter::<f32, f32>),
            Kind::F64 => None,
        }
    }
}

impl Tile for f64 {
    const PRECISION: Precision = Precision::F64;

    fn scatter(kind: Kind) -> Option<Scatter<f64>> {
        (kind == Kind::F64).then_some(scatter::<f64, f64>)
    }
}

/// SAFETY: as for [`Gather`].
unsafe fn gather<T: Stored, R: Compute>(
    swapped: bool,
    data: *const u8,
    stride: isize,
    to: &mut [R],
) {
    // The stride as a constant where there are no gaps, so that this loop vectorises.
    let dense = !swapped && stride == size_of::<T>() as isize;
    if dense {
        let data = data.cast::<T>();
        for (i, place) in to.iter_mut().enumerate() {
            // SAFETY: the caller vouches for the element; it need not be aligned.
            *place = unsafe { data.add(i).read_unaligned() }.load();
        }
        return;
    }
    for (i, place) in to.iter_mut().enumerate() {
        let element = data.wrapping_offset(i as isize * stride).cast::<T>();
        // SAFETY: as above.
        let value = unsafe { element.read_unaligned() };
        *place = if swapped { value.swap_bytes() } else { value }.load();
    }
}

/// SAFETY: as for [`Scatter`].
unsafe fn scatter<T: Store<R>, R: Compute>(
    swapped: bool,
    data: *mut u8,
    stride: isize,
    from: &[R],
) {
    let dense = !swapped && stride == size_of::<T>() as isize;
    if dense {
        let data = data.cast::<T>();
        for (i, &value) in from.iter().enumerate() {
            // SAFETY: the caller vouches for the element; it need not be aligned.
            unsafe { data.add(i).write_unaligned(T::store(value)) };
        }
        return;
    }
    for (i, &value) in from.iter().enumerate() {
        let value = T::store(value);
        let element = data.wrapping_offset(i as isize * stride).cast::<T>();
        // SAFETY: as above.
        unsafe { element.write_unaligned(if swapped { value.swap_bytes() } else { value }) };
    }
}
