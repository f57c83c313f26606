#include "graph/graph.h"

#include <algorithm>
#include <atomic>
#include <sstream>

#include "graph/rowwise.h"

namespace fastmlp::graph {

namespace {

std::uint64_t next_stamp() {
  static std::atomic<std::uint64_t> clock{0};
  return ++clock;
}

template <class T>
bool is_out_of_date(const Node<T>& node) {
  for (const NodePtr<T>& input : node.inputs) {
    if (input->stamp == 0 || input->stamp > node.stamp) return true;
  }
  return node.stamp == 0;
}

/// Whether forward() with or without training asks for other random numbers than the last one did.
template <class T>
bool draws(const Node<T>& node, bool training) {
  return node.op == Op::dropout && node.attributes.rate > 0.0 && (training || node.masked);
}

std::string to_text(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

void add(Work& total, const Work& work) {
  total.flops += work.flops;
  if (work.scratch > total.scratch) total.scratch = work.scratch;
}

template <class T>
Workspace<T>& workspace_of(Node<T>& root) {
  if (!root.workspace) root.workspace = std::make_unique<Workspace<T>>();
  return *root.workspace;
}

/// Calls visit(item, worker) for every item in order, by a team that meets behind each of them.
/// Returns false where it was left before the end.
template <class T, class Item, class Visit>
bool run_all(const std::vector<Item>& items, const Work& work, int threads, Workspace<T>& workspace,
             Poll& poll, Visit visit) {
  if (items.empty()) return true;
  const double flops = work.flops / static_cast<double>(items.size());
  const Waking waking(flops, work.flops, threads);
  const Threads most = waking.threads();
  const Index size = round_up(work.scratch, kAlignment);
  // For as many as ever, so that nothing is allocated where a later call has more of them.
  const Index all = checked_mul(std::max(most.count, threads_for(flops, threads)), size);
  if (workspace.scratch.size() < all) workspace.scratch = AlignedBuffer<T>(all);
  T* scratch = workspace.scratch.data();
  // Where all leave: behind the item whose barrier comes next when it is written.
  std::atomic<std::size_t> last{0};
  while (last < items.size() && !poll.stopped()) {
    const std::size_t first = last;
    last = items.size();
    Stint stint(flops * static_cast<double>(items.size() - first), most, true);
    auto body = [&](const Team& team) noexcept {
      const Worker<T> worker{team, scratch + team.rank() * size, poll};
      for (std::size_t i = first; i < last; ++i) {
        visit(items[i], worker);
        const bool leads = team.rank() == 0;
        if (leads && (poll.after(flops) || team.is_outdated())) last = i + 1;
        team.barrier();
      }
    };
    parallel(stint.threads(), body);
  }
  return last == items.size() && !poll.stopped();
}

/// Throws where the node is a loss that was given what is out of its range.
template <class T>
void check_range(const Node<T>& node) {
  const Fault fault = node.fault;
  if (fault == Fault::kNone) return;
  const bool targets = fault == Fault::kTargets;
  const LossRow& row = row_of(node.attributes.loss);
  const Values values = targets ? row.targets : row.outputs;
  const View<T>& found = node.input(targets ? 1 : 0).value.view();
  for (Index r = 0; r < found.rows; ++r) {
    for (Index c = 0; c < found.cols; ++c) {
      const auto value = static_cast<double>(found.row(r)[c]);
      if (targets ? allows(values, value) : is_output_of(values, value)) continue;
      const std::string hint = targets ? ""
                                       : "; logits=True takes what the activation '" +
                                             std::string(row_of(row.link).name) +
                                             "' is yet to be applied to";
      reject(node, std::string(targets ? "the targets t" : "the outputs y") + " must hold " +
                       words(values) + "; got " + to_text(value) + " in row " + std::to_string(r) +
                       hint);
    }
  }
}

}  // namespace

template <class T>
NodePtr<T> make_leaf(bool requires_grad, std::string name) {
  const Op op = requires_grad ? Op::variable : Op::constant;
  auto node = std::make_shared<Node<T>>(op, Attributes{}, std::vector<NodePtr<T>>{});
  node->name = std::move(name);
  return node;
}

template <class T>
NodePtr<T> make_operation(Op op, const Attributes& attributes, std::vector<NodePtr<T>> inputs) {
  const OpRow& row = kOps[static_cast<std::size_t>(op)];
  if (row.arity == 0 || static_cast<Index>(inputs.size()) != row.arity) {
    throw std::invalid_argument(std::string(row.name) + " can't be made of " +
                                std::to_string(inputs.size()) + " inputs");
  }
  if (!(attributes.rate >= 0.0 && attributes.rate < 1.0)) {
    throw std::invalid_argument("dropout rate must be in [0, 1), got " +
                                std::to_string(attributes.rate));
  }
  auto node = std::make_shared<Node<T>>(op, attributes, std::move(inputs));
  node->shape = module_of<T>(op).shape(*node);
  return node;
}

template <class T>
const View<T>& assign(Node<T>& leaf, const Shape& shape) {
  leaf.value.resize(shape.rows, shape.cols);
  leaf.shape = shape;
  touch(leaf);
  return leaf.value.view();
}

template <class T>
void touch(Node<T>& leaf) {
  leaf.stamp = next_stamp();
}

template <class T>
std::vector<Node<T>*> topological_order(Node<T>& root) {
  struct Visit {
    Node<T>* node;
    std::size_t next;  // input to look at
  };
  const std::uint64_t search = next_stamp();
  std::vector<Node<T>*> order;
  std::vector<Visit> path{{&root, 0}};
  root.visited = search;
  while (!path.empty()) {
    Visit& top = path.back();
    if (top.next == top.node->inputs.size()) {
      order.push_back(top.node);
      path.pop_back();
      continue;
    }
    Node<T>* input = top.node->inputs[top.next++].get();
    if (input->visited == search) continue;
    input->visited = search;
    path.push_back({input, 0});
  }
  return order;
}

template <class T>
ForwardPass<T>::ForwardPass(Node<T>& root, bool training) : root_(root) {
  for (Node<T>* node : topological_order(root)) {
    if (node->is_leaf() || (!is_out_of_date(*node) && !draws(*node, training))) continue;
    node->stamp = 0;  // until the pass has run: what follows may throw
    stale_.push_back(node);
  }
  for (Node<T>* node : stale_) {
    const Module<T>& module = module_of<T>(node->op);
    node->shape = module.shape(*node);
    node->value.resize(node->shape.rows, node->shape.cols);
    add(work_, module.plan(*node));
    node->masked = training && node->attributes.rate > 0.0;
    node->step += node->masked ? 1 : 0;
  }
}

template <class T>
void ForwardPass<T>::run(int threads, Poll& poll) {
  const bool done = run_all(stale_, work_, threads, workspace_of(root_), poll,
                            [](Node<T>* node, const Worker<T>& worker) noexcept {
                              module_of<T>(node->op).forward(*node, worker);
                            });
  if (!done || poll.stopped()) return;
  for (const Node<T>* node : stale_) check_range(*node);
  for (Node<T>* node : stale_) node->stamp = node->panels.stamp = next_stamp();
}

template <class T>
BackwardPass<T>::BackwardPass(Node<T>& root) : root_(root) {
  const std::vector<Node<T>*> order = topological_order(root);
  for (const Node<T>* node : order) {
    if (node->is_leaf() || !is_out_of_date(*node)) continue;
    throw std::logic_error(describe(*node) +
                           ": the value is not that of its inputs; call forward() first");
  }
  for (Node<T>* node : order) {
    node->losses.clear();
    if (!node->requires_grad || node == &root) continue;
    node->grad.resize(node->shape.rows, node->shape.cols);
    node->has_grad = false;
    receivers_.push_back(node);
  }
  root.has_grad = true;
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    if ((*at)->requires_grad && !(*at)->is_leaf()) plan(**at);
  }
}

/// A loss that knows the logits gives them their gradient itself: through outputs that have rounded
/// to 0 or 1 nothing would come. To the outputs it gives theirs when they have passed on what they
/// got from others.
template <class T>
void BackwardPass<T>::plan(Node<T>& node) {
  const Work work = module_of<T>(node.op).plan(node);
  Node<T>* const logits = logits_behind(node);
  if (logits && logits->requires_grad) {
    add_contribution(node, 0, *logits, true, work);
    node.input(0).losses.push_back(&node);
    return;
  }
  for (std::size_t i = 0; i < node.inputs.size() && node.has_grad; ++i) {
    Node<T>& input = *node.inputs[i];
    if (input.requires_grad) add_contribution(node, static_cast<Index>(i), input, false, work);
  }
  for (Node<T>* loss : node.losses) add_contribution(*loss, 0, node, false, work);
  node.losses.clear();
}

template <class T>
void BackwardPass<T>::add_contribution(Node<T>& node, Index input, Node<T>& to, bool by_logits,
                                       const Work& work) {
  contributions_.push_back({&node, input, &to, !to.has_grad, by_logits});
  to.has_grad = true;
  add(work_, work);
}

/// Gradients of a pass that was left are none.
template <class T>
void BackwardPass<T>::forget() {
  for (Node<T>* node : receivers_) node->has_grad = false;
}

template <class T>
void BackwardPass<T>::run(int threads, Poll& poll) {
  Workspace<T>& workspace = workspace_of(root_);
  Index largest = 0;
  for (const Contribution& c : contributions_) {
    if (c.first) continue;
    const Matrix<T>& sum = c.to->grad;
    if (sum.flat_size() > largest) largest = sum.flat_size();
  }
  if (workspace.spare.size() < largest) workspace.spare = AlignedBuffer<T>(largest);
  const bool done = run_all(
      contributions_, work_, threads, workspace, poll,
      [this](const Contribution& c, const Worker<T>& worker) noexcept { run_one(c, worker); });
  if (!done || poll.stopped()) forget();
}

template <class T>
void BackwardPass<T>::run_one(const Contribution& c, const Worker<T>& worker) noexcept {
  const View<T>& sum = c.to->grad.view();
  const auto contribute = [&](const View<T>& dx) {
    if (c.by_logits) return gradient_by_logits(*c.node, dx, worker);
    module_of<T>(c.node->op).backward(*c.node, c.input, dx, worker);
  };
  if (c.first) return contribute(sum);
  const View<T> spare{root_.workspace->spare.data(), sum.rows, sum.cols, sum.ld};
  contribute(spare);
  worker.team.barrier();
  const Range rows = worker.share_of(sum.rows);
  for (Index r = rows.begin; r < rows.end; ++r) {
    const T* more = spare.row(r);
    T* to = sum.row(r);
    for (Index i = 0; i < sum.cols; ++i) to[i] += more[i];
  }
}

#define FASTMLP_INSTANTIATE(T)                                                           \
  template NodePtr<T> make_leaf<T>(bool, std::string);                                   \
  template NodePtr<T> make_operation<T>(Op, const Attributes&, std::vector<NodePtr<T>>); \
  template const View<T>& assign<T>(Node<T>&, const Shape&);                             \
  template void touch<T>(Node<T>&);                                                      \
  template std::vector<Node<T>*> topological_order<T>(Node<T>&);                         \
  template class ForwardPass<T>;                                                         \
  template class BackwardPass<T>;
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp::graph
