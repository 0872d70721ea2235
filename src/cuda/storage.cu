// How numbers lie in memory, and their way to and from the type computed in: the integer
// operations of the CPU's conversions, at most one exact addition, no instruction for halves.

struct float16 {
    unsigned short bits;
};
struct bfloat16 {
    unsigned short bits;
};

constexpr bits32 NARROWER = 23 - 10;  // bits that float32 has more for the significand
constexpr bits32 REBIAS = (127 - 15) << 23;
constexpr bits32 SMALLEST_NORMAL = REBIAS + (1 << 23);  // of float16
constexpr bits32 SIGN = 0x80000000;
constexpr bits32 INFINITE = 0x7f800000;

device void convert(float16 from, float& to) {
    const bits32 magnitude = (from.bits & 0x7fffu) << NARROWER;
    const bool is_finite = magnitude < 0x7c00u << NARROWER;
    const bits32 normal = magnitude + (is_finite ? REBIAS : 2 * REBIAS);
    const float aligned = from_bits(magnitude | SMALLEST_NORMAL);
    const bits32 subnormal = bits_of(sub_rn(aligned, from_bits(SMALLEST_NORMAL)));
    const bool is_normal = magnitude >= 0x0400u << NARROWER;
    to = from_bits((is_normal ? normal : subnormal) | (from.bits & 0x8000u) << 16);
}

device void convert(float from, float16& to) {
    const bits32 bits = bits_of(from);
    const bits32 magnitude = bits & ~SIGN;
    const bits32 half = (1 << (NARROWER - 1)) - 1 + (magnitude >> NARROWER & 1);
    const bits32 nearest = (magnitude - REBIAS + half) >> NARROWER;
    const bits32 normal = nearest < 0x7c00 ? nearest : 0x7c00;
    const bits32 aligned = bits_of(add_rn(from_bits(magnitude), 0.5f));
    const bits32 subnormal = aligned - bits_of(0.5f);
    const bits32 number = magnitude >= SMALLEST_NORMAL ? normal : subnormal;
    const bits32 result = magnitude > INFINITE ? 0x7e00 : number;
    to.bits = (unsigned short)(result | (bits & SIGN) >> 16);
}

device void convert(bfloat16 from, float& to) {
    to = from_bits((bits32)from.bits << 16);
}

device void convert(float from, bfloat16& to) {
    const bits32 bits = bits_of(from);
    const bits32 upper = bits >> 16;
    const bits32 nearest = (bits + 0x7fff + (upper & 1)) >> 16;
    to.bits = (unsigned short)((bits & ~SIGN) > INFINITE ? upper | 0x0040 : nearest);
}

device void convert(float from, float& to) { to = from; }
device void convert(double from, double& to) { to = from; }
device void convert(float from, double& to) { to = to_double(from); }
device void convert(double from, float& to) { to = to_float(from); }

template <typename Half>
device void convert(Half from, double& to) {
    float wide;
    convert(from, wide);
    to = to_double(wide);
}
