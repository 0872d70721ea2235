// The leaves of a sum, in the one order that everybody follows. Each array is cut into leaves; in a leaf,
// one thread adds up what every LANES-th element adds.

// What is summed: an array of so many elements, with leaves from number `first` on. Where a rule's terms
// are, it has no address and no kind.
struct Summed {
    const void* g;
    int64 length;
    int64 first;
    int64 kind;
};

device int64 thread_number() {
    return (int64)blockIdx.x * THREADS + threadIdx.x;
}

// The elements of a thread: every LANES-th of a leaf.
struct Lane {
    int row;
    int64 begin;
    int64 end;
};

device Lane lane_of(const Summed* table, int count, int64 thread) {
    const int64 leaf = thread / LANES;
    const int row = row_of(table, count, leaf);
    const int64 begin = (leaf - table[row].first) * LEAF;
    const int64 rest = table[row].length - begin;
    return Lane{row, begin + thread % LANES, begin + (rest < LEAF ? rest : LEAF)};
}
