// Matrices of one shape that become orthogonal, side by side. The rows of each are `line` elements apart.
// Both operands of a product lie with a row for each term of a sum: the left one is turned over.

// What a block makes of a product, and of that a thread: two times and once four neighbours.
constexpr int TALL = 128;
constexpr int WIDE = 64;

// `given` divided by its norm, or by `eps` if that is more; as it is and turned over. Of a norm's record, the
// first number is it.
extern "C" __global__ void __launch_bounds__(THREADS)
ferrostep_matrix_begin(const real* given, int64 count, int64 rows, int64 columns,
                       const double* norms, double eps, real* same, int64 line, real* turned,
                       int64 turned_line) {
    const int64 i = thread_number();
    if (i >= count * rows * columns) {
        return;
    }
    const int64 matrix = i / (rows * columns);
    const int64 row = i / columns % rows;
    const int64 column = i % columns;
    const double norm = norms[3 * matrix];
    real divisor;
    convert(lt(norm, eps) ? eps : norm, divisor);  // NaN is below nothing
    const real x = div_rn(given[i], divisor);
    same[(matrix * rows + row) * line + column] = x;
    turned[(matrix * columns + column) * turned_line + row] = x;
}

// Every element is the sum of its products in ascending order, each rounded before it is added. It is kept
// as it is, or with `other` as `old * other + part * sum`; and turned over, too. A symmetric product is made
// at and below its diagonal.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
ferrostep_matrix_product(const real* left, int64 left_line, const real* right, int64 right_line,
                         int64 depth, int64 rows, int64 columns, const real* other, real old,
                         real part, real* to, real* turned, bool symmetric) {
    const int64 across = (columns + WIDE - 1) / WIDE;
    const int64 tiles = (rows + TALL - 1) / TALL * across;
    const int64 matrix = blockIdx.x / tiles;
    const int64 tile = blockIdx.x % tiles;
    // Neighbours of a warp are eight threads across and four down: so they read the same lines.
    const int lane = threadIdx.x % 32;
    const int warp = threadIdx.x / 32;
    const int64 row = tile / across * TALL + 4 * (lane / 8 + 4 * (warp / 2));
    const int64 column = tile % across * WIDE + 4 * (lane % 8 + 8 * (warp % 2));
    if (row >= rows || column >= columns || (symmetric && row + TALL / 2 + 4 <= column)) {
        return;
    }
    // The second four rows may be beyond the last: then they are read from a place that there is.
    const int64 second = row + TALL / 2 < left_line ? row + TALL / 2 : row;
    const real* a = left + matrix * depth * left_line;
    const real* b = right + matrix * depth * right_line + column;
    real sums[8][4];
#pragma unroll
    for (int i = 0; i < 8; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) {
            sums[i][j] = 0;
        }
    }
#pragma unroll 4
    for (int64 k = 0; k < depth; k++) {
        const Four<real> near = four((real*)a + row, k * left_line);
        const Four<real> far = four((real*)a + second, k * left_line);
        const Four<real> across = four((real*)b, k * right_line);
#pragma unroll
        for (int i = 0; i < 4; i++) {
#pragma unroll
            for (int j = 0; j < 4; j++) {
                sums[i][j] = add_rn(sums[i][j], mul_rn(near.x[i], across.x[j]));
                sums[4 + i][j] = add_rn(sums[4 + i][j], mul_rn(far.x[i], across.x[j]));
            }
        }
    }
#pragma unroll
    for (int i = 0; i < 8; i++) {
        const int64 r = row + i % 4 + i / 4 * (TALL / 2);
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const int64 c = column + j;
            if (r >= rows || c >= columns || (symmetric && r < c)) {
                continue;
            }
            const int64 place = (matrix * rows + r) * right_line + c;
            real x = sums[i][j];
            if (other) {
                x = add_rn(mul_rn(old, other[place]), mul_rn(part, x));
            }
            to[place] = x;
            turned[(matrix * columns + c) * left_line + r] = x;
        }
    }
}

// The result without the room between its rows.
extern "C" __global__ void __launch_bounds__(THREADS)
ferrostep_matrix_end(const real* from, int64 line, int64 count, int64 rows, int64 columns,
                     real* result) {
    const int64 i = thread_number();
    if (i < count * rows * columns) {
        result[i] = from[i / columns * line + i % columns];
    }
}
