//! How numbers lie in memory, and their way to and from the type computed in.

use half::f16;

use super::Float;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    F16,
    F32,
    F64,
}

impl Kind {
    pub fn size(self) -> usize {
        match self {
            Kind::F16 => 2,
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

/// A compute type that every storage type can be widened or rounded to, once.
pub trait Stored: Float {
    const KIND: Kind;
    fn from_f16(x: f16) -> Self;
    fn from_f32(x: f32) -> Self;
    fn from_f64(x: f64) -> Self;
    fn to_f32(self) -> f32;
    fn to_f64(self) -> f64;
}

macro_rules! stored {
    ($float:ident, $kind:expr) => {
        impl Stored for $float {
            const KIND: Kind = $kind;

            #[inline(always)]
            fn from_f16(x: f16) -> Self {
                x.to_f32() as $float
            }
            #[inline(always)]
            fn from_f32(x: f32) -> Self {
                x as $float
            }
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $float
            }
            #[inline(always)]
            fn to_f32(self) -> f32 {
                self as f32
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
        }
    };
}

stored!(f32, Kind::F32);
stored!(f64, Kind::F64);
