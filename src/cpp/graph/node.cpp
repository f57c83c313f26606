#include "graph/node.h"

namespace fastmlp::graph {

template <class T>
Node<T>::Node(Op op_, Attributes attributes_, std::vector<std::shared_ptr<Node>> inputs_)
    : op(op_),
      attributes(attributes_),
      inputs(std::move(inputs_)),
      kernels(&pick<T>(current_target().kernels)),
      requires_grad(op_ == Op::variable) {
  for (const std::shared_ptr<Node>& input : inputs) requires_grad |= input->requires_grad;
}

/// Takes the graph apart from a list: chains of nodes may be longer than the stack is deep.
template <class T>
Node<T>::~Node() {
  std::vector<std::shared_ptr<Node>> released = std::move(inputs);
  while (!released.empty()) {
    const std::shared_ptr<Node> last = std::move(released.back());
    released.pop_back();
    if (last.use_count() > 1) continue;
    for (std::shared_ptr<Node>& input : last->inputs) released.push_back(std::move(input));
    last->inputs.clear();
  }
}

template <class T>
const char* operation_name(const Node<T>& node) {
  switch (node.op) {
    case Op::activation:
      return kActivations[static_cast<std::size_t>(node.attributes.activation)].name;
    case Op::loss:
      return kLosses[static_cast<std::size_t>(node.attributes.loss)].name;
    default:
      return kOps[static_cast<std::size_t>(node.op)].name;
  }
}

template <class T>
std::string describe(const Node<T>& node) {
  std::string text = node.name.empty() ? "" : "'" + node.name + "' = ";
  text += operation_name(node);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const Node<T>& input = *node.inputs[i];
    text += i == 0 ? " of " : i + 1 < node.inputs.size() ? ", " : " and ";
    text += input.name.empty() ? operation_name(input) : "'" + input.name + "'";
    text += " " + to_string(input.shape);
  }
  return text;
}

#define FASTMLP_INSTANTIATE(T)                            \
  template struct Node<T>;                                \
  template const char* operation_name<T>(const Node<T>&); \
  template std::string describe<T>(const Node<T>&);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp::graph
