// How a dense layer's parameters lie in memory: panels of `width` columns, each panel a row-major
// (in + 1) x width block whose last row is the bias. The last panel is narrower, a multiple of the
// vector's lanes; its surplus columns hold zeros and stay zero. The micro-kernel reads a panel from
// front to back, so nothing is packed in a step, and no leading dimension can alias.
// A narrow layer, whose few outputs would leave most lanes idle, keeps w transposed: a panel is
// `out` rows of `width` inputs, and a vector of biases follows the last panel. Its surplus inputs
// are zero, too.
// Gradients and optimizer state have the same layout.
#pragma once

#include "base/base.h"

namespace fastmlp {

struct PanelShape {
  Index in;
  Index out;
  Index width;  // of a full panel: the target's panel_vectors * lanes
  Index lanes;
  bool narrow = false;  // never in a computation graph, whose weights are packed for a product
};

FASTMLP_INLINE constexpr Index padded_out(const PanelShape& s) { return round_up(s.out, s.lanes); }
FASTMLP_INLINE constexpr Index padded_in(const PanelShape& s) { return round_up(s.in, s.lanes); }
/// Of panels of outputs, into which y falls; a narrow layer has one.
FASTMLP_INLINE constexpr Index panel_count(const PanelShape& s) { return ceil_div(s.out, s.width); }
FASTMLP_INLINE constexpr Index panel_width(const PanelShape& s, Index panel) {
  return min_index(s.width, padded_out(s) - panel * s.width);
}
FASTMLP_INLINE constexpr Index panel_offset(const PanelShape& s, Index panel) {
  return panel * s.width * (s.in + 1);
}
/// The same for a narrow layer's panel of inputs, which begins with input `in`.
FASTMLP_INLINE constexpr Index narrow_width(const PanelShape& s, Index in) {
  return min_index(s.width, padded_in(s) - in);
}
FASTMLP_INLINE constexpr Index narrow_offset(const PanelShape& s, Index in) { return in * s.out; }
/// Where row `row` of w begins in a panel; in a narrow layer, where inputs from `row` on do, a
/// multiple of the width.
FASTMLP_INLINE constexpr Index row_offset(const PanelShape& s, Index panel, Index row) {
  return s.narrow ? narrow_offset(s, row) : panel_offset(s, panel) + row * panel_width(s, panel);
}
FASTMLP_INLINE constexpr Index param_size(const PanelShape& s) {
  return s.narrow ? s.out * padded_in(s) + padded_out(s) : (s.in + 1) * padded_out(s);
}

/// From here on a layer's weights are fetched ahead of their use: smaller ones stay in the cache.
inline constexpr Index kFarWeights = Index{1} << 20;  // bytes

template <class T>
FASTMLP_INLINE constexpr bool are_far(const PanelShape& s) {
  return param_size(s) * static_cast<Index>(sizeof(T)) >= kFarWeights;
}

}  // namespace fastmlp
