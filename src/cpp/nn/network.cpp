#include "nn/network.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace fastmlp {

namespace {

void check(const DenseSpec& spec) {
  if (spec.units < 1) {
    throw std::invalid_argument("units must be at least 1, got " + std::to_string(spec.units));
  }
  if (!(spec.input_dropout >= 0.0 && spec.input_dropout < 1.0)) {
    throw std::invalid_argument("dropout rate must be in [0, 1), got " +
                                std::to_string(spec.input_dropout));
  }
  if (!(spec.l1 >= 0.0 && spec.l2 >= 0.0 && std::isfinite(spec.l1 + spec.l2))) {
    throw std::invalid_argument("l1 and l2 must be finite and not negative, got " +
                                std::to_string(spec.l1) + " and " + std::to_string(spec.l2));
  }
}

}  // namespace

template <class T>
Network<T>::Network(Index n_features, const std::vector<DenseSpec>& specs)
    : kernels_(&pick<T>(current_target().kernels)) {
  if (n_features < 1) {
    throw std::invalid_argument("n_features must be at least 1, got " + std::to_string(n_features));
  }
  if (specs.empty()) throw std::invalid_argument("a network needs at least one dense layer");
  const Index lanes = kernels_->lanes;
  Index in = n_features;
  Index offset = 0;
  for (const DenseSpec& spec : specs) {
    check(spec);
    checked_mul(in + 1, round_up(spec.units, lanes));
    const PanelShape shape{in, spec.units, kernels_->panel_vectors * lanes, lanes};
    layers_.push_back({spec, shape, offset});
    offset += param_size(shape);
    in = spec.units;
  }
  params_ = AlignedBuffer<T>(offset);
}

template <class T>
Index Network<T>::n_params() const {
  Index n = 0;
  for (const DenseLayer& layer : layers_) n += (layer.shape.in + 1) * layer.shape.out;
  return n;
}

template <class T>
double Network<T>::flops_per_row() const {
  double flops = 0;
  for (const DenseLayer& layer : layers_) {
    flops += 2.0 * static_cast<double>(layer.shape.in) * static_cast<double>(layer.shape.out);
  }
  return flops;
}

namespace {

/// Calls visit(position in the panels, row, column) for every weight and, with row = in, every
/// bias.
template <class Visit>
void for_each_param(const PanelShape& shape, Visit visit) {
  for (Index p = 0; p < panel_count(shape); ++p) {
    const Index width = panel_width(shape, p);
    const Index first = p * shape.width;
    const Index cols = min_index(width, shape.out - first);
    for (Index r = 0; r <= shape.in; ++r) {
      for (Index c = 0; c < cols; ++c) {
        visit(panel_offset(shape, p) + r * width + c, r, first + c);
      }
    }
  }
}

}  // namespace

template <class T>
void pack_panels(const PanelShape& shape, const T* w, const T* b, T* panels) {
  for_each_param(shape, [&](Index at, Index row, Index col) {
    panels[at] = row < shape.in ? w[row * shape.out + col] : b[col];
  });
}

template <class T>
void unpack_panels(const PanelShape& shape, const T* panels, T* w, T* b) {
  for_each_param(shape, [&](Index at, Index row, Index col) {
    (row < shape.in ? w[row * shape.out + col] : b[col]) = panels[at];
  });
}

#define FASTMLP_INSTANTIATE(T)                                             \
  template class Network<T>;                                               \
  template void pack_panels<T>(const PanelShape&, const T*, const T*, T*); \
  template void unpack_panels<T>(const PanelShape&, const T*, T*, T*);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
