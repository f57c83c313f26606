// What the machine could do at best, as loops that do nothing else: multiply-adds on registers, as
// many independent chains as the tile of a product has, and STREAM's triad (McCalpin, 1995).
#pragma once

#include "kernels/gemm.h"

namespace fastmlp::FASTMLP_TARGET {

/// Operations of one turn of multiply_adds().
template <class T>
constexpr Index kTurnFlops = 2 * kPanelVectors * tile_rows(kPanelVectors) * kLanes<T>;

template <class T>
T multiply_adds(Index turns) {
  constexpr int chains = kPanelVectors * tile_rows(kPanelVectors);
  Vec<T> sum[chains];
  // From numbers that the compiler doesn't know: it would leave out a chain that begins at 2.
  FASTMLP_UNROLL
  for (int i = 0; i < chains; ++i) sum[i] = broadcast<T>(static_cast<T>(turns + i));
  const Vec<T> factor = broadcast<T>(T{0.5});
  const Vec<T> summand = broadcast<T>(T{1});
  for (Index turn = 0; turn < turns; ++turn) {
    FASTMLP_UNROLL
    for (int i = 0; i < chains; ++i) sum[i] = sum[i] * factor + summand;
  }
  Vec<T> total{};
  FASTMLP_UNROLL
  for (int i = 0; i < chains; ++i) total += sum[i];
  return sum_lanes<T>(total)[0];
}

/// a = b + factor c; n is a multiple of the lanes.
template <class T>
void triad(T* a, const T* b, const T* c, T factor, Index n) {
  for (Index i = 0; i < n; i += kLanes<T>) store(a + i, load(b + i) + factor * load(c + i));
}

}  // namespace fastmlp::FASTMLP_TARGET
