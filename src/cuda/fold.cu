// The folds of all sums: the lanes of a leaf fold by halves and the leaves in pairs, an odd last one passing
// up.

// Recursion instead of a loop over levels: with constant places the sums stay in registers.
template <int HALF>
device void fold_halves(double* sums) {
#pragma unroll
    for (int j = 0; j < HALF; j++) {
        sums[j] = add_rn(sums[j], sums[j + HALF]);
    }
    if (HALF > 1) {
        fold_halves<(HALF > 1 ? HALF / 2 : 1)>(sums);
    }
}

// The first `width` of 2 * PAIRS sums.
template <int PAIRS>
device void fold_pairs(double* sums, int width) {
#pragma unroll
    for (int j = 0; j < PAIRS; j++) {
        const double left = sums[2 * j];
        sums[j] = 2 * j + 1 < width ? add_rn(left, sums[2 * j + 1]) : left;
    }
    if (PAIRS > 1) {
        fold_pairs<(PAIRS > 1 ? PAIRS / 2 : 1)>(sums, (width + 1) / 2);
    }
}

// FOLD neighbours to one: as many levels of the tree at once as have FOLD leaves.
device double fold_neighbours(const double* sums, int64 begin, int64 n) {
    const int width = n - begin < FOLD ? (int)(n - begin) : FOLD;
    double x[FOLD];
#pragma unroll
    for (int j = 0; j < FOLD; j++) {
        x[j] = j < width ? sums[begin + j] : 0.0;  // what is beyond the width is not used
    }
    fold_pairs<FOLD / 2>(x, width);
    return x[0];
}
