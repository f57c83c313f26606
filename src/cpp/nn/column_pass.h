// Forward and backward through all layers by a team that shares columns: each thread takes its
// columns of each layer for all rows, with a barrier behind each layer. What crosses from core to
// core is then the activations, not the weights. The bits are those of the passes by rows.
#pragma once

#include "base/balance.h"
#include "nn/layer.h"

namespace fastmlp {

/// The outputs of every layer for rows [0, rows) by a team that shares columns, behind a barrier
/// and the first layer's change_input(). No layer may take whole rows. Each thread leaves the
/// rows finished that `turn.part()` makes its own, by grains of row_grain().
template <class T>
void forward_columns(const Network<T>& network, Workspace<T>& ws, Index rows, const MaskKey* masks,
                     bool logits, Turn& turn, const Team& team) noexcept;

/// Gathers the batch and runs forward and loss by a team that shares columns, as far as the loss of
/// this thread's share of the rows; backward_columns() is left to the caller.
template <class T>
bool train_columns(const Network<T>& network, Workspace<T>& ws, const Batch& batch,
                   double weight_sum, const LossPlan& loss, const MaskKey* masks, Turn& turn,
                   const Team& team) noexcept;

/// This thread's columns of the dz below `layer` > 0 for the whole batch, and others' that they
/// have not begun, up to a barrier.
template <class T>
void backward_columns(const Network<T>& network, const Workspace<T>& ws, Index layer, Index rows,
                      const MaskKey* masks, Turn& turn, int rank) noexcept;

}  // namespace fastmlp
