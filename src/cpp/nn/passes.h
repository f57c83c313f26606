// Forward and backward through all layers for a range of a batch's rows: the analytic way, each
// product with what follows it fused. Ranges are independent of each other, so threads take one
// each and meet only before the weight gradients, which need the whole batch.
#pragma once

#include "base/parallel.h"
#include "base/table_view.h"
#include "nn/workspace.h"

namespace fastmlp {

/// Which random masks a pass uses.
struct MaskKey {
  std::uint64_t seed;
  std::uint64_t step;
  Index first_row = 0;  // number of the pass's first row, a multiple of 8: each row has its own
};

/// Rows [first, first + rows) of the data, in the order of `order` if there is one.
struct Batch {
  const TableView* x;
  const TableView* t;
  const TableView* weight;  // one column; null for equal weights
  const Index* order;
  Index first;
  Index rows;
};

/// A loss as the user chose it. Label smoothing moves targets towards the middle of the classes:
/// t (1 - s) + s / n for n classes that exclude each other, t (1 - s) + s / 2 for yes and no.
struct LossChoice {
  Loss loss = Loss::squared_error;
  double parameter = 0.0;
  double label_smoothing = 0.0;
};

/// A loss, and whether it is fused with the network's output activation.
struct LossPlan {
  LossChoice choice;
  bool on_logits;
};
template <class T>
LossPlan plan_loss(const Network<T>& network, const LossChoice& choice);

/// Where ranges may be cut: masks come in groups of eight rows.
template <class T>
Index row_grain(const Network<T>& network);

/// The outputs of every layer for the rows, whose input lies in `ws.layer(0)`. `masks` null means
/// test time. With `logits` the last activation is left out.
template <class T>
void forward_rows(const Network<T>& network, Workspace<T>& ws, Range rows, const MaskKey* masks,
                  bool logits) noexcept;

/// Sum of the batch's weights.
double total_weight(const Batch& batch) noexcept;

/// Gathers the rows, runs forward, loss and backward down to the first layer's dz; leaves each
/// row's part of the mean loss in ws.row_loss. Returns false where one of them is not finite.
template <class T>
bool train_rows(const Network<T>& network, Workspace<T>& ws, const Batch& batch, double weight_sum,
                LossPlan loss, const MaskKey* masks, Range rows, int rank) noexcept;

/// Some rows of one panel of one layer's weight gradient, or the columns of one panel of the
/// learned parameters of its activation: the unit of work of the second phase.
struct WeightTask {
  Index layer;
  Index panel;
  Index row_begin;
  Index row_end;  // the last task of a panel has the bias row too
  Index at;       // position of the rows in a flat array
  Index size;     // numbers there, without the bias row
  Index bias_size;
  bool learned;  // `bias_size` numbers of the activation's parameters, and no weights

  /// In units of no meaning: the batch's length is a factor of all.
  Index cost() const { return size + bias_size; }
};

/// All tasks, in a fixed order that depends on shapes alone.
template <class T>
std::vector<WeightTask> weight_tasks(const Network<T>& network);

/// The tasks of one thread: neighbours, whose cost is as near to an equal part as whole tasks allow.
/// An equal number of them left one of two threads idle for a third of a step of 64-100-10, whose
/// first layer has the wider panels.
Range share_tasks(const std::vector<WeightTask>& tasks, const Team& team) noexcept;

/// The gradient of the task's rows over the whole batch, contiguous as in the flat array.
template <class T>
void weight_gradient(const Network<T>& network, const Workspace<T>& ws, const WeightTask& task,
                     Index batch, T* dw) noexcept;

}  // namespace fastmlp
