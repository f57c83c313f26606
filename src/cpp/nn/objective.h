// A loss over a whole data set, and its gradient.
#pragma once

#include "nn/blocks.h"

namespace fastmlp {

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
