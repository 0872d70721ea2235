// The kernels of a rule that measures, whose states are as its tensors are.

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
