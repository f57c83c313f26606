#include "graph/graph.h"

#include <atomic>

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
template <class T, class Item, class Visit>
void run_all(const std::vector<Item>& items, const Work& work, int threads, Workspace<T>& workspace,
             Visit visit) {
  if (items.empty()) return;
  const int team_size = threads_for(work.flops / static_cast<double>(items.size()), threads);
  const Index size = round_up(work.scratch, kAlignment);
  const Index all = checked_mul(team_size, size);
  if (workspace.scratch.size() < all) workspace.scratch = AlignedBuffer<T>(all);
  T* scratch = workspace.scratch.data();
  auto body = [&](const Team& team) noexcept {
    const Worker<T> worker{team, scratch + team.rank() * size};
    for (const Item& item : items) {
      visit(item, worker);
      team.barrier();
    }
  };
  parallel(team_size, body);
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
void ForwardPass<T>::run(int threads) {
  run_all(stale_, work_, threads, workspace_of(root_),
          [](Node<T>* node, const Worker<T>& worker) noexcept {
            module_of<T>(node->op).forward(*node, worker);
          });
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
    if (!node->requires_grad || node == &root) continue;
    node->grad.resize(node->shape.rows, node->shape.cols);
    node->has_grad = false;
  }
  root.has_grad = true;
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    Node<T>& node = **at;
    if (!node.requires_grad || node.is_leaf()) continue;
    const Work work = module_of<T>(node.op).plan(node);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      Node<T>& input = *node.inputs[i];
      if (!input.requires_grad) continue;
      contributions_.push_back({&node, static_cast<Index>(i), !input.has_grad});
      input.has_grad = true;
      add(work_, work);
    }
  }
}

template <class T>
void BackwardPass<T>::run(int threads) {
  Workspace<T>& workspace = workspace_of(root_);
  Index largest = 0;
  for (const Contribution& c : contributions_) {
    if (c.first) continue;
    const Matrix<T>& sum = c.node->input(c.input).grad;
    if (sum.flat_size() > largest) largest = sum.flat_size();
  }
  if (workspace.spare.size() < largest) workspace.spare = AlignedBuffer<T>(largest);
  run_all(contributions_, work_, threads, workspace,
          [this](const Contribution& c, const Worker<T>& worker) noexcept { run_one(c, worker); });
}

template <class T>
void BackwardPass<T>::run_one(const Contribution& c, const Worker<T>& worker) noexcept {
  const View<T>& sum = c.node->input(c.input).grad.view();
  const auto backward = module_of<T>(c.node->op).backward;
  if (c.first) return backward(*c.node, c.input, sum, worker);
  const View<T> spare{root_.workspace->spare.data(), sum.rows, sum.cols, sum.ld};
  backward(*c.node, c.input, spare, worker);
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
