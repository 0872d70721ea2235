//! The norm and the search for what is not finite, against the clause written out on an index.

use super::arrays::{self, Array, KINDS};
use arbitrary::Unstructured;
use ferrostep::engine::{Measured, tier};
use ferrostep::number::Precision;
use ferrostep::rules::{Finite, GradientNorm, LANES, LEAF};

fn squares(values: &[f64]) -> Vec<f64> {
    let leaf = |leaf: &[f64]| {
        let mut sums = vec![0.0; LANES];
        for (i, x) in leaf.iter().enumerate() {
            sums[i % LANES] += x * x;
        }
        while sums.len() > 1 {
            let (low, high) = sums.split_at(sums.len() / 2);
            sums = low.iter().zip(high).map(|(a, b)| a + b).collect();
        }
        sums[0]
    };
    values.chunks(LEAF).map(leaf).collect()
}

pub fn run(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    tier::force(u.choose(&tier::available())?).unwrap();
    let mut tensors = Vec::new();
    for _ in 0..u.int_in_range(0..=3)? {
        let (shape, kind) = (arrays::shape(u)?, *u.choose(&KINDS)?);
        let precision = *u.choose(&[Precision::F32, Precision::F64])?;
        tensors.push((Array::arbitrary(u, &shape, kind)?, precision));
    }
    let values: Vec<Vec<f64>> = tensors
        .iter()
        .map(|(array, precision)| {
            (0..array.len()).map(|i| array.value(i, *precision == Precision::F32)).collect()
        })
        .collect();
    let mut views = || {
        let mut views = Measured::default();
        for (array, precision) in &mut tensors {
            views.push(&array.view(), *precision).unwrap();
        }
        views
    };
    let threads = u.int_in_range(1..=3)?;
    // SAFETY: the arrays live on, and nobody writes them.
    let (leaves, nonfinite) =
        unsafe { (views().measure::<GradientNorm>(threads), views().measure::<Finite>(threads)) };
    let (leaves, nonfinite) = (leaves.unwrap(), nonfinite.unwrap().first_nonfinite());
    for (i, values) in values.iter().enumerate() {
        let same = |(a, b): (&f64, f64)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let wanted = squares(values);
        assert_eq!(leaves.of(i).len(), wanted.len());
        assert!(leaves.of(i).iter().zip(wanted).all(same), "leaves of array {i}");
    }
    let wanted = values.iter().position(|values| values.iter().any(|x| !x.is_finite()));
    assert_eq!(nonfinite, wanted);
    Ok(())
}
