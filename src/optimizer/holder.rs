//! How arrays are held: what a step needs to know of whoever holds them. `src/python` does it for
//! NumPy's and CuPy's arrays, the tests for plain vectors.

use std::ops::Deref;
use std::sync::Arc;

use super::header::{Axes, Header};
use super::refusal::Named;
use crate::engine::Occurrences;
use crate::number::{Kind, Precision};

/// # Safety
/// Steps write through what headers say. So: as long as a `Held` lives and `is_unchanged` says so, its
/// header describes live memory; what `written` gives a header of is writable, and no two of its
/// elements share bytes; `is_unchanged`, `beside` and `held_beside` tell what is so now, and run no
/// foreign code for arrays in host memory.
pub unsafe trait Holder: Sized + 'static {
    /// An array that is kept.
    type Held;
    /// An array as it came with a call.
    type Given<'a>;
    /// What an array was, and whatever else makes it quick to see that it still is.
    type Header: Deref<Target = Header>;
    /// The call at hand: what it takes to look at arrays and to make them.
    type Caller<'a>: Copy;
    type Error;

    fn hold(given: Self::Given<'_>) -> Self::Held;

    /// The rows that a gradient is of, if it is of some rows of its parameter alone: what is held of it
    /// are then their values.
    fn rows(gradient: &Self::Given<'_>) -> Option<Arc<Occurrences>>;

    /// The values of rows that lie on a device, added up there as the engine's `RowValues` are: in C order,
    /// in the compute type.
    fn add_rows(
        caller: Self::Caller<'_>,
        values: &Self::Held,
        device: i32,
        rows: &Occurrences,
        precision: Precision,
    ) -> Result<(Self::Held, Self::Header), Self::Error>;

    /// A number of the object's own, whatever memory it shows.
    fn identity(array: &Self::Held) -> usize;

    /// Whether the array is still what its header says: asked of every array at every step.
    fn is_unchanged(caller: Self::Caller<'_>, array: &Self::Held, header: &Self::Header) -> bool;

    /// The header of a parameter or a state, which is to be written.
    fn written(
        caller: Self::Caller<'_>,
        array: &Self::Held,
        named: Named<'_>,
    ) -> Result<Self::Header, Self::Error>;

    /// The header of an array that is only read.
    fn read(
        caller: Self::Caller<'_>,
        array: &Self::Held,
        named: Named<'_>,
    ) -> Result<Self::Header, Self::Error>;

    /// Address and type of a gradient that can run in place beside the parameter of this header: of
    /// its shape, both in C order without gaps, in the machine's byte order, in host memory.
    fn beside(
        caller: Self::Caller<'_>,
        parameter: &Self::Header,
        gradient: &Self::Given<'_>,
    ) -> Option<(usize, Kind)>;

    /// The same of a gradient that is held.
    fn held_beside(
        caller: Self::Caller<'_>,
        parameter: &Self::Header,
        gradient: &Self::Held,
    ) -> Option<(usize, Kind)>;

    /// A new array of this shape for a state of parameter number `of`, with whatever is in it. It may be anything:
    /// it is looked at afterwards.
    fn make(
        caller: Self::Caller<'_>,
        of: usize,
        parameter: &Self::Held,
        shape: &Axes,
        name: &str,
        kind: Kind,
    ) -> Result<Self::Held, Self::Error>;

    /// Whether a forked process may share the memory of what `make` makes.
    fn makes_shared(caller: Self::Caller<'_>) -> bool;

    /// Runs what moves this many bytes; others may work meanwhile if they are many.
    fn detached<T: Send>(
        caller: Self::Caller<'_>,
        bytes: usize,
        run: impl FnOnce() -> T + Send,
    ) -> T;
}
