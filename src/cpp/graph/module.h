// What an operation has to know: the shape of its value, the memory it needs, its value, and the
// gradient by each of its inputs, given the gradient by its value. ops.h holds them all; the passes
// reach them by the table behind module_of().
//
// forward and backward are called by every thread of a team, which share the work by position: what
// a thread computes may not depend on the number of threads. Both may use the team's barrier.
// backward overwrites every number of dx, rows in full where the matrix is padded with zeros.
#pragma once

#include <stdexcept>

#include "graph/node.h"

namespace fastmlp::graph {

/// What a pass over a node costs.
struct Work {
  double flops = 0.0;
  Index scratch = 0;  // numbers per thread
};

template <class T>
struct Module {
  /// From the inputs' shapes; throws std::invalid_argument where they do not fit.
  Shape (*shape)(const Node<T>&);
  /// Makes what the node remembers as large as its shape and those of its inputs ask for.
  Work (*plan)(Node<T>&);
  void (*forward)(Node<T>&, const Worker<T>&);
  void (*backward)(Node<T>&, Index input, const View<T>& dx, const Worker<T>&);
};

template <class T>
const Module<T>& module_of(Op op);

template <class T>
[[noreturn]] void reject(const Node<T>& node, const std::string& why) {
  throw std::invalid_argument(describe(node) + ": " + why);
}

/// A flop of an element-wise operation stands for about so many of a product: it waits for memory
/// or for a division, an exponential or a random number.
inline constexpr double kFlopsPerElement = 16.0;

}  // namespace fastmlp::graph
