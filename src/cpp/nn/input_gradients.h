// How each output depends on each input, at test time: what the values say about a prediction.
#pragma once

#include "nn/blocks.h"

namespace fastmlp {

/// to(rows, n_outputs, n_features) = the gradient of each output by the inputs of its row. The
/// network may have no encoder.
template <class T>
Outcome input_gradients(const Network<T>& network, const TableView& x, int threads, Poll& poll,
                        T* to);

}  // namespace fastmlp
