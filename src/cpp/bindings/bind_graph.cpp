// Nodes of computation graphs and their optimizers, for both scalar types, and _core.graph with the
// table of operations.

#include <atomic>
#include <cstring>
#include <mutex>
#include <new>
#include <optional>
#include <thread>

#include "base/fork.h"
#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/numpy_view.h"
#include "bindings/python_hooks.h"
#include "graph/optimizer.h"

namespace fastmlp::bindings {

namespace {

using graph::Node;
using graph::NodePtr;
using graph::Shape;

/// Lets one thread at a time touch nodes: another may be at work without the GIL. Whoever has to
/// wait gives the GIL up, so the two locks can't block each other. A forked child begins with a
/// lock of its own, for the thread that may have held the parent's is not there.
class Exclusive {
 public:
  Exclusive() : lock_(mutex(), std::defer_lock) {
    if (owner() == std::this_thread::get_id()) {  // a signal's handler, in the middle of a call
      throw std::runtime_error("this thread is at work on a graph already");
    }
    if (!lock_.try_lock()) {
      const GilReleased release;
      lock_.lock();
    }
    owner() = std::this_thread::get_id();
  }
  ~Exclusive() { owner() = std::thread::id(); }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  static std::atomic<std::thread::id>& owner() {
    static std::atomic<std::thread::id> one;
    return one;
  }
  static std::mutex& mutex() {
    static std::mutex& one = *new std::mutex;
    static const bool registered = call_in_forked_child([] {
      new (&one) std::mutex;
      owner() = std::thread::id();
    });
    (void)registered;
    return one;
  }
  std::unique_lock<std::mutex> lock_;
};

/// Calls run(poll) without the GIL where there is enough to do; Ctrl-C then ends it.
template <class F>
void run_without_gil(double flops, F run) {
  PythonCaller caller;
  Poll poll(caller);
  {
    std::optional<GilReleased> release;
    if (flops > kFlopsWithGil) release.emplace();
    run(poll);
  }
  caller.rethrow();
}

Shape shape_of(const py::array& array, const std::string& name) {
  if (array.ndim() > 2) {
    throw std::invalid_argument(name + " must have at most two axes, got " +
                                std::to_string(array.ndim()));
  }
  if (array.size() == 0) throw std::invalid_argument(name + " must not be empty");
  const int ndim = static_cast<int>(array.ndim());
  return {ndim, ndim == 2 ? array.shape(0) : 1, ndim == 0 ? 1 : array.shape(ndim - 1)};
}

/// Rows of an array of any strides and numeric type into a matrix of that shape.
template <class T>
void write(const py::array& array, const Shape& shape, const graph::View<T>& to) {
  TableView from;
  from.data = array.data();
  from.dtype = dtype_of(array, "value");
  from.rows = shape.rows;
  from.cols = shape.cols;
  from.row_stride = shape.ndim == 2 ? array.strides(0) : 0;
  from.col_stride = shape.ndim > 0 ? array.strides(shape.ndim - 1) : array.itemsize();
  gather_rows(from, nullptr, 0, shape.rows, to.data, to.ld);
}

/// A copy: an array, or a float for a scalar.
template <class T>
py::object read(const graph::View<T>& from, const Shape& shape) {
  if (shape.ndim == 0) return py::float_(static_cast<double>(*from.data));
  py::array_t<T> array =
      shape.ndim == 1 ? py::array_t<T>(shape.cols) : py::array_t<T>({shape.rows, shape.cols});
  for (Index r = 0; r < shape.rows; ++r) {
    std::memcpy(array.mutable_data() + r * shape.cols, from.row(r),
                static_cast<std::size_t>(shape.cols) * sizeof(T));
  }
  return array;
}

py::tuple shape_tuple(const Shape& shape) {
  if (shape.ndim == 0) return py::make_tuple();
  if (shape.ndim == 1) return py::make_tuple(shape.cols);
  return py::make_tuple(shape.rows, shape.cols);
}

template <class T>
void set_value(Node<T>& node, const py::array& value) {
  const Exclusive exclusive;
  if (!node.is_leaf()) {
    throw std::invalid_argument(graph::describe(node) +
                                ": only variables and constants can be given a value");
  }
  const Shape shape = shape_of(value, "value");
  dtype_of(value, "value");
  write(value, shape, graph::assign(node, shape));
}

template <class T>
NodePtr<T> make_leaf(const py::array& value, bool requires_grad, const std::string& name) {
  NodePtr<T> node = graph::make_leaf<T>(requires_grad, name);
  set_value(*node, value);
  return node;
}

template <class T>
NodePtr<T> make_operation(const std::string& operation, std::vector<NodePtr<T>> inputs,
                          const std::string& kind, std::optional<double> parameter, bool on_logits,
                          std::optional<int> axis, bool keep_dims, double rate,
                          std::uint64_t seed) {
  const auto op = static_cast<graph::Op>(row_named(graph::kOps, operation, "operation"));
  graph::Attributes attributes;
  if (op == graph::Op::activation) {
    attributes.activation = static_cast<Activation>(row_named(kActivations, kind, "activation"));
    const Parameter& row = row_of(attributes.activation).parameter;
    if (row.kind == Parameter::kLearned) {
      throw std::invalid_argument("activation '" + kind + "' has an operation of its own");
    }
    attributes.parameter = given_parameter(row, parameter, kind);
  } else if (op == graph::Op::loss) {
    const LossChoice choice = loss_choice(kind, parameter);
    attributes.loss = choice.loss;
    attributes.parameter = choice.parameter;
  }
  attributes.on_logits = on_logits;
  attributes.axis = axis.value_or(graph::kAllAxes);
  attributes.keep_dims = keep_dims;
  attributes.rate = rate;
  attributes.seed = seed;
  const Exclusive exclusive;
  return graph::make_operation<T>(op, attributes, std::move(inputs));
}

template <class T>
void forward(Node<T>& root, bool training, int threads) {
  const Exclusive exclusive;
  graph::ForwardPass<T> pass(root, training);
  run_without_gil(pass.flops(), [&](Poll& poll) { pass.run(threads, poll); });
}

/// Writes the gradient by the root itself: as given, or 1 for a root of one element.
template <class T>
void seed_gradient(Node<T>& root, const py::object& gradient) {
  if (!root.requires_grad) {
    throw std::invalid_argument(graph::describe(root) + ": it depends on no variable");
  }
  if (gradient.is_none() && root.shape.size() != 1.0) {
    throw std::invalid_argument(graph::describe(root) + ": its shape is " + to_string(root.shape) +
                                "; only a scalar has a gradient of its own, so give `gradient`");
  }
  std::optional<py::array> array;
  if (!gradient.is_none()) {
    array = py::cast<py::array>(gradient);
    if (!(shape_of(*array, "gradient") == root.shape)) {
      throw std::invalid_argument("gradient must have the shape " + to_string(root.shape) + " of " +
                                  graph::describe(root));
    }
  }
  root.grad.resize(root.shape.rows, root.shape.cols);
  if (array) {
    write(*array, root.shape, root.grad.view());
  } else {
    *root.grad.view().data = T{1};
  }
}

template <class T>
void backward(Node<T>& root, const py::object& gradient, int threads) {
  const Exclusive exclusive;
  seed_gradient(root, gradient);
  graph::BackwardPass<T> pass(root);
  run_without_gil(pass.flops(), [&](Poll& poll) { pass.run(threads, poll); });
}

template <class T>
py::object value_of(const Node<T>& node) {
  const Exclusive exclusive;
  return node.stamp == 0 ? py::none() : read(node.value.view(), node.shape);
}

template <class T>
py::object gradient_of(const Node<T>& node) {
  const Exclusive exclusive;
  const graph::View<T>& grad = node.grad.view();
  const bool fits = grad.rows == node.shape.rows && grad.cols == node.shape.cols;
  return node.has_grad && fits ? read(grad, node.shape) : py::none();
}

/// Nodes in topological order, without the ownership that topological_order() leaves to the graph.
template <class T>
py::list order_of(const NodePtr<T>& root) {
  const Exclusive exclusive;
  py::list nodes;
  for (Node<T>* node : graph::topological_order(*root)) nodes.append(node->shared_from_this());
  return nodes;
}

template <class T>
void bind_node(py::module_& m, const char* name) {
  using N = Node<T>;
  py::class_<N, NodePtr<T>>(m, name, "A node of a computation graph.")
      .def(py::init(&make_leaf<T>), py::arg("value"), py::arg("requires_grad"),
           py::arg("name") = "")
      .def_static("apply", &make_operation<T>, py::arg("operation"), py::arg("inputs"),
                  py::kw_only(), py::arg("kind") = "", py::arg("parameter") = py::none(),
                  py::arg("on_logits") = false, py::arg("axis") = py::none(),
                  py::arg("keep_dims") = false, py::arg("rate") = 0.0, py::arg("seed") = 0)
      .def("forward", &forward<T>, py::arg("training") = true, py::arg("n_threads") = 0)
      .def("backward", &backward<T>, py::arg("gradient") = py::none(), py::arg("n_threads") = 0)
      .def("order", &order_of<T>)
      .def("describe", [](const N& self) { return graph::describe(self); })
      .def("set_value", &set_value<T>, py::arg("value"))
      .def(
          "set_name", [](N& self, const std::string& given) { self.name = given; }, py::arg("name"))
      .def_property_readonly("value", &value_of<T>)
      .def_property_readonly("grad", &gradient_of<T>)
      .def_property_readonly("name", [](const N& self) { return self.name; })
      .def_property_readonly("operation", [](const N& self) { return operation_name(self); })
      .def_property_readonly("inputs", [](const N& self) { return self.inputs; })
      .def_property_readonly("shape", [](const N& self) { return shape_tuple(self.shape); })
      .def_property_readonly("requires_grad", [](const N& self) { return self.requires_grad; });
}

template <class T>
void bind_optimizer(py::module_& m, const char* name) {
  using Optimizer = graph::VariableOptimizer<T>;
  py::class_<Optimizer>(m, name, "Moves variables against their gradients.")
      .def(py::init([](std::vector<NodePtr<T>> variables, const std::string& optimizer,
                       const std::vector<double>& hyperparameters, double l1, double l2) {
             const Exclusive exclusive;
             const auto kind = row_named(kOptimizers, optimizer, "optimizer");
             return Optimizer(std::move(variables), static_cast<fastmlp::Optimizer>(kind),
                              hyperparameters, l1, l2);
           }),
           py::arg("variables"), py::arg("optimizer"), py::arg("hyperparameters"),
           py::arg("l1") = 0.0, py::arg("l2") = 0.0)
      .def_property_readonly("steps", &Optimizer::steps)
      .def(
          "step",
          [](Optimizer& self, double rate, int n_threads) {
            const Exclusive exclusive;
            run_without_gil(self.flops(), [&](Poll&) { self.step(rate, n_threads); });
          },
          py::arg("rate"), py::arg("n_threads") = 0);
}

py::list ops() {
  py::list rows;
  for (const graph::OpRow& row : graph::kOps) {
    rows.append(py::dict(py::arg("name") = row.name, py::arg("arity") = row.arity,
                         py::arg("doc") = row.doc));
  }
  return rows;
}

}  // namespace

void bind_graph(py::module_& m) {
  bind_node<float>(m, "GraphNodeFloat32");
  bind_node<double>(m, "GraphNodeFloat64");
  bind_optimizer<float>(m, "GraphOptimizerFloat32");
  bind_optimizer<double>(m, "GraphOptimizerFloat64");
  py::module_ g = m.def_submodule("graph", "What computation graphs are made of.");
  g.def("ops", &ops, "Every operation, as declared in the core's table.");
}

}  // namespace fastmlp::bindings
