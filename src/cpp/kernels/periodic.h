// Cosines of numbers that count turns, and their slope: the periodic features of a table's numbers
// (nn/encoder.h).
#pragma once

#include "kernels/kernel_table.h"
#include "simd/math.h"

namespace fastmlp::FASTMLP_TARGET {

template <class T>
void periodic(const PeriodicArgs<T>& a) {
  for (Index r = 0; r < a.rows; ++r) {
    for (Index c = 0; c < a.cols; c += kLanes<T>) {
      store(a.y + r * a.ldy + c, cos_of_turns<T>(load(a.turns + r * a.ldturns + c)));
    }
  }
}

template <class T>
void periodic_slope(const PeriodicArgs<T>& a) {
  for (Index r = 0; r < a.rows; ++r) {
    for (Index c = 0; c < a.cols; c += kLanes<T>) {
      // sin(2 pi x) = cos(2 pi (x - 1/4))
      const Vec<T> turns = load(a.turns + r * a.ldturns + c) - T{0.25};
      T* y = a.y + r * a.ldy + c;
      store(y, load(y) * (cos_of_turns<T>(turns) * static_cast<T>(-6.283185307179586)));
    }
  }
}

}  // namespace fastmlp::FASTMLP_TARGET
