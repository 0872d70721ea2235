// Matrices whose state is a mean of squares of each row and of each column: what the states will be, made
// before the rule's own kernels in memory apart. No tensor is written.

// The matrices of one tensor, and the numbers of the first row and the first column among those of all.
struct Matrices {
    int64 rows;  // of each
    int64 columns;
    int64 row;
    int64 column;
};

// What is summed up of one tensor: lines of equal lengths, one behind the other, each cut into leaves as any
// sum, and these into lanes, of which a line that is shorter has no more than elements. The first lane and
// the first leaf have these numbers.
struct Lines {
    int64 length;
    int64 first;
    int64 leaf;
};

device int64 lanes_of(const Lines& t) { return t.length < LANES ? t.length : LANES; }
device int64 leaves_of(const Lines& t) { return (t.length - 1) / LEAF + 1; }

// The elements of a thread: every LANES-th of a leaf of a line.
struct LaneOfLine {
    int tensor;
    int64 line;
    int64 begin;
    int64 end;
};

device LaneOfLine lane_of(const Lines* table, int count, int64 thread) {
    const int tensor = row_of(table, count, thread);
    const Lines t = table[tensor];
    const int64 leaf = (thread - t.first) / lanes_of(t);
    const int64 begin = leaf % leaves_of(t) * LEAF;
    const int64 rest = t.length - begin;
    return LaneOfLine{tensor, leaf / leaves_of(t), begin + (thread - t.first) % lanes_of(t),
                      begin + (rest < LEAF ? rest : LEAF)};
}

// Of the gradient as the rule sees it.
device double square(const Scalars& k, Param p, Grad g) {
    real wide_p, wide_g;
    convert(p, wide_p);
    convert(g, wide_g);
    before(k, wide_p, wide_g, wide_p, wide_g);
    double wide;
    convert(wide_g, wide);
    return mul_rn(wide, wide);
}

// Rows of a column that are read before the first is added, so that the sum waits for memory once.
constexpr int AHEAD = 16;

// Of the column that begins at element `i`.
device double down_column(const Scalars& k, const Tensor& t, const Matrices& of, int64 i) {
    double sum = 0.0;
    int64 rest = of.rows;
    for (; rest >= AHEAD; rest -= AHEAD, i += AHEAD * of.columns) {
        Param p[AHEAD];
        Grad g[AHEAD];
#pragma unroll
        for (int j = 0; j < AHEAD; j++) {
            p[j] = t.p[i + j * of.columns];
            g[j] = t.g[i + j * of.columns];
        }
#pragma unroll
        for (int j = 0; j < AHEAD; j++) {
            sum = add_rn(sum, square(k, p[j], g[j]));
        }
    }
#pragma unroll 1
    for (; rest > 0; rest--, i += of.columns) {
        sum = add_rn(sum, square(k, t.p[i], t.g[i]));
    }
    return sum;
}

// The sums of squares: down each of so many columns, which take longest and begin first, and those of each
// of so many lanes along the rows, in blocks of their own.
extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
ferrostep_squares(const Tensor* table, const Matrices* matrices, const Lines* rows, int count, Scalars k,
                  const real* clip, int64 apart, int64 columns, int64 lanes, double* down,
                  double* along) {
    const int64 thread = thread_number();
    if (thread < columns) {
        const int tensor = row_of(matrices, count, thread, &Matrices::column);
        const Tensor t = table[tensor];
        const Matrices of = matrices[tensor];
        scale(k, t, clip, apart);
        const int64 column = thread - of.column;
        const int64 matrix = column / of.columns;
        const int64 begin = matrix * of.rows * of.columns + column % of.columns;
        down[thread] = down_column(k, t, of, begin);
    }
    const int64 number = thread - (columns + THREADS - 1) / THREADS * THREADS;
    if (number < 0 || number >= lanes) {
        return;
    }
    const LaneOfLine lane = lane_of(rows, count, number);
    const Tensor t = table[lane.tensor];
    scale(k, t, clip, apart);
    const int64 line = lane.line * rows[lane.tensor].length;
    double sum = 0.0;
    for (int64 i = lane.begin; i < lane.end; i += LANES) {
        sum = add_rn(sum, square(k, t.p[line + i], t.g[line + i]));
    }
    along[number] = sum;
}

