#include "graph/optimizer.h"

#include <algorithm>

namespace fastmlp::graph {

namespace {

template <class T>
std::string label(const Node<T>& variable) {
  return variable.name.empty() ? "a variable of shape " + to_string(variable.shape)
                               : "'" + variable.name + "'";
}

}  // namespace

template <class T>
VariableOptimizer<T>::VariableOptimizer(std::vector<NodePtr<T>> variables, Optimizer kind,
                                        const std::vector<double>& hyper, double l1, double l2)
    : kind_(kind), l1_(l1), l2_(l2) {
  const OptimizerRow& row = kOptimizers[static_cast<std::size_t>(kind)];
  std::size_t count = 0;
  while (count < kMaxHyperparameters && row.hyperparameters[count].name) ++count;
  if (hyper.size() != count) {
    throw std::invalid_argument(std::string(row.name) + " has " + std::to_string(count) +
                                " hyperparameters, got " + std::to_string(hyper.size()));
  }
  std::copy(hyper.begin(), hyper.end(), hyper_);
  for (const NodePtr<T>& variable : variables) {
    if (variable->op != Op::variable) {
      throw std::invalid_argument(describe(*variable) + " is no variable");
    }
    for (const State& state : states_) {
      if (state.variable == variable) {
        throw std::invalid_argument(label(*variable) + " is given twice");
      }
    }
    State state{variable, variable->shape, {}};
    for (int s = 0; s < row.slots; ++s) {
      state.slot[s] = AlignedBuffer<T>(variable->value.flat_size());
    }
    flops_ += kFlopsPerElement * variable->shape.size();
    states_.push_back(std::move(state));
  }
}

template <class T>
void VariableOptimizer<T>::check(const State& state) const {
  const Node<T>& variable = *state.variable;
  if (!variable.has_grad) {
    throw std::logic_error(label(variable) + " has no gradient; call backward() first");
  }
  const View<T>& grad = variable.grad.view();
  if (!(variable.shape == state.shape) || grad.rows != state.shape.rows ||
      grad.cols != state.shape.cols) {
    throw std::logic_error(label(variable) + " had shape " + to_string(state.shape) +
                           " when the optimizer was made; make a new one");
  }
}

template <class T>
void VariableOptimizer<T>::step(double rate, int threads) {
  for (const State& state : states_) check(state);
  if (states_.empty()) return;
  ++steps_;
  Coefficients coefficients{};
  const Kernels<T>& kernels = *states_.front().variable->kernels;
  kernels.prepare[static_cast<std::size_t>(kind_)](rate, hyper_, steps_, coefficients);
  auto body = [&](const Team& team) noexcept {
    for (State& state : states_) update(state, coefficients, rate, team);
  };
  const Call call(flops_, flops_, threads);
  parallel(call.threads(), body);
  for (const State& state : states_) touch(*state.variable);
}

template <class T>
void VariableOptimizer<T>::update(State& state, const Coefficients& coefficients, double rate,
                                  const Team& team) noexcept {
  Node<T>& variable = *state.variable;
  const Range mine = share(variable.value.flat_size(), kAlignment, equal_part(team));
  UpdateArgs<T> args{};
  args.w = variable.value.view().data + mine.begin;
  args.g = variable.grad.view().data + mine.begin;
  for (int s = 0; s < kMaxSlots && state.slot[s].size() > 0; ++s) {
    args.slot[s] = state.slot[s].data() + mine.begin;
  }
  args.n = mine.size();
  args.coefficients = &coefficients;
  args.rate = rate;
  args.l1 = l1_;
  args.l2 = l2_;
  variable.kernels->update[static_cast<std::size_t>(kind_)](args);
}

template class VariableOptimizer<float>;
template class VariableOptimizer<double>;

}  // namespace fastmlp::graph
