// One layer's part of a pass, for some rows of the batch and some columns of its outputs: what the
// passes over all layers are made of. Regions that do not overlap are independent of each other.
#pragma once

#include "nn/batch.h"
#include "nn/workspace.h"

namespace fastmlp {

/// Whether the network's last activation is the loss's link, and is fused with it.
template <class T>
LossPlan plan_loss(const Network<T>& network, const LossChoice& choice);

/// Lets the first layer read rows of x from `first` on where they lie, unless type, strides,
/// normalisation, dropout or zeros wanted behind the last column forbid it: then from ws.x. Returns
/// whether it does. The workspace must be one thread's own.
template <class T>
bool read_in_place(const Network<T>& network, Workspace<T>& ws, const TableView& x, Index first);

/// Inputs of the first layer for these rows of the workspace from row order[first] of x on (row
/// `first` where order is null), which an encoder may make of the columns.
template <class T>
void gather_inputs(const Network<T>& network, Workspace<T>& ws, const TableView& x,
                   const Index* order, Index first, Range rows);

/// The rows' inputs, targets and weights, from the data into the workspace.
template <class T>
void gather_batch(const Network<T>& network, Workspace<T>& ws, const Batch& batch,
                  double weight_sum, const LossPlan& plan, Range rows);

/// Some columns of layer `index`'s input from what lies below it, where dropout changes it, or all
/// of them where it is normalised. `masks` null means test time.
template <class T>
void change_input(const Network<T>& network, Workspace<T>& ws, Index index, Range rows,
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

/// The output layer's dz from what output_loss() has left there.
template <class T>
void slope_output(const Network<T>& network, const Workspace<T>& ws, const LossPlan& plan,
                  Range rows);

/// Both: each row's loss, and the output layer's dz.
template <class T>
void loss_rows(const Network<T>& network, const Workspace<T>& ws, const LossPlan& plan,
               Range rows) {
  output_loss(network, ws, plan, rows);
  slope_output(network, ws, plan, rows);
}

/// Some columns of the dz below layer `index` > 0 from that of the layer. A thread's own scratch is
/// that of its `rank`.
template <class T>
void backward_layer(const Network<T>& network, const Workspace<T>& ws, Index index, Range rows,
                    const Columns& columns, const MaskKey* masks, int rank);

/// The output layer's dz where the gradient of one of its outputs is wanted.
template <class T>
void begin_backward(const Network<T>& network, const Workspace<T>& ws, Index output, Range rows);

/// The gradient by the inputs, at test time, from the first layer's dz.
template <class T>
void backward_input(const Network<T>& network, const Workspace<T>& ws, Range rows);

/// Each row's part of the gradient by the encoder's parameters, from the first layer's dz.
template <class T>
void backward_encoder(const Network<T>& network, Workspace<T>& ws, Range rows, const MaskKey* masks,
                      int rank);

}  // namespace fastmlp
