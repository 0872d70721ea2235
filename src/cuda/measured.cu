// The rest of a rule that measures each tensor by itself.

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
