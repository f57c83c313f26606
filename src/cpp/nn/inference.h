// A network at work on many rows: predictions, every layer's values, and the gradient of a loss
// over a whole data set. Rows go through all layers in blocks that fit the cache.
#pragma once

#include "nn/passes.h"

namespace fastmlp {

/// How a call ended. Where it is not kDone, what it has written is of no use.
enum class Outcome {
  kDone,
  kInputNotFinite,   // in the network's type
  kOutputNotFinite,  // inputs or weights too large for the sums of products
  kStopped,          // by the caller
};

/// What a prediction gives.
enum class Give {
  kOutputs,
  kLogits,         // what the last activation takes
  kProbabilities,  // outputs, none of them 0; of one that is logistic, those of no and of yes
};

/// Numbers that a prediction gives for a row.
template <class T>
Index width_of(const Network<T>& network, Give give) {
  const bool both = give == Give::kProbabilities && network.n_outputs() == 1;
  return both ? 2 : network.n_outputs();
}

/// to(rows, width_of()) = what is wanted of every row of x; with `masks`, of the network thinned by
/// random dropout masks. Where Out is wider than T, the last activation works in it too, so that
/// probabilities add up to 1 as exactly as their type can tell. `threads` 0 means all.
template <class T, class Out>
Outcome predict(const Network<T>& network, const TableView& x, const MaskKey* masks, Give give,
                int threads, Poll& poll, Out* to);

/// Every layer's pre-activations zs[l] and activations ys[l], each (rows, units of layer l).
template <class T>
Outcome inspect(const Network<T>& network, const TableView& x, int threads, Poll& poll,
                T* const* zs, T* const* ys);

/// The weighted mean loss over all rows, without penalties, by the code that training takes it by:
/// from the logits where the loss meets its link. Also, unless `to` is null, to(rows, n_outputs) =
/// the outputs; or, where these are wanted and the loss meets its link, the logits.
template <class T>
Outcome evaluate(const Network<T>& network, const TableView& x, const TableView& t,
                 const TableView* weight, const LossChoice& loss, int threads, Poll& poll,
                 double& mean_loss, Give give, T* to);

/// The weighted mean loss over all rows plus the layers' penalties, and the gradient of both in a
/// flat array of network.flat_size() numbers.
template <class T>
Outcome loss_and_gradient(const Network<T>& network, const TableView& x, const TableView& t,
                          const TableView* weight, const LossChoice& loss, int threads, Poll& poll,
                          double& value, T* gradient);

}  // namespace fastmlp
