#include "nn/network.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "nn/rules.h"

namespace fastmlp {

namespace {

void check(const ActivationPart& part, bool mixed) {
  const ActivationRow& row = row_of(part.activation);
  if (part.units < 1) {
    throw std::invalid_argument("units must be at least 1, got " + std::to_string(part.units));
  }
  if (!(part.parameter >= 0.0 && std::isfinite(part.parameter))) {
    throw std::invalid_argument("the parameter of " + std::string(row.name) +
                                " must be finite and not negative, got " +
                                std::to_string(part.parameter));
  }
  if (mixed && (row.keeps == Keep::kRow || row.parameter.kind == Parameter::kLearned)) {
    throw std::invalid_argument("activation '" + std::string(row.name) +
                                "' cannot share a layer with others");
  }
}

void check(const DenseSpec& spec) {
  if (spec.parts.empty()) throw std::invalid_argument("a dense layer needs an activation");
  for (const ActivationPart& part : spec.parts) check(part, spec.parts.size() > 1);
  if (!(spec.norm_epsilon >= 0.0 && std::isfinite(spec.norm_epsilon))) {
    throw std::invalid_argument("norm_epsilon must be finite and not negative, got " +
                                std::to_string(spec.norm_epsilon));
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

Index DenseSpec::units() const {
  Index sum = 0;
  for (const ActivationPart& part : parts) sum += part.units;
  return sum;
}

bool DenseLayer::keeps_input() const {
  for (const ActivationPart& part : spec.parts) {
    if (row_of(part.activation).keeps == Keep::kInput) return true;
  }
  return false;
}

template <class T>
Network<T>::Network(Index n_features, const std::vector<DenseSpec>& specs)
    : Network(n_features, specs, nullptr) {}

template <class T>
Network<T>::Network(const Encoder<T>& encoder, const std::vector<DenseSpec>& specs)
    : Network(encoder.width(), specs, &encoder) {}

template <class T>
Network<T>::Network(Index n_features, const std::vector<DenseSpec>& specs,
                    const Encoder<T>* encoder)
    : table_(&current_target().kernels), kernels_(&pick<T>(*table_)) {
  if (n_features < 1) {
    throw std::invalid_argument("n_features must be at least 1, got " + std::to_string(n_features));
  }
  if (specs.empty()) throw std::invalid_argument("a network needs at least one dense layer");
  if (encoder && specs.front().norm_epsilon > 0.0) {
    throw std::invalid_argument("encoded columns are not normalised");
  }
  const Index lanes = kernels_->lanes;
  Index in = n_features;
  Index offset = 0;
  for (const DenseSpec& spec : specs) {
    check(spec);
    const Index units = spec.units();
    checked_mul(in + 2, round_up(units, lanes));
    const PanelShape shape = layer_shape(in, units, kernels_->panel_vectors * lanes, lanes);
    const Parameter& parameter = row_of(spec.parts.front().activation).parameter;
    const bool learns = parameter.kind == Parameter::kLearned;
    const Index learned_offset = offset + param_size(shape);
    layers_.push_back({spec, shape, offset, learned_offset, learns ? padded_out(shape) : 0});
    offset = learned_offset + layers_.back().learned_size;
    in = units;
  }
  if (encoder) encoder_ = *encoder;
  if (learns_encoding()) {
    encoding_shape_ = {0, encoder_->param_count(), kernels_->panel_vectors * lanes, lanes};
    encoding_offset_ = offset;
    offset += param_size(encoding_shape_);
  }
  params_ = AlignedBuffer<T>(offset);
  if (learns_encoding()) {
    std::copy_n(encoder_->start(), encoder_->param_count(), params() + encoding_offset_);
  }
  for (const DenseLayer& layer : layers_) {
    T* learned = params() + layer.learned_offset;
    std::fill_n(learned, layer.learned_size, static_cast<T>(layer.spec.parts.front().parameter));
  }
}

template <class T>
Network<T>::Network(const Network& other)
    : table_(other.table_),
      kernels_(other.kernels_),
      layers_(other.layers_),
      encoder_(other.encoder_),
      encoding_shape_(other.encoding_shape_),
      encoding_offset_(other.encoding_offset_),
      params_(other.flat_size()) {
  std::copy_n(other.params(), flat_size(), params());
}

template <class T>
Index Network<T>::n_params() const {
  Index n = 0;
  for (const DenseLayer& layer : layers_) {
    n += (layer.shape.in + 1) * layer.shape.out + (layer.learned_size > 0 ? layer.shape.out : 0);
  }
  if (!learns_encoding()) return n;
  return n + (encoder_->scales() ? encoder_->width() : 0) +
         (encoder_->learns_waves() ? 2 * encoder_->periodic() : 0);
}

template <class T>
bool Network<T>::is_finite() const noexcept {
  return kernels_->all_finite({params(), flat_size(), 1, flat_size()});
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

/// A panel at a time takes rows that lie far apart in the plain array, each in a page of its own:
/// so few fill whole pages of both.
constexpr Index kRowsAtOnce = 16;

/// Calls visit(position in the panels, row, column) for every weight and, with row = in, every
/// bias.
template <class Visit>
void for_each_param(const PanelShape& shape, Visit visit) {
  if (shape.narrow) {
    for (Index c = 0; c < shape.out; ++c) {
      for (Index r = 0; r < shape.in; ++r) {
        const Index first = round_down(r, shape.width);
        visit(narrow_offset(shape, first) + c * narrow_width(shape, first) + r - first, r, c);
      }
      visit(narrow_offset(shape, padded_in(shape)) + c, shape.in, c);
    }
    return;
  }
  for (Index begin = 0; begin <= shape.in; begin += kRowsAtOnce) {
    const Index end = min_index(begin + kRowsAtOnce, shape.in + 1);
    for (Index p = 0; p < panel_count(shape); ++p) {
      const Index width = panel_width(shape, p);
      const Index first = p * shape.width;
      const Index cols = min_index(width, shape.out - first);
      for (Index r = begin; r < end; ++r) {
        for (Index c = 0; c < cols; ++c) {
          visit(panel_offset(shape, p) + r * width + c, r, first + c);
        }
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
