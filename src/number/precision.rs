//! What a parameter is computed in, and how its arrays are stored beside each other.

use super::real::Float;
use super::storage::Kind;

/// The type that a parameter is computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    F32,
    F64,
}

impl Precision {
    /// That of a parameter of this kind: float64 for float64, else float32.
    pub fn of(parameter: Kind) -> Self {
        if parameter == Kind::F64 { Precision::F64 } else { Precision::F32 }
    }

    /// The compute type as a storage type.
    pub fn kind(self) -> Kind {
        match self {
            Precision::F32 => Kind::F32,
            Precision::F64 => Kind::F64,
        }
    }

    pub fn smallest_normal(self) -> f64 {
        match self {
            Precision::F32 => f32::SMALLEST_NORMAL,
            Precision::F64 => f64::SMALLEST_NORMAL,
        }
    }
}

/// How a parameter, its gradient and its states are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kinds {
    pub p: Kind,
    pub g: Kind,
    /// Of all states; of no account where the rule has none.
    pub state: Kind,
}

impl Kinds {
    /// Everything in the compute type.
    pub fn native(precision: Precision) -> Self {
        let kind = precision.kind();
        Kinds { p: kind, g: kind, state: kind }
    }

    /// Those of arrays, the parameter and the gradient first; None if the states' kinds differ.
    pub fn of(arrays: impl IntoIterator<Item = Kind>) -> Option<Self> {
        let mut kinds = arrays.into_iter();
        let (p, g) = (kinds.next()?, kinds.next()?);
        let state = kinds.next().unwrap_or(Precision::of(p).kind());
        kinds.all(|kind| kind == state).then_some(Kinds { p, g, state })
    }
}
