// The operations that the rest is made of, each rounded once to nearest-even. On the device one
// line of PTX, which keeps its rounding and its subnormals whatever the compiler is told
// (-ftz=true, --use_fast_math); elsewhere the operator of C++, so that this very text also runs
// where there is no GPU.

#define device static __device__ __forceinline__

#ifdef __CUDACC__
#define BINARY(name, real, reg, ptx, host)                          \
    device real name(real a, real b) {                              \
        real c;                                                     \
        asm(ptx " %0, %1, %2;" : "=" reg(c) : reg(a), reg(b));      \
        return c;                                                   \
    }
#define UNARY(name, to, to_reg, from, from_reg, ptx, operand, host) \
    device to name(from a) {                                        \
        to b;                                                       \
        asm(ptx " %0, %1" operand ";" : "=" to_reg(b) : from_reg(a)); \
        return b;                                                   \
    }
#define COMPARE(name, real, reg, ptx, host)                         \
    device bool name(real a, real b) {                              \
        unsigned c;                                                 \
        asm("{ .reg .pred c; " ptx " c, %1, %2; selp.u32 %0, 1, 0, c; }" \
            : "=r"(c) : reg(a), reg(b));                            \
        return c != 0;                                              \
    }
#else
template <typename To, typename From>
static inline To same_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "as many bits");
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
}
#define BINARY(name, real, reg, ptx, host) \
    device real name(real a, real b) { return host; }
#define UNARY(name, to, to_reg, from, from_reg, ptx, operand, host) \
    device to name(from a) { return host; }
#define COMPARE(name, real, reg, ptx, host) \
    device bool name(real a, real b) { return host; }
#endif

typedef unsigned int bits32;
typedef unsigned long long bits64;

BINARY(add_rn, float, "f", "add.rn.f32", a + b)
BINARY(sub_rn, float, "f", "sub.rn.f32", a - b)
BINARY(mul_rn, float, "f", "mul.rn.f32", a * b)
BINARY(div_rn, float, "f", "div.rn.f32", a / b)
COMPARE(lt, float, "f", "setp.lt.f32", a < b)
UNARY(sqrt_rn, float, "f", float, "f", "sqrt.rn.f32", "", __builtin_sqrtf(a))
UNARY(bits_of, bits32, "r", float, "f", "mov.b32", "", same_bits<bits32>(a))
UNARY(from_bits, float, "f", bits32, "r", "mov.b32", "", same_bits<float>(a))
UNARY(absolute, float, "f", float, "f", "and.b32", ", 0x7fffffff", __builtin_fabsf(a))

BINARY(add_rn, double, "d", "add.rn.f64", a + b)
BINARY(sub_rn, double, "d", "sub.rn.f64", a - b)
BINARY(mul_rn, double, "d", "mul.rn.f64", a * b)
BINARY(div_rn, double, "d", "div.rn.f64", a / b)
COMPARE(lt, double, "d", "setp.lt.f64", a < b)
UNARY(sqrt_rn, double, "d", double, "d", "sqrt.rn.f64", "", __builtin_sqrt(a))
UNARY(bits_of, bits64, "l", double, "d", "mov.b64", "", same_bits<bits64>(a))
UNARY(from_bits, double, "d", bits64, "l", "mov.b64", "", same_bits<double>(a))
UNARY(absolute, double, "d", double, "d", "and.b64", ", 0x7fffffffffffffff", __builtin_fabs(a))

UNARY(to_double, double, "d", float, "f", "cvt.f64.f32", "", a)
UNARY(to_float, float, "f", double, "d", "cvt.rn.f32.f64", "", (float)a)
UNARY(to_double, double, "d", long long, "l", "cvt.rn.f64.s64", "", (double)a)

template <typename Real>
device Real select(bool mask, Real yes, Real no) {
    return mask ? yes : no;
}
