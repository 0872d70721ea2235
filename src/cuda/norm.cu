// Sums over gradients, and the kernels that fold sums.

// What an element adds, once it is in its parameter's compute type.
template <typename Term>
device double added(const Summed& t, int64 i) {
    float x;
    switch (t.kind) {
    case 0:
        convert(((const float16*)t.g)[i], x);
        break;
    case 1:
        convert(((const bfloat16*)t.g)[i], x);
        break;
    case 2:
        x = ((const float*)t.g)[i];
        break;
    case 3:  // a float64 gradient of a parameter that is computed in float32
        x = to_float(((const double*)t.g)[i]);
        break;
    default:
        return Term::of(((const double*)t.g)[i]);
    }
    return Term::of(x);
}

template <typename Term>
device double lane_sum(const Summed& t, const Lane& lane) {
    double sum = 0.0;
    for (int64 i = lane.begin; i < lane.end; i += LANES) {
        sum = add_rn(sum, added<Term>(t, i));
    }
    return sum;
}

extern "C" __global__ void __launch_bounds__(THREADS)
ferrostep_norm_partials(const Summed* table, int count, int64 leaves, double* partials) {
    const int64 thread = thread_number();
    if (thread >= leaves * LANES) {
        return;
    }
    const Lane lane = lane_of(table, count, thread);
    partials[thread] = lane_sum<GradientNorm>(table[lane.row], lane);
}

extern "C" __global__ void __launch_bounds__(THREADS)
ferrostep_norm_leaves(const double* partials, int64 leaves, double* sums) {
    const int64 leaf = thread_number();
    if (leaf >= leaves) {
        return;
    }
    double lanes[LANES];
#pragma unroll
    for (int j = 0; j < LANES; j++) {
        lanes[j] = partials[leaf * LANES + j];
    }
    fold_halves<LANES / 2>(lanes);
    sums[leaf] = lanes[0];
}

extern "C" __global__ void __launch_bounds__(THREADS)
ferrostep_norm_fold(const double* sums, int64 n, double* folded) {
    const int64 thread = thread_number();
    if (thread * FOLD < n) {
        folded[thread] = fold_neighbours(sums, thread * FOLD, n);
    }
}

// The same for each array by itself. Its sums are where its leaves begin, and each is of 2^levels
// leaves: those that come out are of FOLD times as many.
extern "C" __global__ void __launch_bounds__(THREADS)
ferrostep_norm_fold_each(const Summed* table, int count, int64 leaves, int levels,
                         const double* sums, double* folded) {
    const int64 leaf = thread_number();
    if (leaf >= leaves) {
        return;
    }
    const Summed t = table[row_of(table, count, leaf)];
    const int64 n = ((t.length - 1) / LEAF >> levels) + 1;
    const int64 begin = (leaf - t.first) * FOLD;
    if (begin < n) {
        folded[leaf] = fold_neighbours(sums + t.first, begin, n);
    }
}

struct Clip {
    double norm;
    double scale;
    float scale_float;
};

device void finish(double sum, double grad_scale, double max_norm, Clip* clip) {
    double norm, scale;
    clipping(sum, grad_scale, max_norm, norm, scale);
    clip->norm = norm;
    clip->scale = scale;
    clip->scale_float = to_float(scale);
}

// The norm after `grad_scale`, and what gradients are multiplied by; `sum` is null of nothing.
extern "C" __global__ void
ferrostep_norm_finish(const double* sum, double grad_scale, double max_norm, Clip* clip) {
    finish(sum ? *sum : 0.0, grad_scale, max_norm, clip);
}

// The same for each gradient by itself.
extern "C" __global__ void __launch_bounds__(THREADS)
ferrostep_norm_finish_each(const Summed* table, int count, const double* sums,
                           double grad_scale, double max_norm, Clip* clips) {
    const int64 row = thread_number();
    if (row < count) {
        const Summed t = table[row];
        finish(t.length ? sums[t.first] : 0.0, grad_scale, max_norm, clips + row);
    }
}

// The lowest row with an element that is infinite or NaN once it is converted.
extern "C" __global__ void __launch_bounds__(THREADS)
ferrostep_find_nonfinite(const Summed* table, int count, int64 leaves, int* first) {
    const int64 thread = thread_number();
    if (thread >= leaves * LANES) {
        return;
    }
    const Lane lane = lane_of(table, count, thread);
    // A zero if all is finite, else NaN, which is below nothing.
    if (!lt(lane_sum<Finite>(table[lane.row], lane), 1.0)) {
        atomicMin(first, lane.row);
    }
}
