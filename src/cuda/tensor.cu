// One tensor: its parameter, gradient and states, of equal lengths and equal order; `number` counts the
// gradients of the step on this device.
struct Tensor {
    Param* p;
    const Grad* g;
    State* s[MAX_STATES];
    int64 length;
    int64 first;
    int64 number;
};

template <typename T>
struct alignas(4 * sizeof(T)) Four {
    T x[4];
};

template <typename T>
device bool holds_fours(const T* pointer) {
    return (unsigned long long)pointer % sizeof(Four<T>) == 0;
}

template <typename T>
device Four<T>& four(T* pointer, int64 i) {
    return *(Four<T>*)(pointer + i);
}

// Blocks on a multiprocessor at the least. They leave a thread 80 registers (128 of float64), with
// which no rule spills any.
constexpr int BLOCKS = sizeof(real) == 8 ? 2 : 3;

// What gradients are scaled by may be on the device: at `clip`, and for each tensor by itself `apart`
// numbers further for each tensor before.
device void scale(Scalars& k, const Tensor& t, const real* clip, int64 apart) {
    if (clip) {
        k.grad_scale = mul_rn(k.grad_scale, clip[t.number * apart]);
    }
}
