#![allow(clippy::unwrap_used)]

use super::{Axis, Patch, align, axes, cut, each_index, joined, offset};
use crate::engine::view::View;
use crate::number::{Format, Kind};

/// A view of float32 elements whose memory has the axes in this order, some of them backwards.
fn view(shape: &[usize], order: &[usize], backwards: &[usize], gap: usize) -> View {
    let mut strides = vec![0; shape.len()];
    let mut span = 4 * gap as isize;
    for &axis in order.iter().rev() {
        strides[axis] = if backwards.contains(&axis) { -span } else { span };
        span *= shape[axis] as isize;
    }
    let (data, format) = (4096 as *mut u8, Format::native(Kind::F32));
    View { data, format, shape: shape.into(), strides: strides.into() }
}

fn cut_axes(views: &[&View], most: usize) -> Vec<Axis> {
    let mut axes = axes(views).unwrap();
    let sizes: Vec<usize> = views.iter().map(|view| view.format.kind.size()).collect();
    cut(&mut axes, &sizes, most);
    axes
}

/// The offsets of all elements in both arrays, in the order of the patches that begin in each range.
fn walked(axes: &[Axis], ranges: &[usize]) -> Vec<[isize; 2]> {
    let mut places = Vec::new();
    for range in ranges.windows(2) {
        let (mut patch, mut begin) = Patch::around(axes, range[0]);
        assert!(begin <= range[0]);
        while begin < range[1] {
            assert_eq!(Patch::around(axes, begin + patch.len() - 1).1, begin);
            if begin >= range[0] {
                each_index(&patch.lens, |at| {
                    places.push([0, 1].map(|a| patch.offset(axes, a) + offset(axes, at, a)));
                });
            }
            begin += patch.len();
            patch.advance(axes);
        }
    }
    places
}

#[test]
fn every_element_is_in_one_patch_whatever_the_orders_and_ranges() {
    let orders: [&[usize]; 6] =
        [&[0, 1, 2], &[2, 1, 0], &[1, 0, 2], &[0, 2, 1], &[1, 2, 0], &[2, 0, 1]];
    for shape in
        [[7, 5, 3], [1, 33, 19], [40, 1, 17], [2, 2, 70], [1, 1, 1], [5, 64, 1], [64, 1, 48]]
    {
        for order in orders {
            for (backwards, gap, most) in
                [(&[][..], 1, 256), (&[0, 2], 1, 16), (&[1], 3, 100), (&[0], 2, 1)]
            {
                let (p, g) =
                    (view(&shape, &[0, 1, 2], &[], 1), view(&shape, order, backwards, gap));
                let mut axes = cut_axes(&[&p, &g], most);
                // Begins 16 bytes after a cache line.
                let odd = View { data: g.data.wrapping_add(16), ..g.clone() };
                align(&mut axes, 1, &odd);
                let len: usize = shape.iter().product();
                let mut wanted = Vec::new();
                each_index(&shape, |at| {
                    let place = |view: &View| -> isize {
                        at.iter().zip(&view.strides).map(|(i, stride)| *i as isize * stride).sum()
                    };
                    wanted.push([place(&p), place(&g)]);
                });
                wanted.sort_unstable();
                for ranges in [&[0, len][..], &[0, len / 3, len / 3, len / 2 + 1, len]] {
                    let mut found = walked(&axes, ranges);
                    found.sort_unstable();
                    assert_eq!(found, wanted, "{shape:?} {order:?} {backwards:?} {ranges:?}");
                }
            }
        }
    }
}

#[test]
fn a_patch_has_a_stretch_of_each_array_and_no_more_than_there_is_room() {
    let extents = |shape: &[usize], order: &[usize], most| -> Vec<usize> {
        let (p, g) = (view(shape, &[0, 1, 2][..shape.len()], &[], 1), view(shape, order, &[], 1));
        let axes = cut_axes(&[&p, &g], most);
        axes.iter().map(|axis| axis.extent).collect()
    };
    assert_eq!(extents(&[4000, 5000], &[1, 0], 1600), [16, 100]);
    assert_eq!(extents(&[5, 4000], &[1, 0], 1600), [5, 320]);
    assert_eq!(extents(&[4000, 5], &[1, 0], 1600), [320, 5]);
    assert_eq!(extents(&[4000, 5000], &[0, 1], 1600), [1600]);
    assert_eq!(extents(&[90, 90, 5], &[1, 0, 2], 1600), [4, 80, 5]);
    assert_eq!(extents(&[90, 90, 90], &[2, 1, 0], 1600), [16, 1, 90]);
}

#[test]
fn no_axis_and_stretches_without_end() {
    assert_eq!(walked(&cut_axes(&[&view(&[], &[], &[], 1); 2], 16), &[0, 1]), [[0, 0]]);
    // A gradient that is broadcast along an axis.
    let p = view(&[30, 40], &[0, 1], &[], 1);
    for strides in [[0, 4], [4, 0], [0, 0]] {
        let g = View { strides: strides.into_iter().collect(), ..p.clone() };
        assert_eq!(walked(&cut_axes(&[&p, &g], 64), &[0, 1200]).len(), 1200);
    }
}

#[test]
fn rows_end_where_an_array_in_place_has_a_gap() {
    let p = view(&[30, 40], &[0, 1], &[], 1);
    let turned = view(&[30, 40], &[1, 0], &[], 1);
    let axes = cut_axes(&[&p, &turned], 640);
    let both = [(0, 4), (1, 4)].into_iter();
    assert_eq!(joined(&axes, both.clone().take(0)), (0, 640));
    // All of the inner axis: the rows of a patch follow each other.
    assert_eq!(joined(&axes, both.clone().take(1)), (0, 640));
    assert_eq!(joined(&axes, both.clone()), (2, 1));
    let axes = cut_axes(&[&p, &turned], 320);
    assert_eq!(joined(&axes, both.take(1)), (1, 20));
}
