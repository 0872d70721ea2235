// The kernels of a rule that measures. Two come before the update's, and write no tensor; the sums are
// folded between them, as those of a norm are. `summed` has a row for each sum and tensor, first those of
// the first sum.

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
ferrostep_terms(const Tensor* table, const Summed* summed, int count, Scalars k, const real* clip,
                int64 apart, int64 leaves, double* partials) {
    const int64 thread = thread_number();
    if (thread >= leaves * LANES) {
        return;
    }
    const Lane lane = lane_of(summed, count, thread);
    const Tensor t = table[lane.row];
    scale(k, t, clip, apart);
    double lanes[SUMS];
    for (int m = 0; m < SUMS; m++) {
        lanes[m] = 0.0;
    }
    for (int64 i = lane.begin; i < lane.end; i += LANES) {
        real p, g, s[MAX_STATES];
        convert(t.p[i], p);
        convert(t.g[i], g);
        for (int j = 0; j < STATES; j++) {
            convert(t.s[j][i], s[j]);
        }
        add_terms(k, p, g, s, lanes);
    }
    for (int m = 0; m < SUMS; m++) {
        partials[m * leaves * LANES + thread] = lanes[m];
    }
}

// The scalars of each tensor, from sums that were folded to its first leaf. Those that they follow from are
// `k`, or `each` has its own.
extern "C" __global__ void __launch_bounds__(THREADS)
ferrostep_measured(const Summed* summed, int count, Unrounded k, const Unrounded* each,
                   const double* sums, Own* own) {
    const int64 row = thread_number();
    if (row >= count) {
        return;
    }
    const int64 length = summed[row].length;
    double x[SUMS];
    for (int m = 0; m < SUMS; m++) {
        x[m] = length ? sums[summed[m * count + row].first] : 0.0;
    }
    measured(each ? each[row] : k, x, to_double(length), own[row]);
}

// One chunk of one tensor for each block.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
ferrostep_update(const Tensor* table, int count, Scalars k, const real* clip, int64 apart,
                 const Own* own) {
    const int row = row_of(table, count, blockIdx.x);
    const Tensor t = table[row];
    scale(k, t, clip, apart);
    take(k, own[row]);
    update_chunk(k, t);
}
