// A network at work on many rows: predictions, every layer's values, and the gradient of a loss
// over a whole data set. Rows go through all layers in blocks that fit the cache.
#pragma once

#include "nn/passes.h"

namespace fastmlp {

/// outputs(rows, n_outputs) = the network's outputs for every row of x; with `masks`, of the
/// network thinned by random dropout masks. `threads` 0 means all. Returns false where x holds a
/// number that is not finite in the network's type; outputs are then of no use.
template <class T>
bool predict(const Network<T>& network, const TableView& x, const MaskKey* masks, int threads,
             T* outputs);

/// Every layer's pre-activations zs[l] and activations ys[l], each (rows, units of layer l).
template <class T>
void inspect(const Network<T>& network, const TableView& x, int threads, T* const* zs,
             T* const* ys);

/// The weighted mean loss over all rows plus the layers' penalties, and the gradient of both in a
/// flat array of network.flat_size() numbers.
template <class T>
double loss_and_gradient(const Network<T>& network, const TableView& x, const TableView& t,
                         const TableView* weight, const LossChoice& loss, int threads, T* gradient);

/// The weighted mean loss of given outputs(rows, n_outputs) against t.
template <class T>
double mean_loss(const Network<T>& network, const T* outputs, const TableView& t,
                 const TableView* weight, const LossChoice& loss);

}  // namespace fastmlp
