// One layer's part of a pass, for some rows of the batch and some columns of its outputs: what the
// passes over all layers are made of. Regions that do not overlap are independent of each other.
#pragma once

#include "base/parallel.h"
#include "base/table_view.h"
#include "nn/workspace.h"

namespace fastmlp {

/// Which random masks a pass uses.
struct MaskKey {
  std::uint64_t seed;
  std::uint64_t step;
  Index first_row = 0;  // of the pass, a multiple of kMaskRows: each row has its own
};

/// Rows [first, first + rows) of the data, in the order of `order` if there is one.
struct Batch {
  const TableView* x;  // null where the first layer reads them in place
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

/// Calls visit(i, weight) for `rows` of the batch, without a weight 1.
template <class Visit>
void for_each_weight(const Batch& batch, Range rows, Visit visit) {
  constexpr Index many = 64;
  double weights[many];
  for (Index begin = rows.begin; begin < rows.end; begin += many) {
    const Index count = min_index(many, rows.end - begin);
    if (batch.weight) {
      gather_rows(*batch.weight, batch.order, batch.first + begin, count, weights, 1);
    }
    for (Index i = 0; i < count; ++i) visit(begin + i, batch.weight ? weights[i] : 1.0);
  }
}

/// Whether an activation needs all columns of a row at once.
inline bool is_row_wise(Activation activation) { return row_of(activation).keeps == Keep::kRow; }

/// Lets the first layer read rows of x from `first` on where they lie, unless type, strides,
/// dropout or zeros wanted behind the last column forbid it: then from ws.x. Returns whether it
/// does. The workspace must be one thread's own.
template <class T>
bool read_in_place(const Network<T>& network, Workspace<T>& ws, const TableView& x, Index first);

/// The rows' inputs, targets and weights, from the data into the workspace.
template <class T>
void gather_batch(Workspace<T>& ws, const Batch& batch, double weight_sum, const LossPlan& plan,
                  Range rows);

/// Some columns of layer `index`'s input from what lies below it, where dropout changes it. `masks`
/// null means test time.
template <class T>
void drop_input(const Network<T>& network, Workspace<T>& ws, Index index, Range rows,
                const Columns& columns, const MaskKey* masks);

/// z and y of some columns of layer `index`; with `logits` the activation is left out.
template <class T>
void forward_layer(const Network<T>& network, const Workspace<T>& ws, Index index, Range rows,
                   const Columns& columns, bool logits);

/// y = f(z) for a layer whose logits lie in y.
template <class T>
void activate_rows(const Network<T>& network, const Workspace<T>& ws, Index index, Range rows);

/// Each row's loss, and its gradient by what the output layer's y holds, in dz: by the logits where
/// the plan says so, else by the outputs.
template <class T>
void output_loss(const Network<T>& network, const Workspace<T>& ws, const LossPlan& plan,
                 Range rows);

/// Each row's loss, and the output layer's dz.
template <class T>
void loss_rows(const Network<T>& network, const Workspace<T>& ws, const LossPlan& plan, Range rows);

/// Some columns of the dz below layer `index` > 0 from that of the layer. A thread's own scratch is
/// that of its `rank`.
template <class T>
void backward_layer(const Network<T>& network, const Workspace<T>& ws, Index index, Range rows,
                    const Columns& columns, const MaskKey* masks, int rank);

}  // namespace fastmlp
