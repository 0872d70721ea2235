// Four neighbours, which are read and written at once.

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
