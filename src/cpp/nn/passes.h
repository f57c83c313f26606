// Forward and backward through all layers of a network: the analytic way, each product with what
// follows it fused. A team shares a pass in one of two ways, with the same bits as result:
//   rows: each thread takes its rows through all layers, and meets the others only before the
//         weight gradients, which need the whole batch;
//   columns: each thread takes its columns of each layer for all rows, with a barrier behind each
//         layer. What crosses from core to core is then the activations, not the weights.
#pragma once

#include "base/balance.h"
#include "base/poll.h"
#include "nn/layer_passes.h"
#include "nn/weight_tasks.h"

namespace fastmlp {

template <class T>
LossPlan plan_loss(const Network<T>& network, const LossChoice& choice);

/// Where ranges of rows may be cut: masks come in groups of eight rows.
template <class T>
Index row_grain(const Network<T>& network);

/// Sum of the batch's weights.
double total_weight(const Batch& batch) noexcept;

/// The outputs of every layer for the rows, whose input lies in `ws.layer(0)`. `masks` null means
/// test time. With `logits` the last activation is left out.
template <class T>
void forward_rows(const Network<T>& network, Workspace<T>& ws, Range rows, const MaskKey* masks,
                  bool logits) noexcept;

/// The same for rows [0, rows) by a team that shares columns, behind a barrier and the first
/// layer's drop_input(). Hidden layers must not be row-wise. Each thread leaves the rows finished
/// that `turn.part()` makes its own, by grains of row_grain().
template <class T>
void forward_columns(const Network<T>& network, Workspace<T>& ws, Index rows, const MaskKey* masks,
                     bool logits, Turn& turn, const Team& team) noexcept;

/// Whether to share the columns of a training step with so many rows: where there are more weights
/// than values in the layers' inputs, and enough of them. Depends on shapes alone.
template <class T>
bool suits_columns(const Network<T>& network, Index rows);

/// Gathers the rows, runs forward, loss and backward down to the first layer's dz; leaves each
/// row's part of the mean loss in ws.row_loss. Returns false where one of them is not finite.
/// Leaves the rest as it is where `poll`, if there is one, says so.
template <class T>
bool train_rows(const Network<T>& network, Workspace<T>& ws, const Batch& batch, double weight_sum,
                const LossPlan& loss, const MaskKey* masks, Range rows, Poll* poll,
                int rank) noexcept;

/// The same for the whole batch by a team that shares columns, as far as the loss of this thread's
/// share of the rows; backward_columns() is left to the caller.
template <class T>
bool train_columns(const Network<T>& network, Workspace<T>& ws, const Batch& batch,
                   double weight_sum, const LossPlan& loss, const MaskKey* masks, Turn& turn,
                   const Team& team) noexcept;

/// The operations of one of a layer's three products.
inline double product_flops(const PanelShape& shape, Index rows) {
  return 2.0 * static_cast<double>(rows * param_size(shape));
}

/// This thread's columns of the dz below `layer` > 0 for the whole batch, and others' that they
/// have not begun, up to a barrier.
template <class T>
void backward_columns(const Network<T>& network, const Workspace<T>& ws, Index layer, Index rows,
                      const MaskKey* masks, Turn& turn, int rank) noexcept;

}  // namespace fastmlp
