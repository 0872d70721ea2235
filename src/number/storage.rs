//! How numbers lie in memory, and their way to and from the type computed in.

use super::real::Float;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    F16,
    BF16,
    F32,
    F64,
}

impl Kind {
    /// NumPy's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::F16 => "float16",
            Kind::BF16 => "bfloat16",
            Kind::F32 => "float32",
            Kind::F64 => "float64",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        [Kind::F16, Kind::BF16, Kind::F32, Kind::F64].into_iter().find(|kind| kind.name() == name)
    }

    /// The step from 1 to the next number.
    pub const fn epsilon(self) -> f64 {
        match self {
            Kind::F16 => 1.0 / 1024.0,
            Kind::BF16 => 1.0 / 128.0,
            Kind::F32 => f32::EPSILON as f64,
            Kind::F64 => f64::EPSILON,
        }
    }

    pub const fn size(self) -> usize {
        match self {
            Kind::F16 | Kind::BF16 => 2,
            Kind::F32 => 4,
            Kind::F64 => 8,
        }
    }
}

/// A storage type and whether its bytes are in the other order than the machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    pub kind: Kind,
    pub swapped: bool,
}

impl Format {
    pub fn native(kind: Kind) -> Self {
        Format { kind, swapped: false }
    }
}

/// A type that the engine computes in, reached from every storage type in one rounding at most.
pub trait Compute: Float + Store<Self> {
    fn from_f32(x: f32) -> Self;
    fn from_f64(x: f64) -> Self;
    /// Adds the square to a sum. That of a float32 is exact in float64, so that one instruction for both
    /// rounds as two do: `FUSED` where the CPU has it, and a slow function elsewhere.
    fn add_square<const FUSED: bool>(self, sum: f64) -> f64;
}

/// An element in memory.
pub trait Stored: Copy + Send + Sync + 'static {
    const KIND: Kind;
    /// Widened exactly; a float64 that is computed in float32 is rounded once.
    fn load<R: Compute>(self) -> R;
    /// The nearest to a float64, rounded once, to even.
    fn nearest(value: f64) -> Self;
    #[must_use]
    fn swap_bytes(self) -> Self;
}

/// An element that a result of type `R` is stored in: rounded once, to nearest-even, a NaN to a
/// quiet NaN. Only float64 holds results in float64: no result is ever rounded twice.
pub trait Store<R>: Stored {
    fn store(value: R) -> Self;
}

impl Compute for f32 {
    #[inline(always)]
    fn from_f32(x: f32) -> f32 {
        x
    }
    #[inline(always)]
    fn from_f64(x: f64) -> f32 {
        x as f32
    }
    #[inline(always)]
    fn add_square<const FUSED: bool>(self, sum: f64) -> f64 {
        let wide = f64::from(self);
        if FUSED { wide.mul_add(wide, sum) } else { sum + wide * wide }
    }
}

impl Compute for f64 {
    #[inline(always)]
    fn from_f32(x: f32) -> f64 {
        x.into()
    }
    #[inline(always)]
    fn from_f64(x: f64) -> f64 {
        x
    }
    #[inline(always)]
    fn add_square<const FUSED: bool>(self, sum: f64) -> f64 {
        sum + self * self
    }
}

macro_rules! stored {
    ($type:ident, $kind:expr, $load:ident) => {
        impl Stored for $type {
            const KIND: Kind = $kind;

            #[inline(always)]
            fn load<R: Compute>(self) -> R {
                R::$load(self)
            }
            fn nearest(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn swap_bytes(self) -> Self {
                $type::from_bits(self.to_bits().swap_bytes())
            }
        }

        impl Store<$type> for $type {
            #[inline(always)]
            fn store(value: $type) -> Self {
                value
            }
        }
    };
}

stored!(f32, Kind::F32, from_f32);
stored!(f64, Kind::F64, from_f64);
