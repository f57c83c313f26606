// What a narrow layer, which keeps w transposed (kernels/panels.h), has of its own: its forward
// product, a whole vector of inputs at a time.
#pragma once

#include "kernels/gemm.h"
#include "kernels/row_block.h"

namespace fastmlp::FASTMLP_TARGET {

/// sums += x w of one output, in parts: a row of x in each, whose lanes are still to be summed.
template <class T, Index Rows>
FASTMLP_INLINE void add_narrow(const T* x, Index ldx, const T* w, const PanelShape& shape,
                               Index output, Vec<T> (&sums)[Rows]) {
  constexpr Index lanes = kLanes<T>;
  const Index whole = round_down(shape.in, lanes);
  for (Index begin = 0; begin < shape.in; begin += shape.width, w += shape.out * shape.width) {
    const Index width = min_index(shape.width, round_up(shape.in, lanes) - begin);
    const T* weights = w + output * width;
    const Index end = min_index(begin + width, whole);
    for (Index in = begin; in < end; in += lanes, weights += lanes) {
      const Vec<T> factor = load(weights);
      FASTMLP_UNROLL
      for (Index i = 0; i < Rows; ++i) sums[i] += load(x + i * ldx + in) * factor;
    }
    if (end == begin + width) continue;
    // Behind its last column x may hold what multiplied by zero is not zero.
    const Bits<T> inside = first_lanes<T>(shape.in - end);
    const Vec<T> factor = load(weights);
    FASTMLP_UNROLL
    for (Index i = 0; i < Rows; ++i) {
      sums[i] += (inside ? load(x + i * ldx + end) : Vec<T>{}) * factor;
    }
  }
}

/// z = x w + b, and zero in the padding. A row's sums have the same order alone and among others.
/// The arguments are a copy, because the stores could change what a reference refers to.
template <class T>
FASTMLP_NOINLINE void forward_narrow(const ForwardArgs<T> a, T* z) {
  constexpr Index lanes = kLanes<T>;
  const Index outputs = a.shape.out;
  const T* bias = a.w + outputs * round_up(a.shape.in, lanes);
  Index r = 0;
  for (; r + lanes <= a.batch; r += lanes) {
    RowBlock<T> columns;
    for (Index o = 0; o < outputs; ++o) {
      Vec<T> sums[lanes] = {};
      add_narrow(a.x + r * a.ldx, a.ldx, a.w, a.shape, o, sums);
      columns[o] = sum_each<T>(sums) + bias[o];
    }
    store_transposed<T>(columns, z + r * a.ldy, a.ldy, lanes, outputs);
  }
  for (; r < a.batch; ++r) {
    Vec<T> sums[lanes] = {};
    for (Index o = 0; o < outputs; ++o) {
      Vec<T> sum[1] = {};
      add_narrow(a.x + r * a.ldx, a.ldx, a.w, a.shape, o, sum);
      sums[o] = sum[0];
    }
    store(z + r * a.ldy, sum_each<T>(sums) + load(bias));
  }
}

/// The product multiplied what x has behind its last column, too.
template <class T>
FASTMLP_INLINE void zero_surplus_inputs(const BackwardWeightsArgs<T>& a, Index width) {
  const Index begin = round_down(width - 1, kLanes<T>);
  const Bits<T> inside = first_lanes<T>(a.shape.in - a.row_begin - begin);
  for (Index o = 0; o < a.shape.out; ++o) {
    T* last = a.dw + o * width + begin;
    store(last, inside ? load(last) : Vec<T>{});
  }
}

}  // namespace fastmlp::FASTMLP_TARGET
