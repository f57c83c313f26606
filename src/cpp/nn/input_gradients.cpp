#include "nn/input_gradients.h"

#include <algorithm>

namespace fastmlp {

namespace {

/// dz of all layers for one output of some rows, whose values forward_rows() has left.
template <class T>
void backward_from(const Network<T>& network, const Workspace<T>& ws, Index output, Range rows) {
  begin_backward(network, ws, output, rows);
  for (Index i = ws.layer_count() - 1; i > 0; --i) {
    const PanelShape& shape = network.layers()[static_cast<std::size_t>(i)].shape;
    backward_layer(network, ws, i, rows, whole_row(shape.in), nullptr, 0);
  }
  backward_input(network, ws, rows);
}

}  // namespace

template <class T>
Outcome input_gradients(const Network<T>& network, const TableView& x, int threads, Poll& poll,
                        T* to) {
  const Index outputs = network.n_outputs();
  const Index inputs = network.n_features();
  // An activation that learns uses up what its slope is computed from.
  const bool again = std::any_of(network.layers().begin(), network.layers().end(),
                                 [](const DenseLayer& layer) { return layer.learned_size > 0; });
  const double flops = forward_flops(network, x.rows) * static_cast<double>(1 + 2 * outputs);
  const Call call(flops, flops, threads);
  const auto visit = [&](Workspace<T>& ws, Index first, Index rows) {
    const Range all{0, rows};
    bool finite = true;
    for (Index k = 0; k < outputs && !poll.stopped(); ++k) {
      if (again && k > 0) forward_rows(network, ws, all, nullptr, false);
      backward_from(network, ws, k, all);
      for (Index r = 0; r < rows; ++r) {
        const T* from = ws.dinput + r * ws.lddinput;
        std::copy_n(from, inputs, to + ((first + r) * outputs + k) * inputs);
      }
      finite &= network.kernels().all_finite({ws.dinput, ws.lddinput, rows, inputs});
    }
    return finite;
  };
  return forward_blocks(network, x, Pass::kInputGradients, nullptr, false, call.threads().count,
                        poll, visit);
}

#define FASTMLP_INSTANTIATE(T) \
  template Outcome input_gradients<T>(const Network<T>&, const TableView&, int, Poll&, T*);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
