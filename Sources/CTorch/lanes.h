// Sixteen float32 numbers at a time, in whatever vector registers the processor has, for loops over float32 and bfloat16 memory.
#pragma once

#include <cstdint>
#include <cstring>

#define CT_INLINE inline __attribute__((always_inline))
#if defined(__x86_64__)
#define CT_HAS_WIDE 1
#define CT_WIDE __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#endif

// The functions below are inlined everywhere, so that no vector is ever passed in registers that a caller might lack.
#pragma clang diagnostic ignored "-Wpsabi"

namespace ct {

constexpr int64_t lanes = 16;
typedef float Floats __attribute__((vector_size(64)));
typedef int32_t Ints __attribute__((vector_size(64)));
typedef uint32_t Words __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));

CT_INLINE Floats load(const float *p) {
  Floats v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
CT_INLINE void store(float *p, Floats v) { std::memcpy(p, &v, sizeof v); }

/// bfloat16 is the upper half of a float32.
CT_INLINE Floats load(const uint16_t *p) {
  Halves h;
  std::memcpy(&h, p, sizeof h);
  return reinterpret_cast<Floats>(__builtin_convertvector(h, Words) << 16);
}
/// Rounds to nearest even; NaN stays NaN.
CT_INLINE void store(uint16_t *p, Floats v) {
  const Words bits = reinterpret_cast<Words>(v);
  const Words rounded = (bits + (((bits >> 16) & 1u) + 0x7fffu)) >> 16;
  const Words missing = reinterpret_cast<Words>(v != v);
  const Halves h = __builtin_convertvector((rounded & ~missing) | (missing & 0x7fc0u), Halves);
  std::memcpy(p, &h, sizeof h);
}

/// `v` where `gate` is positive or NaN, else 0.
CT_INLINE Floats gated(Floats gate, Floats v) {
  const Ints closed = gate <= 0.0f;
  return reinterpret_cast<Floats>(reinterpret_cast<Ints>(v) & ~closed);
}

/// Calls a kernel compiled for the widest registers that the processor has.
#ifdef CT_HAS_WIDE
inline bool wide() {
  static const bool has = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return has;
}
#define CT_KERNEL(name)                                                        \
  template <class... Args>                                                     \
  CT_WIDE void name##Wide(Args... args) {                                      \
    name(args...);                                                             \
  }                                                                            \
  template <class... Args>                                                     \
  void run_##name(Args... args) {                                              \
    if (wide())                                                                \
      name##Wide(args...);                                                     \
    else                                                                       \
      name(args...);                                                           \
  }
#else
#define CT_KERNEL(name)           \
  template <class... Args>        \
  void run_##name(Args... args) { \
    name(args...);                \
  }
#endif

}  // namespace ct
