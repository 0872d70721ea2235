//! Memory that grows with what a caller brings: asked for, and an error where there is none.
//!
//! The standard library's own growth ends the process instead. What is left to it has a constant
//! size, or one that the number of threads bounds.

use std::collections::TryReserveError;

use smallvec::{Array, CollectionAllocErr, SmallVec};

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("out of memory")]
pub struct OutOfMemory;

impl From<TryReserveError> for OutOfMemory {
    fn from(_: TryReserveError) -> Self {
        OutOfMemory
    }
}

impl From<CollectionAllocErr> for OutOfMemory {
    fn from(_: CollectionAllocErr) -> Self {
        OutOfMemory
    }
}

pub trait Grow<T> {
    fn try_push(&mut self, value: T) -> Result<(), OutOfMemory>;

    /// Room for the number of values that the iterator promises is asked for at once.
    fn try_extend(&mut self, values: impl IntoIterator<Item = T>) -> Result<(), OutOfMemory>;
}

impl<T> Grow<T> for Vec<T> {
    #[inline]
    fn try_push(&mut self, value: T) -> Result<(), OutOfMemory> {
        self.try_reserve(1)?;
        self.push(value);
        Ok(())
    }

    fn try_extend(&mut self, values: impl IntoIterator<Item = T>) -> Result<(), OutOfMemory> {
        let values = values.into_iter();
        self.try_reserve(values.size_hint().0)?;
        for value in values {
            self.try_push(value)?;
        }
        Ok(())
    }
}

/// A vector with room for `count` values and no more.
pub fn with_room<T>(count: usize) -> Result<Vec<T>, OutOfMemory> {
    let mut room = Vec::new();
    room.try_reserve_exact(count)?;
    Ok(room)
}

/// The same with the first values in place of memory of its own.
pub fn small_with_room<A: Array>(count: usize) -> Result<SmallVec<A>, OutOfMemory> {
    let mut room = SmallVec::new();
    room.try_reserve_exact(count)?;
    Ok(room)
}

/// The values in a vector.
pub fn try_collect<T>(values: impl IntoIterator<Item = T>) -> Result<Vec<T>, OutOfMemory> {
    let mut collected = Vec::new();
    collected.try_extend(values)?;
    Ok(collected)
}
