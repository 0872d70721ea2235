// Widens, computes, and rounds each result once.
device void update_stored(const Scalars& k, Param& p, Grad g, State* s) {
    real wide_p, wide_g, wide_s[MAX_STATES];
    convert(p, wide_p);
    convert(g, wide_g);
    for (int j = 0; j < STATES; j++) {
        convert(s[j], wide_s[j]);
    }
    element(k, wide_p, wide_g, wide_s);
    convert(wide_p, p);
    for (int j = 0; j < STATES; j++) {
        convert(wide_s[j], s[j]);
    }
}

device void update_one(const Scalars& k, const Tensor& t, int64 i) {
    State s[MAX_STATES];
    for (int j = 0; j < STATES; j++) {
        s[j] = t.s[j][i];
    }
    update_stored(k, t.p[i], t.g[i], s);
    for (int j = 0; j < STATES; j++) {
        t.s[j][i] = s[j];
    }
}

device void update_four(const Scalars& k, const Tensor& t, int64 i) {
    Four<Param> p = four(t.p, i);
    const Four<Grad> g = four((Grad*)t.g, i);
    Four<State> s[MAX_STATES];
    for (int j = 0; j < STATES; j++) {
        s[j] = four(t.s[j], i);
    }
    for (int e = 0; e < 4; e++) {
        State one[MAX_STATES];
        for (int j = 0; j < STATES; j++) {
            one[j] = s[j].x[e];
        }
        update_stored(k, p.x[e], g.x[e], one);
        for (int j = 0; j < STATES; j++) {
            s[j].x[e] = one[j];
        }
    }
    four(t.p, i) = p;
    for (int j = 0; j < STATES; j++) {
        four(t.s[j], i) = s[j];
    }
}

// The chunk of a block. Threads share nothing.
device void update_chunk(const Scalars& k, const Tensor& t) {
    const int64 begin = (blockIdx.x - t.first) * CHUNK;
    const int64 end = t.length - begin < CHUNK ? t.length : begin + CHUNK;
    bool fours = holds_fours(t.p) && holds_fours(t.g);
    for (int j = 0; j < STATES; j++) {
        fours = fours && holds_fours(t.s[j]);
    }
    const int64 rest = fours ? end - (end - begin) % 4 : begin;
#pragma unroll 1
    for (int64 i = begin + 4 * threadIdx.x; i < rest; i += 4 * THREADS) {
        update_four(k, t, i);
    }
#pragma unroll 1
    for (int64 i = rest + threadIdx.x; i < end; i += THREADS) {
        update_one(k, t, i);
    }
}
