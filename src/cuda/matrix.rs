//! The kernels that make matrices orthogonal, and where these lie meanwhile. What they do is what
//! `engine/matrix` does: the same operations on the same numbers in the same order.

use super::source::{LEAVES, MATRIX};
use crate::rules::{LANES, LEAF};

/// The kernels, behind those of an update.
pub(super) fn source() -> String {
    let constants = format!("constexpr int LEAF = {LEAF};\nconstexpr int LANES = {LANES};\n");
    [&constants, LEAVES, MATRIX].join("\n")
}

/// Rows and columns of what a block makes of a product, as the source has them.
const TILE: [usize; 2] = [128, 64];

/// The elements from one row to the next: fours of them begin at their multiples.
fn line(columns: usize) -> usize {
    columns.next_multiple_of(4)
}

/// Where in a workspace so many matrices of one shape lie, in elements.
///
/// `x` has no more rows than columns: it is what was given, or that turned over. It and its mirror image
/// are there twice, since one step reads what the one before wrote.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub count: usize,
    pub given: [usize; 2],
    pub x: [usize; 2],
    pub turned: [usize; 2],
    pub gram: usize,
    pub polynomial: usize,
    /// What it needs in all.
    pub elements: usize,
}

impl Room {
    /// The most elements that several matrices are given; one has what it needs.
    const MOST: usize = 1 << 26;

    pub fn new(count: usize, given: [usize; 2]) -> Self {
        let (rows, columns) = (given[0].min(given[1]), given[0].max(given[1]));
        let mut elements = 0_usize;
        let mut cut = |rows: usize, line: usize| {
            let place = elements;
            let size = rows.saturating_mul(line).saturating_mul(count);
            elements = elements.saturating_add(size);
            place
        };
        cut(1, line(given[0].saturating_mul(given[1]))); // as they are given, and taken
        Room {
            count,
            given,
            x: [(); 2].map(|()| cut(rows, line(columns))),
            turned: [(); 2].map(|()| cut(columns, line(rows))),
            gram: cut(rows, line(rows)),
            polynomial: cut(rows, line(rows)),
            elements,
        }
    }

    /// Whether one more matrix would be too much.
    pub fn is_full(count: usize, given: [usize; 2]) -> bool {
        Room::new(count + 1, given).elements > Room::MOST
    }

    pub fn is_tall(&self) -> bool {
        self.given[0] > self.given[1]
    }

    /// The elements from one row to the next of `x`, and of its mirror image.
    pub fn lines(&self) -> [usize; 2] {
        let [a, b] = self.given;
        [line(a.max(b)), line(a.min(b))]
    }

    /// The blocks that make a product of so many rows and columns.
    pub fn blocks(&self, rows: usize, columns: usize) -> usize {
        self.count * rows.div_ceil(TILE[0]) * columns.div_ceil(TILE[1])
    }
}

#[cfg(test)]
mod tests {
    use super::{Room, TILE, source};

    #[test]
    fn the_source_has_the_tile() {
        let text = source();
        for (name, size) in [("TALL", TILE[0]), ("WIDE", TILE[1])] {
            assert!(text.contains(&format!("constexpr int {name} = {size};")), "{name}");
        }
    }

    #[test]
    fn places_follow_each_other() {
        let room = Room::new(2, [7, 3]);
        assert!(room.is_tall());
        assert_eq!((room.x, room.turned), ([48, 96], [144, 200]));
        assert_eq!((room.gram, room.polynomial, room.elements), (256, 280, 304));
        assert_eq!(room.lines(), [8, 4]);
    }
}
