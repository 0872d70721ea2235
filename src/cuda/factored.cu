// The kernels of a rule that measures, for matrices: its states are read from `factors`, by row and by
// column, and what becomes of them is known before the update, which writes it.

// Where element `i` is. Places are added up as numbers of several digits are: what a loop goes on by is one,
// too, and no loop divides. No digit is larger than `i`.
template <typename Int>
struct Digits {
    Int row;      // among all rows of the tensor
    Int inside;   // in its matrix
    Int columns;  // of all matrices before
    Int column;   // in its matrix
};

typedef Digits<int64> Place;
typedef Digits<int> Step;

template <typename Int>
device Digits<Int> digits(const Matrices& of, Int i) {
    const int64 row = i / of.columns;
    const int64 matrix = row / of.rows;
    return Digits<Int>{(Int)row, (Int)(row - matrix * of.rows), (Int)(matrix * of.columns),
                       (Int)(i - row * of.columns)};
}

device void go_on(Place& at, const Step& by, const Matrices& of) {
    at.column += by.column;
    const bool carry = at.column >= of.columns;
    at.column -= carry ? of.columns : 0;
    at.row += by.row + carry;
    at.inside += by.inside + carry;
    at.columns += by.columns;
    if (at.inside >= of.rows) {
        at.inside -= of.rows;
        at.columns += of.columns;
    }
}

// The factors of one tensor.
struct Factors {
    const real* ratios;
    const real* rows;
    const real* columns;
};

device Factors factors_of(const real* factors, int64 rows, const Matrices& of) {
    return Factors{factors + of.row, factors + rows + of.row, factors + 2 * rows + of.column};
}

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
ferrostep_terms(const Tensor* table, const Summed* summed, int count, Scalars k, const real* clip,
                int64 apart, int64 leaves, double* partials, const Matrices* matrices,
                const real* factors, int64 rows) {
    const int64 thread = thread_number();
    if (thread >= leaves * LANES) {
        return;
    }
    const Lane lane = lane_of(summed, count, thread);
    const Tensor t = table[lane.row];
    const Matrices of = matrices[lane.row];
    const Factors from = factors_of(factors, rows, of);
    scale(k, t, clip, apart);
    double lanes[SUMS];
    for (int m = 0; m < SUMS; m++) {
        lanes[m] = 0.0;
    }
    Place at = digits(of, lane.begin);
    const Step by = digits(of, LANES);
    for (int64 i = lane.begin; i < lane.end; i += LANES) {
        real p, g;
        convert(t.p[i], p);
        convert(t.g[i], g);
        const real s[STATES] = {from.ratios[at.row], from.columns[at.columns + at.column]};
        add_terms(k, p, g, s, lanes);
        go_on(at, by, of);
    }
    for (int m = 0; m < SUMS; m++) {
        partials[m * leaves * LANES + thread] = lanes[m];
    }
}

device void store(const Scalars& k, real state, State& to) {
    after(k, state, state);
    convert(state, to);
}

// An element; and a state with the first one that it belongs to.
device void update_place(const Scalars& k, const Tensor& t, const Factors& from, const Place& at,
                         Param& p, Grad g) {
    const int64 column = at.columns + at.column;
    real wide_p, wide_g, s[STATES] = {from.ratios[at.row], from.columns[column]};
    convert(p, wide_p);
    convert(g, wide_g);
    element(k, wide_p, wide_g, s);
    convert(wide_p, p);
    if (at.column == 0) {
        store(k, from.rows[at.row], t.s[0][at.row]);
    }
    if (at.inside == 0) {
        store(k, from.columns[column], t.s[1][column]);
    }
}

// One chunk of one tensor for each block. Places take registers: with three blocks on a multiprocessor a
// thread of the newest architectures spilled some.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
ferrostep_update(const Tensor* table, int count, Scalars k, const real* clip, int64 apart,
                 const Own* own, const Matrices* matrices, const real* factors, int64 rows) {
    const int row = row_of(table, count, blockIdx.x);
    const Tensor t = table[row];
    const Matrices of = matrices[row];
    const Factors from = factors_of(factors, rows, of);
    scale(k, t, clip, apart);
    take(k, own[row]);
    const int64 begin = (blockIdx.x - t.first) * CHUNK;
    const int64 end = t.length - begin < CHUNK ? t.length : begin + CHUNK;
    const int64 rest = holds_fours(t.p) && holds_fours(t.g) ? end - (end - begin) % 4 : begin;
    const Step next = {0, 0, 0, 1};
    int64 i = begin + 4 * threadIdx.x;
    Place at = digits(of, i);
    const Step fours_on = digits(of, 4 * THREADS);
#pragma unroll 1
    for (; i < rest; i += 4 * THREADS) {
        Four<Param> p = four(t.p, i);
        const Four<Grad> g = four((Grad*)t.g, i);
        Place each = at;
        for (int e = 0; e < 4; e++) {
            update_place(k, t, from, each, p.x[e], g.x[e]);
            go_on(each, next, of);
        }
        four(t.p, i) = p;
        go_on(at, fours_on, of);
    }
    i = rest + threadIdx.x;
    at = digits(of, i);
    const Step ones_on = digits(of, THREADS);
#pragma unroll 1
    for (; i < end; i += THREADS) {
        update_place(k, t, from, at, t.p[i], t.g[i]);
        go_on(at, ones_on, of);
    }
}
