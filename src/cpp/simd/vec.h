// The vector type of the target being compiled, and the few operations that the language lacks.
// Vectors are GCC's and Clang's vector extensions: + - * /, comparisons and ?: are built in.
// The #if ladders below are the only places that know instruction sets; a target that has no rung
// falls through to plain C++.
#pragma once

#include <utility>

#include "base/base.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#ifndef FASTMLP_TARGET
#error "kernels are compiled once per target: see fastmlp_target() in CMakeLists.txt"
#endif

// FASTMLP_VECTOR_BYTES may be given by the build, to run one target's vector width on another's
// instructions.
#if defined(FASTMLP_VECTOR_BYTES)
#elif defined(__AVX512F__)
#define FASTMLP_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define FASTMLP_VECTOR_BYTES 32
#else
#define FASTMLP_VECTOR_BYTES 16
#endif

namespace fastmlp::FASTMLP_TARGET {

inline constexpr int kVectorBytes = FASTMLP_VECTOR_BYTES;
#if defined(__aarch64__)
inline constexpr int kRegisters = 32;
#else
inline constexpr int kRegisters = kVectorBytes == 64 ? 32 : 16;
#endif

/// Whether a * b + c is rounded once (the kernels are compiled with -ffp-contract=fast).
#if defined(__FMA__) || defined(__aarch64__)
inline constexpr bool kFusedMultiplyAdd = true;
#else
inline constexpr bool kFusedMultiplyAdd = false;
#endif

#define FASTMLP_VECTOR __attribute__((vector_size(FASTMLP_VECTOR_BYTES)))
typedef float F32 FASTMLP_VECTOR;
typedef double F64 FASTMLP_VECTOR;
typedef std::int32_t I32 FASTMLP_VECTOR;
typedef std::int64_t I64 FASTMLP_VECTOR;
typedef std::uint32_t U32 FASTMLP_VECTOR;
typedef std::uint64_t U64 FASTMLP_VECTOR;
#undef FASTMLP_VECTOR

template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  using Type = F32;
  using Bits = I32;
  using Integer = std::int32_t;
};
template <>
struct VectorOf<double> {
  using Type = F64;
  using Bits = I64;
  using Integer = std::int64_t;
};

template <class T>
using Vec = typename VectorOf<T>::Type;
/// Integers of the same width, lane by lane: bit patterns and the results of comparisons.
template <class T>
using Bits = typename VectorOf<T>::Bits;

template <class T>
inline constexpr Index kLanes = kVectorBytes / static_cast<Index>(sizeof(T));

template <class To, class From>
FASTMLP_INLINE To bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof(to));
  return to;
}

template <class T>
FASTMLP_INLINE Vec<T> load(const T* p) {
  Vec<T> v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

template <class T>
FASTMLP_INLINE void store(T* p, Vec<T> v) {
  __builtin_memcpy(p, &v, sizeof(v));
}

template <class T>
FASTMLP_INLINE Vec<T> broadcast(T value) {
  return value - Vec<T>{};
}

// AVX-512 intrinsics are used in their masked form: the plain ones pass an undefined vector, which
// GCC 12 warns about. With a constant full mask the instruction is the same.
#if defined(__AVX512F__)
inline constexpr std::uint16_t kAllLanes = 0xFFFF;
#endif

/// a > b ? a : b. A NaN in b comes through; one in a does not.
FASTMLP_INLINE F32 max(F32 a, F32 b) {
#if defined(__AVX512F__) && FASTMLP_VECTOR_BYTES == 64
  return (F32)_mm512_maskz_max_ps(kAllLanes, (__m512)a, (__m512)b);
#elif defined(__AVX__) && FASTMLP_VECTOR_BYTES == 32
  return (F32)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__) && FASTMLP_VECTOR_BYTES == 16
  return (F32)_mm_max_ps((__m128)a, (__m128)b);
#else
  return a > b ? a : b;
#endif
}
FASTMLP_INLINE F64 max(F64 a, F64 b) {
#if defined(__AVX512F__) && FASTMLP_VECTOR_BYTES == 64
  return (F64)_mm512_maskz_max_pd((__mmask8)kAllLanes, (__m512d)a, (__m512d)b);
#elif defined(__AVX__) && FASTMLP_VECTOR_BYTES == 32
  return (F64)_mm256_max_pd((__m256d)a, (__m256d)b);
#elif defined(__SSE2__) && FASTMLP_VECTOR_BYTES == 16
  return (F64)_mm_max_pd((__m128d)a, (__m128d)b);
#else
  return a > b ? a : b;
#endif
}
/// a < b ? a : b, with max's rule for NaN.
FASTMLP_INLINE F32 min(F32 a, F32 b) {
#if defined(__AVX512F__) && FASTMLP_VECTOR_BYTES == 64
  return (F32)_mm512_maskz_min_ps(kAllLanes, (__m512)a, (__m512)b);
#elif defined(__AVX__) && FASTMLP_VECTOR_BYTES == 32
  return (F32)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__) && FASTMLP_VECTOR_BYTES == 16
  return (F32)_mm_min_ps((__m128)a, (__m128)b);
