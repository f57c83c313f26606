// exp, expm1, tanh, log and log1p on vectors, for float and double alike: range reduction by
// ln 2 in two parts (Cody and Waite) and a Taylor or atanh series that is long enough for the
// type, so every coefficient can be checked by hand. The tests bound the activations made of
// these to 4 ULP; exp and log are not measured by themselves. NaN comes through; results stay
// finite for every finite argument.
#pragma once

#include "simd/vec.h"

namespace fastmlp::FASTMLP_TARGET {

template <class T>
struct MathConstants;

template <>
struct MathConstants<float> {
  static constexpr int kMantissaBits = 23;
  static constexpr std::int32_t kExponentBias = 127;
  // ln 2 = high + low; the product of `high` and an exponent is exact.
  static constexpr float kLn2High = 0x1.62e4p-1f;
  static constexpr float kLn2Low = 0x1.7f7d1cp-20f;
  static constexpr float kRound =
      0x1.8p23f;                            // adding it leaves the nearest integer in the low bits
  static constexpr float kMinExp = -87.0f;  // exp(x) is a normal number in between
  static constexpr float kMaxExp = 88.0f;
  static constexpr float kTanhIsOne = 10.0f;
  static constexpr int kExpTerms = 7;  // 0.3466^8 / 8! = 5e-9
  static constexpr int kLogTerms = 5;  // 0.1716^12 / 13 = 5e-11
  static constexpr std::int32_t kSqrtHalfBits = 0x3F3504F3;
  static constexpr float kMinNormal = 0x1p-126f;
};

template <>
struct MathConstants<double> {
  static constexpr int kMantissaBits = 52;
  static constexpr std::int64_t kExponentBias = 1023;
  static constexpr double kLn2High = 0x1.62e42fefa38p-1;
  static constexpr double kLn2Low = 0x1.ef35793c7673p-45;
  static constexpr double kRound = 0x1.8p52;
  static constexpr double kMinExp = -708.0;
  static constexpr double kMaxExp = 709.0;
  static constexpr double kTanhIsOne = 20.0;
  static constexpr int kExpTerms = 13;  // 0.3466^14 / 14! = 4e-18
  static constexpr int kLogTerms = 11;  // 0.1716^24 / 25 = 2e-20
  static constexpr std::int64_t kSqrtHalfBits = 0x3FE6A09E667F3BCD;
  static constexpr double kMinNormal = 0x1p-1022;
};

/// x moved into [low, high]; NaN stays.
template <class T>
FASTMLP_INLINE Vec<T> clamp(Vec<T> x, T low, T high) {
  return min(broadcast<T>(high), max(broadcast<T>(low), x));
}

namespace detail {

/// 1/1! + r (1/2! + r (1/3! + ...)): expm1(r) / r for |r| <= ln(2) / 2.
template <class T>
FASTMLP_INLINE Vec<T> expm1_series(Vec<T> r) {
  constexpr int terms = MathConstants<T>::kExpTerms;
  double coefficient[terms + 1] = {1.0};
  for (int k = 1; k <= terms; ++k) coefficient[k] = coefficient[k - 1] / k;
  Vec<T> sum = broadcast<T>(static_cast<T>(coefficient[terms]));
  FASTMLP_UNROLL
  for (int k = terms - 1; k >= 1; --k) sum = sum * r + static_cast<T>(coefficient[k]);
  return sum;
}

template <class T>
struct Reduced {
  Vec<T> r;      // x - n ln 2, at most ln(2) / 2 in size
  Vec<T> scale;  // 2^n
};

template <class T>
FASTMLP_INLINE Reduced<T> reduce_by_ln2(Vec<T> x) {
  using C = MathConstants<T>;
  constexpr T log2e = static_cast<T>(1.4426950408889634);
  const Vec<T> shifted = x * log2e + C::kRound;
  const Vec<T> n = shifted - C::kRound;
  const Vec<T> r = (x - n * C::kLn2High) - n * C::kLn2Low;
  const Bits<T> exponent = (bit_cast<Bits<T>>(shifted) + C::kExponentBias) << C::kMantissaBits;
  return {r, bit_cast<Vec<T>>(exponent)};
}

}  // namespace detail

template <class T>
FASTMLP_INLINE Vec<T> exp(Vec<T> x) {
  using C = MathConstants<T>;
  const detail::Reduced<T> part = detail::reduce_by_ln2<T>(clamp<T>(x, C::kMinExp, C::kMaxExp));
  const Vec<T> growth = part.r * detail::expm1_series<T>(part.r);
  return part.scale * growth + part.scale;
}

/// exp(x) - 1 without the loss of digits near 0.
template <class T>
FASTMLP_INLINE Vec<T> expm1(Vec<T> x) {
  using C = MathConstants<T>;
  const detail::Reduced<T> part = detail::reduce_by_ln2<T>(clamp<T>(x, C::kMinExp, C::kMaxExp));
  const Vec<T> growth = part.r * detail::expm1_series<T>(part.r);
  return part.scale * growth + (part.scale - T{1});
}

/// tanh|x| = (e - 1) / (e + 1) with e = exp(2|x|), written in e - 1.
template <class T>
FASTMLP_INLINE Vec<T> tanh(Vec<T> x) {
  const Vec<T> magnitude = min(broadcast<T>(MathConstants<T>::kTanhIsOne), abs<T>(x));
  const Vec<T> grown = expm1<T>(T{2} * magnitude);
  return copy_sign<T>(grown / (grown + T{2}), x);
}

/// log(x) for positive normal x: x = 2^n m with sqrt(1/2) <= m < sqrt(2), and
/// log(m) = 2 (s + s^3/3 + s^5/5 + ...) with s = (m - 1) / (m + 1).
template <class T>
FASTMLP_INLINE Vec<T> log(Vec<T> x) {
  using C = MathConstants<T>;
  const Bits<T> exponent = (bit_cast<Bits<T>>(x) - C::kSqrtHalfBits) >> C::kMantissaBits;
  const Vec<T> m = bit_cast<Vec<T>>(bit_cast<Bits<T>>(x) - (exponent << C::kMantissaBits));
  const Vec<T> n = __builtin_convertvector(exponent, Vec<T>);
  const Vec<T> f = m - T{1};
  const Vec<T> s = f / (m + T{1});
  const Vec<T> s2 = s * s;
  Vec<T> series = broadcast<T>(T{2} / (2 * C::kLogTerms + 1));
  FASTMLP_UNROLL
  for (int k = C::kLogTerms - 1; k >= 1; --k) series = series * s2 + T{2} / (2 * k + 1);
  // log(m) = f - s (f - s^2 series): the leading term f is exact.
  const Vec<T> log_m = f - s * (f - s2 * series);
  const Vec<T> result = n * C::kLn2High + (log_m + n * C::kLn2Low);
  return x == x ? result : x;
}

/// log(1 + x) for 0 <= x <= 1 (Kahan): the rounding of 1 + x is divided out again.
template <class T>
FASTMLP_INLINE Vec<T> log1p(Vec<T> x) {
  const Vec<T> w = T{1} + x;
  const Vec<T> d = w - T{1};
  return d == T{0} ? x : log<T>(w) * (x / (d == T{0} ? broadcast<T>(T{1}) : d));
}

}  // namespace fastmlp::FASTMLP_TARGET
