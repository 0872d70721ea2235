use super::{Level, Levels, MOST_TRIED, Region, divisor, order, share_bytes, solvable};

type Axes = Vec<(usize, isize)>;

fn shared(a: &(usize, usize, Axes), b: &(usize, usize, Axes)) -> bool {
    let region = |(data, size, axes): &(usize, usize, Axes)| Region {
        data: *data,
        size: *size,
        axes: axes.clone().into_iter(),
    };
    let found = share_bytes(region(a), region(b));
    assert_eq!(found, share_bytes(region(b), region(a)), "{a:?} and {b:?}");
    found
}

/// All bytes of an array.
fn bytes((data, size, axes): &(usize, usize, Axes)) -> Vec<usize> {
    let mut places = vec![*data as isize];
    for &(n, stride) in axes {
        let along = |place: &isize| (0..n as isize).map(move |i| place + i * stride).collect();
        places = places.iter().flat_map::<Vec<_>, _>(along).collect();
    }
    places.iter().flat_map(|place| (0..*size).map(move |i| *place as usize + i)).collect()
}

#[test]
fn against_the_set_of_all_bytes() {
    let mut state = 7u64;
    let mut below = move |n: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % n
    };
    let mut counts = [0, 0];
    for trial in 0..60_000 {
        let aligned = if below(2) == 0 { 4 } else { 1 };
        let mut array = || {
            let axes = (0..below(4)).map(|_| {
                let stride = below(80 / aligned) as isize - 40 / aligned as isize;
                (below(6) + usize::from(trial % 16 != 0), stride * aligned as isize)
            });
            let axes: Axes = axes.collect();
            let size = aligned * (below(3) + 1);
            (10_000 + below(160 / aligned) * aligned, size, axes)
        };
        let (a, b) = (array(), array());
        let (in_a, in_b) = (bytes(&a), bytes(&b));
        let wanted = in_a.iter().any(|byte| in_b.contains(byte));
        assert_eq!(shared(&a, &b), wanted, "{a:?} and {b:?}");
        counts[usize::from(wanted)] += 1;
    }
    assert!(counts.iter().all(|count| *count > 10_000), "{counts:?}");
}

#[test]
fn slices_of_large_arrays() {
    // Columns of a matrix, every second row, planes of a cube, forwards and backwards.
    let column = |i: usize| (4096 + 4 * i, 4, vec![(1 << 30, 8000)]);
    assert!(!shared(&column(0), &column(1)));
    assert!(shared(&column(7), &column(7)));
    let reversed = (4096 + 4 * 7 + 8000 * 999, 4, vec![(1000, -8000)]);
    assert!(shared(&column(7), &reversed));
    assert!(!shared(&column(8), &reversed));
    let every = |n: isize, from: usize| (4096 + 8 * from, 8, vec![(1 << 40, 8 * n)]);
    assert!(!shared(&every(2, 0), &every(2, 1)));
    assert!(shared(&every(2, 0), &every(3, 1)));
    assert!(!shared(&every(6, 0), &every(4, 3)));
    let block = |i: usize, j: usize| {
        (4096 + 64_000 * i + 8 * j, 8, vec![(1 << 20, 64_000 * 100), (100, 64_000), (100, 8)])
    };
    assert!(!shared(&block(0, 0), &block(0, 100)));
    assert!(shared(&block(0, 0), &block(0, 99)));
    assert!(!shared(&(4096, 2, vec![(9, 3)]), &(4098, 1, vec![(8, 3)])));
}

#[test]
fn without_bytes_or_without_strides() {
    let scalar = (4096, 8, vec![]);
    assert!(shared(&scalar, &scalar));
    assert!(shared(&scalar, &(4103, 2, vec![(1 << 62, 0), (1, 12345)])));
    assert!(!shared(&scalar, &(4104, 2, vec![(1 << 62, 0)])));
    assert!(!shared(&scalar, &(4096, 8, vec![(3, 8), (0, 8)])));
    // No such array exists; it must end all the same.
    shared(&(usize::MAX, 8, vec![(usize::MAX, isize::MAX); 3]), &(0, 8, vec![(9, isize::MIN)]));
}

#[test]
fn a_knapsack_is_given_up() {
    let primes = [1_000_003, 1_000_033, 1_000_037, 1_000_039, 1_000_081, 1_000_099, 1_000_117];
    let mut levels: Levels = primes.iter().map(|&stride| Level::new(stride, 40)).collect();
    order(&mut levels);
    let mut left = MOST_TRIED;
    assert!(solvable(&levels, primes.iter().sum::<usize>() * 20 + 1, &mut left));
    assert_eq!(left, 0);
}

#[test]
fn inverses() {
    for modulus in 1..60usize {
        for a in 0..130usize {
            let (divisor, inverse) = divisor(a, modulus);
            let gcd = (1..=modulus).rev().find(|d| a % d == 0 && modulus % d == 0);
            assert_eq!(Some(divisor), gcd, "{a}, {modulus}");
            let period = modulus / divisor;
            assert_eq!(a / divisor * inverse % period, 1 % period, "{a}, {modulus}");
        }
    }
}
