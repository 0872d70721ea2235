//! All that a step refuses. Whoever holds the arrays says it in the words of its users.

use std::borrow::Cow;

use super::header::{Axes, Place};
use crate::engine::{OutOfMemory, Unplanned};
use crate::number::{Format, Kind};

/// Which array something is said of: by the number of its parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    Parameter(usize),
    Gradient(usize),
    State(usize, Cow<'static, str>),
}

/// The same, while the name is at hand.
#[derive(Clone, Copy, Debug)]
pub enum Named<'a> {
    Parameter(usize),
    Gradient(usize),
    State(usize, &'a str),
}

impl From<Named<'_>> for Which {
    fn from(named: Named<'_>) -> Self {
        match named {
            Named::Parameter(i) => Which::Parameter(i),
            Named::Gradient(i) => Which::Gradient(i),
            Named::State(i, name) => Which::State(i, name.to_owned().into()),
        }
    }
}

impl<'a> From<&'a Which> for Named<'a> {
    fn from(which: &'a Which) -> Self {
        match which {
            Which::Parameter(i) => Named::Parameter(*i),
            Which::Gradient(i) => Named::Gradient(*i),
            Which::State(i, name) => Named::State(*i, name),
        }
    }
}

/// What keeps gradients from being finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause {
    /// That of this parameter, the first.
    Gradient(usize),
    /// Each is finite, but not the sum of all squares.
    Sum,
    /// The norm that somebody else has taken.
    GivenNorm(f64),
}

impl Cause {
    /// The parameter whose gradient it is, if it is one.
    pub fn parameter(self) -> Option<usize> {
        match self {
            Cause::Gradient(i) => Some(i),
            Cause::Sum | Cause::GivenNorm(_) => None,
        }
    }
}

/// What an array looks like from outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Looks {
    pub shape: Axes,
    pub format: Format,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    OutOfMemory,
    /// As many gradients as parameters are wanted.
    Count {
        found: usize,
        wanted: usize,
    },
    /// The state was made by a factory in a process that has been forked since.
    Forked,
    /// An array is in another place than the parameter is, or was.
    Place {
        which: Which,
        found: Place,
        wanted: Place,
    },
    /// An array has another shape or type than it must have, or had.
    Looks {
        which: Which,
        found: Box<Looks>,
        wanted: Box<Looks>,
    },
    /// State that is to be loaded is not such as the parameter may have.
    Loaded {
        which: Which,
        found: Box<Looks>,
        wanted: Box<Looks>,
    },
    /// A state was made with other looks than were wanted.
    Made {
        which: Which,
        found: Box<Looks>,
        wanted: Box<Looks>,
    },
    /// Two arrays that are written share memory.
    Overlap {
        first: Which,
        second: Which,
        same: bool,
    },
    /// A gradient, or where a parameter's values are taken from, shares memory with this parameter or its
    /// state.
    ReadOverlaps {
        which: Which,
        parameter: usize,
    },
    /// A gradient of rows, the largest of which the parameter does not have.
    NoSuchRow {
        gradient: usize,
        found: usize,
        rows: usize,
    },
    /// A gradient of rows, of a parameter that has none: it is 0-d.
    NoRows(usize),
    /// A gradient of rows for a rule that measures whole tensors.
    MeasuredRows(usize),
    /// A parameter that is not what steps are made from.
    Away(usize),
    /// A parameter alone, of a rule that measures all of them together.
    Alone,
    /// A parameter that must be a matrix, and has another number of axes.
    NoMatrix {
        parameter: usize,
        shape: Axes,
    },
    /// The parameter's array comes with each call, and none is there.
    NotThere(usize),
    /// This type of state does not go with the parameter.
    StateKind {
        parameter: usize,
        kind: Kind,
        beside: Kind,
    },
    /// The engine has no way to run these types together.
    Unsupported(Kind),
    NotFinite(Cause),
    /// It was changed while the step was being prepared; nothing was written.
    ChangedMeanwhile(Which),
    /// It was changed while devices were at work; nothing was written in host memory.
    ChangedLate(Which),
    /// Something else has happened to the optimizer since the step was prepared.
    Outdated,
}

impl Refusal {
    /// The same, found out when devices had been at work.
    pub(super) fn after_devices(self) -> Self {
        match self {
            Refusal::ChangedMeanwhile(which) => Refusal::ChangedLate(which),
            other => other,
        }
    }

    pub(super) fn looks(which: Which, found: Looks, wanted: Looks) -> Self {
        Refusal::Looks { which, found: Box::new(found), wanted: Box::new(wanted) }
    }
}

/// Why there is no step.
#[derive(Debug)]
pub enum Stop<E> {
    Refused(Refusal),
    /// What the holder of the arrays says.
    Holder(E),
}

impl<E> From<Refusal> for Stop<E> {
    fn from(refusal: Refusal) -> Self {
        Stop::Refused(refusal)
    }
}

impl From<OutOfMemory> for Refusal {
    fn from(_: OutOfMemory) -> Self {
        Refusal::OutOfMemory
    }
}

impl<E> From<OutOfMemory> for Stop<E> {
    fn from(error: OutOfMemory) -> Self {
        Stop::Refused(error.into())
    }
}

impl From<Unplanned> for Refusal {
    fn from(error: Unplanned) -> Self {
        match error {
            Unplanned::OutOfMemory(error) => error.into(),
            Unplanned::Unsupported(kind) => Refusal::Unsupported(kind),
        }
    }
}

impl<E> From<Unplanned> for Stop<E> {
    fn from(error: Unplanned) -> Self {
        Stop::Refused(error.into())
    }
}
