// One chunk of one tensor for each block.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
ferrostep_update(const Tensor* table, int count, Scalars k, const real* clip, int64 apart) {
    const Tensor t = table[row_of(table, count, blockIdx.x)];
    scale(k, t, clip, apart);
    update_chunk(k, t);
}