#else
  return a < b ? a : b;
#endif
}
FASTMLP_INLINE F64 min(F64 a, F64 b) {
#if defined(__AVX512F__) && FASTMLP_VECTOR_BYTES == 64
  return (F64)_mm512_maskz_min_pd((__mmask8)kAllLanes, (__m512d)a, (__m512d)b);
#elif defined(__AVX__) && FASTMLP_VECTOR_BYTES == 32
  return (F64)_mm256_min_pd((__m256d)a, (__m256d)b);
#elif defined(__SSE2__) && FASTMLP_VECTOR_BYTES == 16
  return (F64)_mm_min_pd((__m128d)a, (__m128d)b);
#else
  return a < b ? a : b;
#endif
}

FASTMLP_INLINE F32 sqrt(F32 v) {
#if defined(__AVX512F__) && FASTMLP_VECTOR_BYTES == 64
  return (F32)_mm512_maskz_sqrt_ps(kAllLanes, (__m512)v);
#elif defined(__AVX__) && FASTMLP_VECTOR_BYTES == 32
  return (F32)_mm256_sqrt_ps((__m256)v);
#elif defined(__SSE2__) && FASTMLP_VECTOR_BYTES == 16
  return (F32)_mm_sqrt_ps((__m128)v);
#else
  for (Index i = 0; i < kLanes<float>; ++i) v[i] = __builtin_sqrtf(v[i]);
  return v;
#endif
}
FASTMLP_INLINE F64 sqrt(F64 v) {
#if defined(__AVX512F__) && FASTMLP_VECTOR_BYTES == 64
  return (F64)_mm512_maskz_sqrt_pd((__mmask8)kAllLanes, (__m512d)v);
#elif defined(__AVX__) && FASTMLP_VECTOR_BYTES == 32
  return (F64)_mm256_sqrt_pd((__m256d)v);
#elif defined(__SSE2__) && FASTMLP_VECTOR_BYTES == 16
  return (F64)_mm_sqrt_pd((__m128d)v);
#else
  for (Index i = 0; i < kLanes<double>; ++i) v[i] = __builtin_sqrt(v[i]);
  return v;
#endif
}

/// Estimates of 1 / v and 1 / sqrt(v), to 14 bits, on targets that have them: an AVX-512 division
/// or square root of 16 numbers takes as long as ten products on Intel's processors.
template <class T>
inline constexpr bool kHasEstimates = false;
#if defined(__AVX512F__) && FASTMLP_VECTOR_BYTES == 64
template <>
inline constexpr bool kHasEstimates<float> = true;
FASTMLP_INLINE F32 inverse_estimate(F32 v) {
  return (F32)_mm512_maskz_rcp14_ps(kAllLanes, (__m512)v);
}
FASTMLP_INLINE F32 inverse_sqrt_estimate(F32 v) {
  return (F32)_mm512_maskz_rsqrt14_ps(kAllLanes, (__m512)v);
}
#endif

/// Whether a number of each lane can be looked up among 32 by one instruction.
template <class T>
inline constexpr bool kLooksUp = false;
#if defined(__AVX512F__) && FASTMLP_VECTOR_BYTES == 64
template <>
inline constexpr bool kLooksUp<float> = true;
/// table[index % 32], lane by lane.
FASTMLP_INLINE F32 look_up(const float (&table)[32], I32 index) {
  return (F32)_mm512_permutex2var_ps((__m512)load(table), (__m512i)index, (__m512)load(table + 16));
}
#endif

/// The 64-bit products of the lower 32 bits of each lane.
FASTMLP_INLINE U64 multiply_low_halves(U64 a, U64 b) {
#if defined(__AVX512F__) && FASTMLP_VECTOR_BYTES == 64
  return (U64)_mm512_maskz_mul_epu32((__mmask8)kAllLanes, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__) && FASTMLP_VECTOR_BYTES == 32
  return (U64)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__SSE2__) && FASTMLP_VECTOR_BYTES == 16
  return (U64)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
#endif
}