extern "C" __global__ void __launch_bounds__(THREADS)
ferrostep_leaves_of_lines(const Lines* table, int count, int64 leaves, const double* lanes,
                          double* sums) {
    const int64 leaf = thread_number();
    if (leaf >= leaves) {
        return;
    }
    const Lines t = table[row_of(table, count, leaf, &Lines::leaf)];
    const int64 width = lanes_of(t);
    const double* own = lanes + t.first + (leaf - t.leaf) * width;
    double x[LANES];
#pragma unroll
    for (int j = 0; j < LANES; j++) {
        x[j] = j < width ? own[j] : 0.0;
    }
    fold_halves<LANES / 2>(x);
    sums[leaf] = x[0];
}

// A line's sums are where its leaves begin, and each is of 2^levels leaves: those that come out are of FOLD
// times as many.
extern "C" __global__ void __launch_bounds__(THREADS)
ferrostep_fold_lines(const Lines* table, int count, int64 leaves, int levels, const double* sums,
                     double* folded) {
    const int64 leaf = thread_number();
    if (leaf >= leaves) {
        return;
    }
    const Lines t = table[row_of(table, count, leaf, &Lines::leaf)];
    const int64 place = (leaf - t.leaf) % leaves_of(t);
    const int64 n = ((leaves_of(t) - 1) >> levels) + 1;
    if (place * FOLD < n) {
        folded[leaf] = fold_neighbours(sums + (leaf - place), place * FOLD, n);
    }
}

device real rounded(double x) {
    real y;
    convert(x, y);
    return y;
}

device real new_state(const Averages& k, State old, double sum, int64 squares) {
    real state;
    convert(old, state);
    return averaged(k, state, rounded(entering(k, sum, to_double(squares))));
}

// The factors of all tensors: r of so many rows, the rows' new states, and those of the columns, which are c.
extern "C" __global__ void __launch_bounds__(THREADS)
ferrostep_states(const Tensor* table, const Matrices* matrices, const Lines* lines, int count,
                 Averages k, int64 rows, int64 columns, const double* along, const double* down,
                 real* factors) {
    const int64 thread = thread_number();
    if (thread < rows) {
        const int tensor = row_of(matrices, count, thread, &Matrices::row);
        const Lines t = lines[tensor];
        const int64 row = thread - matrices[tensor].row;
        const double sum = along[t.leaf + row * leaves_of(t)];
        factors[rows + thread] = new_state(k, table[tensor].s[0][row], sum, t.length);
    } else if (thread < rows + columns) {
        const int64 number = thread - rows;
        const int tensor = row_of(matrices, count, number, &Matrices::column);
        const Matrices of = matrices[tensor];
        const State old = table[tensor].s[1][number - of.column];
        factors[rows + thread] = new_state(k, old, down[number], of.rows);
    }
}

// The sums of lanes along the new states of each matrix' rows.
extern "C" __global__ void __launch_bounds__(THREADS)
ferrostep_sums_of_rows(const Matrices* matrices, const Lines* table, int count, int64 lanes,
                       const real* states, double* sums) {
    const int64 thread = thread_number();
    if (thread >= lanes) {
        return;
    }
    const LaneOfLine lane = lane_of(table, count, thread);
    const Matrices of = matrices[lane.tensor];
    const real* line = states + of.row + lane.line * of.rows;
    double sum = 0.0;
    for (int64 i = lane.begin; i < lane.end; i += LANES) {
        double wide;
        convert(line[i], wide);
        sum = add_rn(sum, wide);
    }
    sums[thread] = sum;
}

extern "C" __global__ void __launch_bounds__(THREADS)
ferrostep_ratios(const Matrices* matrices, const Lines* table, int count, Averages k, int64 rows,
                 const double* sums, real* factors) {
    const int64 thread = thread_number();
    if (thread >= rows) {
        return;
    }
    const int tensor = row_of(matrices, count, thread, &Matrices::row);
    const Matrices of = matrices[tensor];
    const Lines t = table[tensor];
    const int64 matrix = (thread - of.row) / of.rows;
    const double sum = sums[t.leaf + matrix * leaves_of(t)];
    const real by = rounded(divisor(k, sum, to_double(of.rows)));
    factors[thread] = div_rn(factors[rows + thread], by);
}
