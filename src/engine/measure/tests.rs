//! Against the clause written out on an index, at every tier and thread count.

#![allow(clippy::unwrap_used)]

use half::f16;

use super::{Leaves, Measured, fold_leaves, norm_of_leaves};
use crate::engine::tier;
use crate::engine::view::View;
use crate::number::{Format, Kind, Precision};
use crate::rules::{Finite, GradientNorm};

/// Clause by clause, without regard to speed: `x` holds each array in C order, already converted.
fn naive(arrays: &[Vec<f64>]) -> f64 {
    let mut leaves = Vec::new();
    for leaf in arrays.iter().flat_map(|x| x.chunks(4096)) {
        let mut sums = vec![0.0; 32];
        for (i, x) in leaf.iter().enumerate() {
            sums[i % 32] += x * x;
        }
        while sums.len() > 1 {
            let (low, high) = sums.split_at(sums.len() / 2);
            sums = low.iter().zip(high).map(|(a, b)| a + b).collect();
        }
        leaves.push(sums[0]);
    }
    while leaves.len() > 1 {
        leaves =
            leaves.chunks(2).map(|pair| if let [a, b] = pair { a + b } else { pair[0] }).collect();
    }
    leaves.first().map_or(0.0, |sum: &f64| sum.sqrt())
}

/// Values of many magnitudes, from a linear congruential generator.
fn values(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f64 / (1u64 << 24) as f64
    };
    (0..n).map(|_| (next() - 0.5) * 10f64.powi((next() * 6.0) as i32 - 3)).collect()
}

fn view<T>(data: &[T], format: Format, shape: &[usize], strides: &[isize]) -> View {
    let data = data.as_ptr().cast_mut().cast();
    View { data, format, shape: shape.into(), strides: strides.into() }
}

fn flat<T>(data: &[T], kind: Kind) -> View {
    view(data, Format::native(kind), &[data.len()], &[size_of::<T>() as isize])
}

fn collected(arrays: &[(View, Precision)]) -> Measured {
    let mut collected = Measured::default();
    arrays.iter().for_each(|(view, precision)| collected.push(view, *precision).unwrap());
    collected
}

fn leaves(arrays: &[(View, Precision)], threads: usize) -> Leaves {
    // SAFETY: the tests keep the arrays.
    unsafe { collected(arrays).measure::<GradientNorm>(threads) }.unwrap()
}

fn first_nonfinite(arrays: &[(View, Precision)], threads: usize) -> Option<usize> {
    // SAFETY: as above.
    unsafe { collected(arrays).measure::<Finite>(threads) }.unwrap().first_nonfinite()
}

fn norm(leaves: &Leaves) -> f64 {
    norm_of_leaves(leaves.all().iter().copied(), 1.0)
}

fn check(arrays: &[(View, Precision)], wanted: f64, what: &str) {
    let _tier = tier::IN_TESTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let before = tier::current();
    for name in tier::available() {
        assert_eq!(tier::force(name), Ok(()));
        for threads in [1, 2, 3, 7] {
            let found = norm(&leaves(arrays, threads));
            let same = found.to_bits() == wanted.to_bits() || (found.is_nan() && wanted.is_nan());
            assert!(same, "{what}, {name}, {threads} threads: {found:e} is not {wanted:e}");
        }
    }
    assert_eq!(tier::force(before), Ok(()));
}

const LENGTHS: [usize; 9] = [0, 1, 31, 32, 33, 4095, 4096, 4097, 3 * 4096 + 5];

#[test]
fn every_length_is_the_clause() {
    for n in LENGTHS {
        let wide = values(n, n as u64);
        let narrow: Vec<f32> = wide.iter().map(|x| *x as f32).collect();
        let widened: Vec<f64> = narrow.iter().map(|x| f64::from(*x)).collect();
        let what = format!("{n} elements");
        check(
            &[(flat(&wide, Kind::F64), Precision::F64)],
            naive(std::slice::from_ref(&wide)),
            &what,
        );
        check(
            &[(flat(&narrow, Kind::F32), Precision::F32)],
            naive(std::slice::from_ref(&widened)),
            &what,
        );
        check(&[(flat(&wide, Kind::F64), Precision::F32)], naive(&[widened]), &what);
    }
}

