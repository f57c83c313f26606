// Layer normalisation: each row shifted to mean 0 and scaled to variance 1. Ba, Kiros and Hinton,
// 2016, without gain and bias, which the product behind it has.
#pragma once

#include "kernels/kernel_table.h"
#include "simd/math.h"

namespace fastmlp::FASTMLP_TARGET {

/// What a row is shifted and scaled by, in every lane.
template <class T>
struct RowScale {
  Vec<T> mean;
  Vec<T> inverse;  // of the standard deviation
};

/// In two passes, so that a large mean costs no digits of the variance.
template <class T>
FASTMLP_INLINE RowScale<T> scale_of_row(const T* x, Index cols, T epsilon) {
  using V = Vec<T>;
  const T share = T{1} / static_cast<T>(cols);
  V sum{}, squares{};
  for (Index c = 0; c < cols; c += kLanes<T>) sum += first_lanes<T>(cols - c) ? load(x + c) : V{};
  const V mean = sum_lanes<T>(sum) * share;
  for (Index c = 0; c < cols; c += kLanes<T>) {
    const V off = first_lanes<T>(cols - c) ? load(x + c) - mean : V{};
    squares += off * off;
  }
  return {mean, T{1} / sqrt(sum_lanes<T>(squares) * share + epsilon)};
}

template <class T>
void normalize(const NormArgs<T>& a) {
  using V = Vec<T>;
  for (Index r = 0; r < a.rows; ++r) {
    const T* x = a.x + r * a.ldx;
    T* y = a.y + r * a.ldy;
    const RowScale<T> row = scale_of_row(x, a.cols, a.epsilon);
    for (Index c = 0; c < a.cols; c += kLanes<T>) {
      const V value = (load(x + c) - row.mean) * row.inverse;
      store(y + c, first_lanes<T>(a.cols - c) ? value : V{});
    }
  }
}

/// With n = normalize(x): dx = (dn - mean(dn) - n mean(dn n)) / std.
template <class T>
void normalize_slope(const NormArgs<T>& a) {
  using V = Vec<T>;
  const T share = T{1} / static_cast<T>(a.cols);
  for (Index r = 0; r < a.rows; ++r) {
    const T* x = a.x + r * a.ldx;
    T* d = a.y + r * a.ldy;
    const RowScale<T> row = scale_of_row(x, a.cols, a.epsilon);
    V sum{}, dot{};
    for (Index c = 0; c < a.cols; c += kLanes<T>) {
      const V slope = first_lanes<T>(a.cols - c) ? load(d + c) : V{};
      sum += slope;
      dot += first_lanes<T>(a.cols - c) ? slope * (load(x + c) - row.mean) * row.inverse : V{};
    }
    const V mean_slope = sum_lanes<T>(sum) * share, mean_dot = sum_lanes<T>(dot) * share;
    for (Index c = 0; c < a.cols; c += kLanes<T>) {
      const V n = (load(x + c) - row.mean) * row.inverse;
      const V slope = (load(d + c) - mean_slope - n * mean_dot) * row.inverse;
      store(d + c, first_lanes<T>(a.cols - c) ? slope : V{});
    }
  }
}

}  // namespace fastmlp::FASTMLP_TARGET
