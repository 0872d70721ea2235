// What a CUDA kernel's text needs to be C++, and a launch that runs every thread by itself, one
// after the other: right for kernels whose threads share nothing.

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)

namespace {

struct Index {
    unsigned x, y, z;
};
Index blockIdx, threadIdx, blockDim, gridDim;

template <typename T>
T atomicMin(T* place, T value) {
    const T old = *place;
    *place = value < old ? value : old;
    return old;
}

template <unsigned... I>
struct Places {};
template <unsigned N, unsigned... I>
struct PlacesTo : PlacesTo<N - 1, N - 1, I...> {};
template <unsigned... I>
struct PlacesTo<0, I...> : Places<I...> {};

template <typename... A, unsigned... I>
void call(void (*kernel)(A...), void** arguments, Places<I...>) {
    kernel(*static_cast<A*>(arguments[I])...);
}

// Blocks and threads from the first to the last, or from the last to the first: no kernel may
// tell the difference.
template <typename... A>
void launch(void (*kernel)(A...), unsigned grid, unsigned block, void** arguments, bool backwards) {
    gridDim = {grid, 1, 1};
    blockDim = {block, 1, 1};
    for (unsigned b = 0; b < grid; b++) {
        for (unsigned t = 0; t < block; t++) {
            blockIdx.x = backwards ? grid - 1 - b : b;
            threadIdx.x = backwards ? block - 1 - t : t;
            call(kernel, arguments, PlacesTo<sizeof...(A)>());
        }
    }
}

// So that a launch with arguments of other sizes is refused instead of reading past them.
template <typename... A>
unsigned sizes(void (*)(A...), unsigned* to) {
    const unsigned all[] = {static_cast<unsigned>(sizeof(A))..., 0};
    for (unsigned i = 0; i < sizeof...(A); i++) {
        to[i] = all[i];
    }
    return sizeof...(A);
}

}  // namespace