#[test]
fn leaves_are_numbered_through_all_arrays() {
    // Enough for several threads, with empty arrays at both ends and between.
    let lengths = [0, 300_001, 0, 5, 4096, 123_457, 1, 0];
    let arrays: Vec<Vec<f32>> =
        lengths.iter().map(|&n| values(n, n as u64).iter().map(|x| *x as f32).collect()).collect();
    let views: Vec<_> =
        arrays.iter().map(|array| (flat(array, Kind::F32), Precision::F32)).collect();
    let widened: Vec<Vec<f64>> =
        arrays.iter().map(|array| array.iter().map(|x| f64::from(*x)).collect()).collect();
    check(&views, naive(&widened), "many arrays");
    check(&[], 0.0, "no arrays");
    check(&views[..1], 0.0, "an empty array");
}

#[test]
fn layouts_are_read_in_c_order() {
    let (rows, columns, depth) = (7, 83, 31);
    let n = rows * columns * depth;
    let x: Vec<f32> = values(n, 9).iter().map(|x| *x as f32).collect();
    let wanted = naive(&[x.iter().map(|x| f64::from(*x)).collect()]);
    let shape = [rows, columns, depth];
    let (r, c, d) = (rows as isize, columns as isize, depth as isize);
    for (name, strides) in [
        ("c", [c * d, d, 1]),
        ("fortran", [1, r, r * c]),
        ("swapped axes", [d, r * d, 1]),
        ("strided", [2 * c * d + 6, 2 * d, 2]),
        ("rows apart", [c * (d + 3), d + 3, 1]),
        ("backwards", [-c * d, -d, -1]),
        ("last axis backwards", [c * d, d, -1]),
    ] {
        let low: isize = strides.iter().zip(shape).map(|(s, n)| s.min(&0) * (n as isize - 1)).sum();
        let mut memory = vec![f32::NAN; 3 * n];
        let mut swapped = vec![0u32; 3 * n];
        for i in 0..rows {
            for j in 0..columns {
                for k in 0..depth {
                    let index = [i, j, k].into_iter().zip(strides);
                    let at: isize = index.map(|(i, s)| i as isize * s).sum();
                    let place = (at - low) as usize;
                    memory[place] = x[(i * columns + j) * depth + k];
                    swapped[place] = memory[place].to_bits().swap_bytes();
                }
            }
        }
        let bytes = strides.map(|s| s * 4);
        let native = Format::native(Kind::F32);
        let foreign = Format { kind: Kind::F32, swapped: true };
        let first = -low as usize;
        check(&[(view(&memory[first..], native, &shape, &bytes), Precision::F32)], wanted, name);
        check(&[(view(&swapped[first..], foreign, &shape, &bytes), Precision::F32)], wanted, name);
        let whole = [(view(&memory[first..], native, &shape, &bytes), Precision::F32)];
        // What the view does not show of the memory is NaN.
        assert_eq!(first_nonfinite(&whole, 2), None, "{name}");
    }
}

