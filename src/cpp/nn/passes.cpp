#include "nn/passes.h"

#include <algorithm>
#include <cmath>

#include "nn/panel_pieces.h"

namespace fastmlp {

namespace {

/// Rows that go through all layers together: 256 rows of 256 floats are a quarter of L2, and the
/// transposed panels of backward_input, made once per block, cost a few percent of its products.
constexpr Index kRowBlock = 256;

/// Fewer where they would keep a caller waiting who wants to leave: from 16 Gflop of floats on, or
/// 8 of doubles, and then no fewer than so many, whose transposed panels cost a tenth of their
/// products.
constexpr Index kFewestRows = 64;
constexpr double kBytesOfBlock = 16e9 * sizeof(float);

/// Weights of a layer, on average, that make up for its barriers when a team shares columns.
constexpr Index kWideLayer = 32768;

template <class T>
double sum_of_losses(const Workspace<T>& ws, Range rows) {
  double sum = 0.0;
  for (Index r = rows.begin; r < rows.end; ++r) sum += static_cast<double>(ws.row_loss[r]);
  return sum;
}

}  // namespace

template <class T>
LossPlan plan_loss(const Network<T>& network, const LossChoice& choice) {
  const DenseLayer& last = network.layers().back();
  return {choice, !last.mixes() && row_of(choice.loss).link == last.activation()};
}

template <class T>
Index row_grain(const Network<T>& network) {
  for (const DenseLayer& layer : network.layers()) {
    if (layer.drops()) return kMaskRows;
  }
  return 1;
}

template <class T>
void forward_rows(const Network<T>& network, Workspace<T>& ws, Range rows, const MaskKey* masks,
                  bool logits) noexcept {
  for (Index i = 0; i < ws.layer_count(); ++i) {
    const PanelShape& shape = network.layers()[static_cast<std::size_t>(i)].shape;
    drop_input(network, ws, i, rows, whole_row(shape.in), masks);
    const bool last = i + 1 == ws.layer_count();
    forward_layer(network, ws, i, rows, whole_row(shape.out), last && logits);
  }
}

template <class T>
void forward_columns(const Network<T>& network, Workspace<T>& ws, Index rows, const MaskKey* masks,
                     bool logits, Turn& turn, const Team& team) noexcept {
  for (Index i = 0; i < ws.layer_count(); ++i) {
    const DenseLayer& layer = network.layers()[static_cast<std::size_t>(i)];
    const bool last = i + 1 == ws.layer_count();
    const bool without_activation = (last && logits) || is_row_wise(layer.activation());
    const PanelPieces y(rows, layer.shape.out, layer.shape.width);
    const double flops = product_flops(layer.shape, rows);
    turn.share_pieces(share(y.count(), 1, turn.part()), y.per_panel(), flops, [&](Range pieces) {
      y.for_each(pieces, [&](Range block, const Columns& columns) {
        forward_layer(network, ws, i, block, columns, without_activation);
        if (!last) drop_input(network, ws, i + 1, block, columns, masks);
      });
      return static_cast<double>(y.size(pieces) * layer.shape.in);
    });
    team.barrier();
  }
  if (logits || !is_row_wise(network.layers().back().activation())) return;
  activate_rows(network, ws, ws.layer_count() - 1, share(rows, row_grain(network), turn.part()));
}

template <class T>
bool suits_columns(const Network<T>& network, Index rows) {
  const auto count = static_cast<Index>(network.layers().size());
  Index weights = 0;
  Index values = 0;
  for (const DenseLayer& layer : network.layers()) {
    const bool output = &layer == &network.layers().back();
    if (!output && is_row_wise(layer.activation())) return false;
    weights += layer.shape.in * layer.shape.out;
    values += layer.shape.in;
  }
  return count > 1 && weights / values >= rows && weights >= count * kWideLayer;
}

double total_weight(const Batch& batch) noexcept {
  if (batch.weight == nullptr) return static_cast<double>(batch.rows);
  double sum = 0.0;
  for_each_weight(batch, {0, batch.rows}, [&](Index, double weight) { sum += weight; });
  return sum;
}

template <class T>
bool train_rows(const Network<T>& network, Workspace<T>& ws, const Batch& batch, double weight_sum,
                const LossPlan& loss, const MaskKey* masks, Range rows, Poll* poll,
                int rank) noexcept {
  double checked = 0.0;
  const double fitting = kBytesOfBlock / (2 * network.flops_per_row() * sizeof(T));
  const Index at_once = fitting >= static_cast<double>(kRowBlock)
                            ? kRowBlock
                            : std::max(kFewestRows, round_down(static_cast<Index>(fitting), 8));
  for (Index begin = rows.begin; begin < rows.end; begin += at_once) {
    const Range block{begin, min_index(begin + at_once, rows.end)};
    const auto leaves = [&](double flops_per_row) {
      return poll && poll->after(flops_per_row * static_cast<double>(block.size()), rank);
    };
    if (leaves(network.flops_per_row())) break;
    gather_batch(ws, batch, weight_sum, loss, block);
    forward_rows(network, ws, block, masks, loss.on_logits);
    loss_rows(network, ws, loss, block);
    for (Index i = ws.layer_count() - 1; i > 0; --i) {
      const PanelShape& shape = network.layers()[static_cast<std::size_t>(i)].shape;
      if (leaves(product_flops(shape, 1))) break;
      backward_layer(network, ws, i, block, whole_row(shape.in), masks, rank);
    }
    checked += sum_of_losses(ws, block);
  }
  return std::isfinite(checked);
}

template <class T>
bool train_columns(const Network<T>& network, Workspace<T>& ws, const Batch& batch,
                   double weight_sum, const LossPlan& loss, const MaskKey* masks, Turn& turn,
                   const Team& team) noexcept {
  const Range mine = share(batch.rows, row_grain(network), turn.part());
  gather_batch(ws, batch, weight_sum, loss, mine);
  drop_input(network, ws, 0, mine, whole_row(network.n_features()), masks);
  team.barrier();
  forward_columns(network, ws, batch.rows, masks, loss.on_logits, turn, team);
  loss_rows(network, ws, loss, mine);
  return std::isfinite(sum_of_losses(ws, mine));
}

template <class T>
void backward_columns(const Network<T>& network, const Workspace<T>& ws, Index layer, Index rows,
                      const MaskKey* masks, Turn& turn, int rank) noexcept {
  const PanelShape& shape = network.layers()[static_cast<std::size_t>(layer)].shape;
  const PanelPieces dx(rows, shape.in, shape.width);
  const double flops = product_flops(shape, rows);
  turn.share_pieces(share(dx.count(), 1, turn.part()), dx.per_panel(), flops, [&](Range pieces) {
    dx.for_each(pieces, [&](Range block, const Columns& columns) {
      backward_layer(network, ws, layer, block, columns, masks, rank);
    });
    return static_cast<double>(dx.size(pieces) * shape.out / rows);
  });
}

#define FASTMLP_INSTANTIATE(T)                                                                    \
  template LossPlan plan_loss<T>(const Network<T>&, const LossChoice&);                           \
  template Index row_grain<T>(const Network<T>&);                                                 \
  template void forward_rows<T>(const Network<T>&, Workspace<T>&, Range, const MaskKey*,          \
                                bool) noexcept;                                                   \
  template void forward_columns<T>(const Network<T>&, Workspace<T>&, Index, const MaskKey*, bool, \
                                   Turn&, const Team&) noexcept;                                  \
  template bool suits_columns<T>(const Network<T>&, Index);                                       \
  template bool train_rows<T>(const Network<T>&, Workspace<T>&, const Batch&, double,             \
                              const LossPlan&, const MaskKey*, Range, Poll*, int) noexcept;       \
  template bool train_columns<T>(const Network<T>&, Workspace<T>&, const Batch&, double,          \
                                 const LossPlan&, const MaskKey*, Turn&, const Team&) noexcept;   \
  template void backward_columns<T>(const Network<T>&, const Workspace<T>&, Index, Index,         \
                                    const MaskKey*, Turn&, int) noexcept;
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
