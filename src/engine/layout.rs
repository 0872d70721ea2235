//! How arrays lie, and what runs them so: in place, or through a tile.

use smallvec::SmallVec;

use super::block::{ARRAYS, Dense, Loop};
use super::kernel::RuleLoops;
use super::memory::OutOfMemory;
use super::view::View;
use crate::number::{Format, Kind, Kinds};
use crate::rules::MAX_STATES;

/// Why a parameter is not planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unplanned {
    /// Its own arrays cannot hold the results: the states of a float64 parameter are float64, and
    /// those of any other parameter are not.
    #[error("a {0:?} parameter has state of another type")]
    Unsupported(Kind),
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

/// Whether the arrays (parameter, gradient, states) can be run in place in memory order: aligned,
/// in the machine's byte order, without gaps, with equal strides in elements, and the states of one
/// kind.
pub fn is_dense(views: &[&View]) -> bool {
    let Some(p) = views.first() else { return false };
    let in_place = |view: &&View| {
        view.format == Format::native(view.format.kind) && view.is_aligned() && view.same_strides(p)
    };
    kinds(views).is_some() && p.fills_extent() && views.iter().all(in_place)
}

/// How the arrays are stored; None if the states' kinds differ.
pub(super) fn kinds(views: &[&View]) -> Option<Kinds> {
    Kinds::of(views.iter().map(|view| view.format.kind))
}

/// Whether each row of the arrays (parameter, gradient, states) can be run in place, as `is_dense` says of
/// whole ones.
pub fn rows_are_dense(views: &[&View]) -> bool {
    let aligned = |view: &&View| view.to_next_row() % view.format.kind.size() as isize == 0;
    let rows: SmallVec<[View; ARRAYS]> = views.iter().map(|view| view.row()).collect();
    views.iter().all(aligned) && is_dense(&rows.iter().collect::<SmallVec<[&View; ARRAYS]>>())
}

/// What runs these arrays (parameter, gradient, states) in memory order, if they lie so.
pub(super) fn in_place(
    kernel: RuleLoops,
    coupled_decay: bool,
    tier: usize,
    views: &[&View],
) -> Option<(Loop, Kinds, Dense)> {
    let kinds = kinds(views)?;
    let mut states = [std::ptr::null_mut(); MAX_STATES];
    for (pointer, state) in states.iter_mut().zip(&views[2..]) {
        *pointer = state.lowest();
    }
    let (p, g, len) = (views[0].lowest(), views[1].lowest(), views[0].len());
    Some((kernel.select(kinds, coupled_decay, tier)?, kinds, Dense { p, g, states, len }))
}

/// Bytes that an element of these arrays moves.
pub(super) fn traffic_of(views: &[&View]) -> usize {
    let size = |view: &&View| view.format.kind.size();
    traffic(size(&views[0]), size(&views[1]), views[2..].iter().map(size).sum())
}

/// Bytes per element: all are read, and all but the gradient written.
pub(super) fn traffic(p: usize, g: usize, states: usize) -> usize {
    2 * p + g + 2 * states
}
