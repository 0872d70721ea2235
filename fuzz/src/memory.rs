//! Extents, overlaps with oneself and with others: against the set of all bytes touched.

use std::collections::HashMap;

use arbitrary::Unstructured;
use ferrostep::engine::{View, Written, is_dense, share_memory};
use ferrostep::number::{Format, Kind};

const KINDS: [Kind; 3] = [Kind::F16, Kind::F32, Kind::F64];

fn view(u: &mut Unstructured<'_>) -> arbitrary::Result<View> {
    let mut view = View {
        data: std::ptr::without_provenance_mut(u.int_in_range(4096..=4300)?),
        format: Format { kind: *u.choose(&KINDS)?, swapped: u.ratio(1, 8)? },
        shape: [].as_slice().into(),
        strides: [].as_slice().into(),
    };
    let size = view.format.kind.size() as isize;
    for _ in 0..u.int_in_range(0..=3)? {
        view.shape.push(u.int_in_range(0..=4)?);
        let by_element = size * u.int_in_range(-6..=6)?;
        view.strides.push(if u.ratio(3, 4)? { by_element } else { u.int_in_range(-20..=20)? });
    }
    Ok(view)
}

/// How many elements touch each byte.
fn touched(view: &View) -> HashMap<usize, usize> {
    let mut bytes = HashMap::new();
    for i in 0..view.len() {
        let (mut rest, mut at) = (i, view.data as isize);
        for (&n, &stride) in view.shape.iter().zip(&view.strides).rev() {
            at += (rest % n) as isize * stride;
            rest /= n;
        }
        for byte in 0..view.format.kind.size() {
            *bytes.entry(at as usize + byte).or_insert(0) += 1;
        }
    }
    bytes
}

pub fn run(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut views = Vec::new();
    for _ in 0..u.int_in_range(1..=6)? {
        views.push(view(u)?);
    }
    let mut intervals = Vec::new();
    for (owner, view) in views.iter().enumerate() {
        let bytes = touched(view);
        let (low, high) = (bytes.keys().min(), bytes.keys().max());
        let wanted = low.zip(high).map(|(low, high)| *low..high + 1);
        assert_eq!(view.extent(), wanted);
        if let Some(low) = low {
            assert_eq!(view.lowest() as usize, *low);
        }
        let overlaps = bytes.values().any(|count| *count > 1);
        assert!(view.may_overlap_itself() || !overlaps, "an overlap was not seen");
        let dense = is_dense(&[view, view]);
        let gaps = wanted.as_ref().is_some_and(|range| range.len() != bytes.len());
        assert!(!dense || !gaps && !overlaps, "dense with gaps or overlaps");
        intervals.extend(wanted.map(|range| (range, owner)));
    }
    let bytes: Vec<_> = views.iter().map(touched).collect();
    for (a, in_a) in views.iter().zip(&bytes) {
        for (b, in_b) in views.iter().zip(&bytes) {
            let shared = in_a.keys().any(|byte| in_b.contains_key(byte));
            assert_eq!(share_memory(a, b), shared, "{a:?} and {b:?}");
        }
    }
    let start = u.int_in_range(4000..=4400)?;
    let asked = start..start + u.int_in_range(1..=100)?;
    let written = Written::new(intervals.clone()).unwrap();
    let mut hits: Vec<usize> = written.hits(asked.clone()).collect();
    hits.sort_unstable();
    let intersects =
        |range: &std::ops::Range<usize>| range.start < asked.end && asked.start < range.end;
    let wanted: Vec<usize> =
        intervals.iter().filter(|(range, _)| intersects(range)).map(|(_, owner)| *owner).collect();
    assert_eq!(hits, wanted);
    Ok(())
}
