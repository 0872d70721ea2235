// Tensors come in a table; each begins at a piece of work (a chunk, a leaf) numbered `first`, or by another
// member where a table numbers several kinds.

typedef long long int64;

template <typename Row>
device int row_of(const Row* table, int count, int64 piece, int64 Row::*begin = &Row::first) {
    int low = 0;
    int high = count;
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (table[middle].*begin <= piece) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}
