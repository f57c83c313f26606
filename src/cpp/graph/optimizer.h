// Optimizers on variables: the kernels of the trainer, on plain matrices.
#pragma once

#include "graph/graph.h"

namespace fastmlp::graph {

template <class T>
class VariableOptimizer {
 public:
  /// `hyper` in the order of the catalog; every step adds the penalty l1 |w|_1 + l2 |w|_2^2. Throws
  /// std::invalid_argument where a node is no variable or comes twice.
  VariableOptimizer(std::vector<NodePtr<T>> variables, Optimizer kind,
                    const std::vector<double>& hyper, double l1, double l2);

  /// Moves every variable against its gradient. Throws std::logic_error, before anything is moved,
  /// where one has no gradient, or another shape than it had when the optimizer was made.
  void step(double rate, int threads);

  double flops() const { return flops_; }
  Index steps() const { return steps_; }

 private:
  struct State {
    NodePtr<T> variable;
    Shape shape;
    AlignedBuffer<T> slot[kMaxSlots];
  };
  void check(const State& state) const;
  void update(State& state, const Coefficients& coefficients, double rate,
              const Team& team) noexcept;

  Optimizer kind_;
  double hyper_[kMaxHyperparameters] = {};
  double l1_;
  double l2_;
  std::vector<State> states_;
  double flops_ = 0.0;
  Index steps_ = 0;
};

}  // namespace fastmlp::graph
