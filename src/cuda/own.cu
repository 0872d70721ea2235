// The update of a rule that measures each tensor by itself, with the scalars that follow from it.

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
