// Building a graph and going through it. A pass is planned first, which checks shapes and makes
// room for values and gradients; then it runs, which the caller may give up the GIL for. A pass
// over shapes that were there before allocates nothing. Both ways visit nodes in topological order,
// one after the other, each with the whole team.
//
// Nothing here is safe for two threads at once on graphs that share a node.
#pragma once

#include "graph/module.h"

namespace fastmlp::graph {

template <class T>
using NodePtr = std::shared_ptr<Node<T>>;

/// A variable or a constant, without a value.
template <class T>
NodePtr<T> make_leaf(bool requires_grad, std::string name);

/// An operation on other nodes; throws std::invalid_argument where they do not fit.
template <class T>
NodePtr<T> make_operation(Op op, const Attributes& attributes, std::vector<NodePtr<T>> inputs);

/// Makes room for a leaf's new value, to be written by the caller; passes will see that it changed.
template <class T>
const View<T>& assign(Node<T>& leaf, const Shape& shape);

/// Notes that a value was changed in place.
template <class T>
void touch(Node<T>& leaf);

/// Every node that leads to the root, inputs before what they go into; the root is last.
template <class T>
std::vector<Node<T>*> topological_order(Node<T>& root);

/// Computes the values of the root and of every node before it that is out of date. With `training`
/// dropout draws a new mask; otherwise it lets everything through.
template <class T>
class ForwardPass {
 public:
  /// Throws std::invalid_argument where new values of leaves do not fit.
  ForwardPass(Node<T>& root, bool training);
  double flops() const { return work_.flops; }
  /// Throws std::invalid_argument where targets or outputs of a loss are out of its range. The
  /// values are not there where that happens, or where `poll` says to leave.
  void run(int threads, Poll& poll);

 private:
  Node<T>& root_;
  std::vector<Node<T>*> stale_;
  Work work_;
};

/// Computes the gradient of the root by every node before it that requires one.
template <class T>
class BackwardPass {
 public:
  /// Takes the gradient by the root from root.grad, of the root's shape. Throws std::logic_error
  /// where the values of the graph are not those of a forward pass.
  explicit BackwardPass(Node<T>& root);
  double flops() const { return work_.flops; }
  /// The gradients are not there where `poll` says to leave.
  void run(int threads, Poll& poll);

 private:
  /// What a node gives to the gradient of another one: the first that this receives is written to
  /// its place, later ones are added. It comes by an input of the node; or, from a loss that knows
  /// the logits behind its outputs, right to them.
  struct Contribution {
    Node<T>* node;
    Index input;
    Node<T>* to;
    bool first;
    bool by_logits;
  };
  void plan(Node<T>& node);
  void add_contribution(Node<T>& node, Index input, Node<T>& to, bool by_logits, const Work& work);
  void forget();
  void run_one(const Contribution& contribution, const Worker<T>& worker) noexcept;

  Node<T>& root_;
  std::vector<Node<T>*> receivers_;
  std::vector<Contribution> contributions_;
  Work work_;
};

}  // namespace fastmlp::graph
