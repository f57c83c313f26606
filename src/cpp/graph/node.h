// A node of a computation graph: an operation, the nodes that it takes, its value and its gradient.
// A graph has no object of its own: it is what the inputs of a node lead to, and nodes may be part
// of several. Nodes are bound to the target that was in force when they were made.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/parallel.h"
#include "base/poll.h"
#include "graph/matrix.h"
#include "kernels/dispatch.h"

namespace fastmlp::graph {

enum class Op {
#define GRAPH_OP(name, module, arity, doc) name,
#include "graph/ops.def"
#undef GRAPH_OP
};

struct OpRow {
  const char* name;
  Index arity;
  const char* doc;
};
inline constexpr OpRow kOps[] = {
#define GRAPH_OP(name, module, arity, doc) {#name, arity, doc},
#include "graph/ops.def"
#undef GRAPH_OP
};

/// What sum and mean run over: the axis that NumPy means, and what it is in the stored matrix.
inline constexpr int kAllAxes = -1;
enum class Axis { kAll, kRows, kColumns };

/// What an operation is told besides its inputs.
struct Attributes {
  Activation activation = Activation::identity;
  Loss loss = Loss::squared_error;
  double parameter = 0.0;  // of the activation or the loss
  bool on_logits = false;
  int axis = kAllAxes;  // of sum and mean, from 0
  bool keep_dims = false;
  double rate = 0.0;  // of dropout
  std::uint64_t seed = 0;
};

/// The packed factor of a product, and the stamp of the pass that last made sure of it.
template <class T>
struct Panels {
  PanelShape shape{};
  AlignedBuffer<T> data;
  std::uint64_t stamp = 0;
};

/// Memory that a pass over the graph of one root needs, kept for the next one.
template <class T>
struct Workspace {
  AlignedBuffer<T> scratch;  // one part per thread
  AlignedBuffer<T> spare;    // a gradient on its way to be added
};

/// What is outside the range of a loss.
enum class Fault { kNone, kTargets, kOutputs };

template <class T>
struct Node : std::enable_shared_from_this<Node<T>> {
  Node(Op op_, Attributes attributes_, std::vector<std::shared_ptr<Node>> inputs_);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  Op op;
  Attributes attributes;
  std::vector<std::shared_ptr<Node>> inputs;
  const Kernels<T>* kernels;
  bool requires_grad;
  std::string name;  // as given by the user; may be empty

  Shape shape;
  Matrix<T> value;
  Matrix<T> grad;
  bool has_grad = false;
  /// When the value was computed or assigned, by a clock that counts up; 0 where there is none. A
  /// value is out of date where an input is younger.
  std::uint64_t stamp = 0;

  // What operations remember between forward and backward.
  Panels<T> panels;       // matmul, dense
  Matrix<T> kept;         // loss: the gradient by its outputs
  Matrix<T> kept_logits;  // loss: that by the logits behind its outputs, where it knows them
  std::atomic<Fault> fault{Fault::kNone};  // loss: what the last forward pass found
  AlignedBuffer<T> row_numbers;            // sum, mean, loss: numbers of each row
  std::uint64_t step = 0;                  // dropout: forward passes with masks so far
  bool masked = false;                     // dropout: whether the last one had masks

  std::unique_ptr<Workspace<T>> workspace;  // where this node is the root of a pass
  std::uint64_t visited = 0;                // by the last search that came here
  std::vector<Node*> losses;  // in a backward pass: those of this node that know what is behind it

  bool is_leaf() const { return inputs.empty(); }
  Node& input(Index i) const { return *inputs[static_cast<std::size_t>(i)]; }
};

/// The name of the node's operation; of activations and losses, the catalog's.
template <class T>
const char* operation_name(const Node<T>& node);

/// "matmul of 'x' (3, 4) and 'w' (5, 2)", with the node's own name in front where it has one.
template <class T>
std::string describe(const Node<T>& node);

/// One thread's part in a pass.
template <class T>
struct Worker {
  const Team& team;
  T* scratch;
  Poll& poll;

  Range share_of(Index n, Index grain = 1) const { return share(n, grain, equal_part(team)); }
  /// Whether to leave the rest of a node's work, behind so many operations of it.
  bool leaves(double flops) const { return poll.after(flops, team.rank()); }
  /// Calls visit(range) for the thread's share of n rows, in pieces of so many operations that
  /// leaving is never far.
  template <class Visit>
  void for_each_piece(Index n, double flops_per_row, Visit visit) const {
    const Range mine = share_of(n);
    const double most = kFlopsBetweenPolls / (flops_per_row + 1.0);
    const Index rows = most < 256.0 ? 256 : most > 1e9 ? n : static_cast<Index>(most);
    for (Index begin = mine.begin; begin < mine.end; begin += rows) {
      const Range piece{begin, min_index(begin + rows, mine.end)};
      visit(piece);
      if (leaves(flops_per_row * static_cast<double>(piece.size()))) return;
    }
  }
};

}  // namespace fastmlp::graph
