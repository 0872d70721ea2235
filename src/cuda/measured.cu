// Rules that measure have two kernels before the update's, which write no tensor: that of the terms, and this
// one. The sums are folded between them, as those of a norm are. `summed` has a row for each sum and tensor,
// first those of the first sum.

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