/// |v| and the sign of v, by bits.
template <class T>
inline constexpr typename VectorOf<T>::Integer kSignBit =
    static_cast<typename VectorOf<T>::Integer>(typename VectorOf<T>::Integer{1}
                                               << (8 * sizeof(T) - 2)) *
    -2;
template <class T>
FASTMLP_INLINE Vec<T> abs(Vec<T> v) {
  return bit_cast<Vec<T>>(bit_cast<Bits<T>>(v) & ~kSignBit<T>);
}
template <class T>
FASTMLP_INLINE Vec<T> copy_sign(Vec<T> magnitude, Vec<T> sign) {
  return bit_cast<Vec<T>>((bit_cast<Bits<T>>(magnitude) & ~kSignBit<T>) |
                          (bit_cast<Bits<T>>(sign) & kSignBit<T>));
}

namespace detail {

template <class T, std::size_t... I>
FASTMLP_INLINE Bits<T> iota(std::index_sequence<I...>) {
  return Bits<T>{static_cast<typename VectorOf<T>::Integer>(I)...};
}
template <std::size_t Step, class V, std::size_t... I>
FASTMLP_INLINE V exchange(V v, std::index_sequence<I...>) {
  return __builtin_shufflevector(v, v, (I ^ Step)...);
}
template <std::size_t Half, class V, std::size_t... I>
FASTMLP_INLINE V zip(V a, V b, std::index_sequence<I...>) {
  constexpr std::size_t lanes = sizeof...(I);
  return __builtin_shufflevector(a, b, (Half * lanes / 2 + I / 2 + (I % 2) * lanes)...);
}
template <class T, std::size_t Step, class Combine>
FASTMLP_INLINE Vec<T> butterfly(Vec<T> v, Combine combine) {
  v = combine(v, exchange<Step>(v, std::make_index_sequence<kLanes<T>>{}));
  if constexpr (Step > 1) {
    return butterfly<T, Step / 2>(v, combine);
  } else {
    return v;
  }
}

}  // namespace detail

/// True in the lanes below n.
template <class T>
FASTMLP_INLINE Bits<T> first_lanes(Index n) {
  using Integer = typename VectorOf<T>::Integer;
  const auto limit = static_cast<Integer>(min_index(n, kLanes<T>));
  return detail::iota<T>(std::make_index_sequence<kLanes<T>>{}) < limit;
}

/// The sum of all lanes, in a fixed order, in every lane.
template <class T>
FASTMLP_INLINE Vec<T> sum_lanes(Vec<T> v) {
  return detail::butterfly<T, kLanes<T> / 2>(v, [](Vec<T> a, Vec<T> b) { return a + b; });
}
/// The largest lane, in every lane; a NaN may get lost.
template <class T>
FASTMLP_INLINE Vec<T> max_lanes(Vec<T> v) {
  return detail::butterfly<T, kLanes<T> / 2>(v, [](Vec<T> a, Vec<T> b) { return max(a, b); });
}

/// Lane i of the result is the sum of the lanes of block[i], as sum_lanes() adds them up, by two
/// shuffles and an addition for every two vectors.
template <class T, Index Count>
FASTMLP_INLINE Vec<T> sum_each(const Vec<T> (&block)[Count]) {
  if constexpr (Count == 1) {
    return block[0];
  } else {
    constexpr Index half = Count / 2;
    constexpr auto all = std::make_index_sequence<kLanes<T>>{};
    Vec<T> sums[half];
    FASTMLP_UNROLL
    for (Index i = 0; i < half; ++i) {
      sums[i] = detail::zip<0>(block[i], block[i + half], all) +
                detail::zip<1>(block[i], block[i + half], all);
    }
    return sum_each<T>(sums);
  }
}

/// Transposes the square block of kLanes vectors in `rows` by log2(kLanes) perfect shuffles.
template <class T, Index Rounds = kLanes<T>>
FASTMLP_INLINE void transpose(Vec<T> (&rows)[kLanes<T>]) {
  if constexpr (Rounds > 1) {
    constexpr Index lanes = kLanes<T>;
    constexpr auto all = std::make_index_sequence<lanes>{};
    Vec<T> zipped[lanes];
    FASTMLP_UNROLL
    for (Index i = 0; i < lanes / 2; ++i) {
      zipped[2 * i] = detail::zip<0>(rows[i], rows[i + lanes / 2], all);
      zipped[2 * i + 1] = detail::zip<1>(rows[i], rows[i + lanes / 2], all);
    }
    transpose<T, Rounds / 2>(zipped);
    FASTMLP_UNROLL
    for (Index i = 0; i < lanes; ++i) rows[i] = zipped[i];
  }
}

}  // namespace fastmlp::FASTMLP_TARGET
