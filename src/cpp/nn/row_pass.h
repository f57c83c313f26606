// Forward and backward through all layers for some rows: the analytic way, each product with what
// follows it fused. Each thread takes its rows through all layers, and meets the others only before
// the weight gradients, which need the whole batch.
#pragma once

#include "base/poll.h"
#include "nn/layer.h"

namespace fastmlp {

/// The outputs of every layer for the rows, whose input lies in `ws.layer(0)`. `masks` null means
/// test time. With `logits` the last activation is left out.
template <class T>
void forward_rows(const Network<T>& network, Workspace<T>& ws, Range rows, const MaskKey* masks,
                  bool logits) noexcept;

/// The first part of train_rows(), which gathers the rows and runs forward, and the last, which
/// runs backward from the outputs' gradients and returns whether the losses are finite: for a loss
/// that is taken of the whole batch between them.
template <class T>
void train_forward(const Network<T>& network, Workspace<T>& ws, const Batch& batch,
                   double weight_sum, const LossPlan& loss, const MaskKey* masks,
                   Range rows) noexcept;
template <class T>
bool train_backward(const Network<T>& network, Workspace<T>& ws, const LossPlan& loss,
                    const MaskKey* masks, Range rows, int rank) noexcept;

/// Gathers the rows, runs forward, loss and backward down to the first layer's dz; leaves each
/// row's part of the mean loss in ws.row_loss. Returns false where one of them is not finite.
/// Leaves the rest as it is where `poll`, if there is one, says so.
template <class T>
bool train_rows(const Network<T>& network, Workspace<T>& ws, const Batch& batch, double weight_sum,
                const LossPlan& loss, const MaskKey* masks, Range rows, Poll* poll,
                int rank) noexcept;

/// Sum of the rows' losses, in their order and in double precision.
template <class T>
double sum_of_losses(const Workspace<T>& ws, Range rows) noexcept {
  double sum = 0.0;
  for (Index r = rows.begin; r < rows.end; ++r) sum += static_cast<double>(ws.row_loss[r]);
  return sum;
}

}  // namespace fastmlp
