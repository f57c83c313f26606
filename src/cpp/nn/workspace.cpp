#include "nn/workspace.h"

#include <algorithm>

#include "nn/rules.h"

namespace fastmlp {

namespace {

bool changes_input(const DenseLayer& layer, Pass pass) {
  if (layer.normalizes()) return true;
  const bool masked = pass == Pass::kTrain || pass == Pass::kSample;
  return masked ? layer.drops() : layer.scales_at_test_time();
}

}  // namespace

template <class T>
Workspace<T>::Workspace(const Network<T>& network, Pass pass, Index rows, int threads)
    : rows_(rows), layers_(network.layers().size()), scratch_size_(0), columns_size_(0) {
  const auto plan = [&](Index cols, T** where) { arena_.reserve(checked_mul(rows, cols), where); };
  const auto skip = [](T** where) { *where = nullptr; };

  ldx = padded_ld<T>(network.n_features());
  plan(ldx, &x);
  const bool encodes = network.encoder() != nullptr;
  const bool learns = network.learns_encoding() && pass == Pass::kTrain;
  ldraw = encodes ? padded_ld<T>(network.n_columns()) : 0;
  const bool scales = learns && network.encoder()->scales();
  trace.ldturns = learns ? padded_ld<T>(network.encoder()->periodic()) : 0;
  trace.ldplain = scales ? ldx : 0;
  lddencoding = learns ? padded_ld<T>(network.encoding_shape().out) : 0;
  encodes ? plan(ldraw, &raw) : skip(&raw);
  learns ? plan(trace.ldturns, &trace.turns) : skip(&trace.turns);
  scales ? plan(trace.ldplain, &trace.plain) : skip(&trace.plain);
  learns ? plan(lddencoding, &dencoding) : skip(&dencoding);
  const bool inverts = pass == Pass::kInputGradients;
  const bool goes_back = pass == Pass::kTrain || inverts;
  lddinput = ldx;
  inverts ? plan(lddinput, &dinput) : skip(&dinput);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const DenseLayer& layer = network.layers()[i];
    LayerBuffers<T>& buffers = layers_[i];
    buffers.ldy = padded_ld<T>(layer.shape.out);
    buffers.ldchanged = padded_ld<T>(layer.shape.in);
    const bool keep_z = pass == Pass::kInspect || (goes_back && layer.keeps_input());
    changes_input(layer, pass) ? plan(buffers.ldchanged, &buffers.changed) : skip(&buffers.changed);
    keep_z ? plan(buffers.ldy, &buffers.z) : skip(&buffers.z);
    plan(buffers.ldy, &buffers.y);
    const bool last = i + 1 == layers_.size();
    const bool has_dz = goes_back || (pass == Pass::kEvaluate && last);
    has_dz ? plan(buffers.ldy, &buffers.dz) : skip(&buffers.dz);
    scratch_size_ = std::max({scratch_size_, backward_scratch_size(layer.shape),
                              (kMostTaskRows + 1) * layer.shape.width});
    if (copies_columns(layer.shape, rows)) columns_size_ = checked_mul(rows, kMostTaskRows);
  }
  const bool trains = pass == Pass::kTrain;
  const bool has_loss = trains || pass == Pass::kEvaluate;
  has_loss ? plan(layers_.back().ldy, &t) : skip(&t);
  has_loss ? plan(1, &row_weight) : skip(&row_weight);
  has_loss ? plan(1, &row_loss) : skip(&row_loss);
  T* widened = nullptr;
  constexpr Index per_wide = static_cast<Index>(sizeof(double) / sizeof(T));
  if (pass == Pass::kWiden) plan(checked_mul(per_wide, layers_.back().ldy), &widened);
  scratch_size_ = goes_back ? round_up(scratch_size_, kAlignment) : 0;
  columns_size_ = trains ? columns_size_ : 0;
  arena_.reserve(checked_mul(threads, scratch_size_), &scratch_);
  arena_.reserve(checked_mul(threads, columns_size_), &columns_);
  arena_.commit();
  wide = reinterpret_cast<double*>(widened);

  const T* below = x;
  Index ld_below = ldx;
  for (LayerBuffers<T>& buffers : layers_) {
    buffers.x = buffers.changed ? buffers.changed : below;
    buffers.ldx = buffers.changed ? buffers.ldchanged : ld_below;
    below = buffers.y;
    ld_below = buffers.ldy;
  }
}

template class Workspace<float>;
template class Workspace<double>;

}  // namespace fastmlp
