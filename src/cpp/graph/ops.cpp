#include "graph/ops.h"

namespace fastmlp::graph {

template <class T>
const Module<T>& module_of(Op op) {
  static constexpr Module<T> modules[] = {
#define GRAPH_OP(name, module, arity, doc) \
  {module::shape<T>, module::plan<T>, module::forward<T>, module::backward<T>},
#include "graph/ops.def"
#undef GRAPH_OP
  };
  return modules[static_cast<std::size_t>(op)];
}

template const Module<float>& module_of<float>(Op op);
template const Module<double>& module_of<double>(Op op);

}  // namespace fastmlp::graph
