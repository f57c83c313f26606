#include "nn/row_pass.h"

#include <cmath>

#include "nn/rules.h"

namespace fastmlp {

template <class T>
void forward_rows(const Network<T>& network, Workspace<T>& ws, Range rows, const MaskKey* masks,
                  bool logits) noexcept {
  for (Index i = 0; i < ws.layer_count(); ++i) {
    const PanelShape& shape = network.layers()[static_cast<std::size_t>(i)].shape;
    change_input(network, ws, i, rows, whole_row(shape.in), masks);
    const bool last = i + 1 == ws.layer_count();
    forward_layer(network, ws, i, rows, whole_row(shape.out), last && logits);
  }
}

namespace {

/// Calls visit(block) for rows that go through the layers together.
template <class T, class Visit>
void for_each_block(const Network<T>& network, Range rows, Visit visit) {
  const Index at_once = rows_at_once<T>(network.flops_per_row());
  for (Index begin = rows.begin; begin < rows.end; begin += at_once) {
    visit(Range{begin, min_index(begin + at_once, rows.end)});
  }
}

}  // namespace

template <class T>
void train_forward(const Network<T>& network, Workspace<T>& ws, const Batch& batch,
                   double weight_sum, const LossPlan& loss, const MaskKey* masks,
                   Range rows) noexcept {
  for_each_block(network, rows, [&](Range block) {
    gather_batch(network, ws, batch, weight_sum, loss, block);
    forward_rows(network, ws, block, masks, loss.on_logits);
  });
}

template <class T>
bool train_backward(const Network<T>& network, Workspace<T>& ws, const LossPlan& loss,
                    const MaskKey* masks, Range rows, int rank) noexcept {
  for_each_block(network, rows, [&](Range block) {
    slope_output(network, ws, loss, block);
    for (Index i = ws.layer_count() - 1; i > 0; --i) {
      const PanelShape& shape = network.layers()[static_cast<std::size_t>(i)].shape;
      backward_layer(network, ws, i, block, whole_row(shape.in), masks, rank);
    }
    if (network.learns_encoding()) backward_encoder(network, ws, block, masks, rank);
  });
  return std::isfinite(sum_of_losses(ws, rows));
}

template <class T>
bool train_rows(const Network<T>& network, Workspace<T>& ws, const Batch& batch, double weight_sum,
                const LossPlan& loss, const MaskKey* masks, Range rows, Poll* poll,
                int rank) noexcept {
  double checked = 0.0;
  const Index at_once = rows_at_once<T>(network.flops_per_row());
  for (Index begin = rows.begin; begin < rows.end; begin += at_once) {
    const Range block{begin, min_index(begin + at_once, rows.end)};
    const auto leaves = [&](double flops_per_row) {
      return poll && poll->after(flops_per_row * static_cast<double>(block.size()), rank);
    };
    if (leaves(network.flops_per_row())) break;
    gather_batch(network, ws, batch, weight_sum, loss, block);
    forward_rows(network, ws, block, masks, loss.on_logits);
    loss_rows(network, ws, loss, block);
    for (Index i = ws.layer_count() - 1; i > 0; --i) {
      const PanelShape& shape = network.layers()[static_cast<std::size_t>(i)].shape;
      if (leaves(product_flops(shape, 1))) break;
      backward_layer(network, ws, i, block, whole_row(shape.in), masks, rank);
    }
    if (network.learns_encoding()) backward_encoder(network, ws, block, masks, rank);
    checked += sum_of_losses(ws, block);
  }
  return std::isfinite(checked);
}

#define FASTMLP_INSTANTIATE(T)                                                           \
  template void forward_rows<T>(const Network<T>&, Workspace<T>&, Range, const MaskKey*, \
                                bool) noexcept;                                          \
  template void train_forward<T>(const Network<T>&, Workspace<T>&, const Batch&, double, \
                                 const LossPlan&, const MaskKey*, Range) noexcept;       \
  template bool train_backward<T>(const Network<T>&, Workspace<T>&, const LossPlan&,     \
                                  const MaskKey*, Range, int) noexcept;                  \
  template bool train_rows<T>(const Network<T>&, Workspace<T>&, const Batch&, double,    \
                              const LossPlan&, const MaskKey*, Range, Poll*, int) noexcept;
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