#[test]
fn unaligned_half_and_single_element_arrays() {
    let x: Vec<f32> = values(5000, 3).iter().map(|x| *x as f32).collect();
    let mut raw = vec![0u8];
    raw.extend(x.iter().flat_map(|x| x.to_ne_bytes()));
    let wanted = naive(&[x.iter().map(|x| f64::from(*x)).collect()]);
    let native = Format::native(Kind::F32);
    check(&[(view(&raw[1..], native, &[5000], &[4]), Precision::F32)], wanted, "one byte off");
    let halves: Vec<f16> = x.iter().map(|x| f16::from_f32(*x)).collect();
    let wanted = naive(&[halves.iter().map(|x| x.to_f64()).collect()]);
    for precision in [Precision::F32, Precision::F64] {
        check(&[(flat(&halves, Kind::F16), precision)], wanted, "float16");
    }
    let one = [-3.5f32];
    check(&[(view(&one, native, &[], &[]), Precision::F32)], 3.5, "no axes");
    check(&[(view(&one, native, &[1, 1], &[0, 400]), Precision::F32)], 3.5, "one by one");
    check(
        &[(view(&one, native, &[100, 3], &[0, 0]), Precision::F32)],
        naive(&[vec![-3.5; 300]]),
        "broadcast",
    );
}

#[test]
fn overflow_is_infinite_and_nan_stays() {
    let mut x = values(9000, 4);
    x[8500] = 1e200;
    check(&[(flat(&x, Kind::F64), Precision::F64)], f64::INFINITY, "a square overflows");
    check(&[(flat(&x, Kind::F64), Precision::F32)], f64::INFINITY, "the conversion overflows");
    let large = vec![1e154; 9000];
    let found = leaves(&[(flat(&large, Kind::F64), Precision::F64)], 2);
    assert_eq!(found.first_nonfinite(), Some(0), "4,096 times 1e308");
    x[8500] = f64::NAN;
    check(&[(flat(&x, Kind::F64), Precision::F64)], f64::NAN, "NaN");
    let tiny = [f32::from_bits(1); 33];
    let squares = vec![f64::from(tiny[0]); 33];
    check(&[(flat(&tiny, Kind::F32), Precision::F32)], naive(&[squares]), "subnormals");
}

#[test]
fn the_first_array_that_is_not_finite_is_found() {
    let empty: Vec<f64> = vec![];
    for place in [0, 31, 32, 4095, 4096, 200_000] {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            let fine = vec![f64::from(f32::MAX); 100_003];
            let mut last = vec![-1e-320; 200_001];
            last[place] = bad;
            let arrays = [&fine, &empty, &last, &last];
            for precision in [Precision::F32, Precision::F64] {
                let views = arrays.map(|array| (flat(array, Kind::F64), precision));
                let overflows = precision == Precision::F32 || !bad.is_finite();
                let wanted = overflows.then_some(2);
                for threads in [1, 2, 3, 7] {
                    assert_eq!(first_nonfinite(&views, threads), wanted);
                }
                if overflows {
                    assert_eq!(leaves(&views, 2).first_nonfinite(), Some(2));
                }
            }
        }
    }
}

#[test]
fn each_array_has_a_norm_of_its_own_from_the_same_pass() {
    let lengths = [0, 1, 4097, 9 * 4096, 70_001, 0, 300_007];
    let arrays: Vec<Vec<f64>> = lengths.iter().map(|&n| values(n, n as u64)).collect();
    let views: Vec<_> = arrays.iter().map(|x| (flat(x, Kind::F64), Precision::F64)).collect();
    let found = leaves(&views, 2);
    for (i, array) in arrays.iter().enumerate() {
        let norm = norm_of_leaves(found.of(i).iter().copied(), -0.5);
        assert_eq!(norm, 0.5 * naive(std::slice::from_ref(array)), "{} elements", array.len());
    }
}

#[test]
fn leaves_fold_by_levels() {
    let mut sums: Vec<f64> = Vec::new();
    for (n, x) in values(260, 5).into_iter().enumerate() {
        let mut level = sums.clone();
        while level.len() > 1 {
            let pair = |pair: &[f64]| if let [a, b] = pair { a + b } else { pair[0] };
            level = level.chunks(2).map(pair).collect();
        }
        let wanted = level.first().copied().unwrap_or(0.0);
        assert_eq!(fold_leaves(sums.iter().copied()).to_bits(), wanted.to_bits(), "{n} leaves");
        sums.push(x);
    }
}
