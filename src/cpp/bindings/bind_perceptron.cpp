// The perceptron's training loop as one function: hyperplanes in, new hyperplanes out.
#include <algorithm>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/held_rows.h"
#include "bindings/python_hooks.h"
#include "perceptron/perceptron.h"

namespace fastmlp::bindings {

namespace {

py::array_t<double> copy_of(const py::array& array, const std::vector<Index>& shape,
                            const char* name) {
  const auto from = c_array<double>(array, shape, name);
  py::array_t<double> to(shape);
  std::copy(from.data(), from.data() + from.size(), to.mutable_data());
  return to;
}

py::dict train(const py::object& x, const py::object& t, const py::array& coef,
               const py::array& intercept, const py::object& windows, double eta0, Index epochs,
               bool shuffle, std::uint64_t seed, Index first_epoch) {
  const TableView weights = table_view(coef, "coef");
  const HeldRows rows({weights.cols, weights.rows}, x, t, py::none(), py::none(), windows);
  py::array_t<double> w = copy_of(coef, {weights.rows, weights.cols}, "coef");
  py::array_t<double> b = copy_of(intercept, {weights.rows}, "intercept");
  const Hyperplanes planes{w.mutable_data(), b.mutable_data(), weights.rows, weights.cols};
  PythonCaller caller;
  PerceptronReport report;
  {
    const GilReleased release;
    train_perceptron(rows.source(), {eta0, epochs, shuffle, seed, first_epoch}, planes, caller,
                     report);
  }
  caller.rethrow();
  return py::dict(py::arg("coef") = w, py::arg("intercept") = b,
                  py::arg("mistakes") = report.mistakes,
                  py::arg("failed_epoch") = report.failed_epoch);
}

}  // namespace

void bind_perceptron(py::module_& m) {
  const PerceptronSettings defaults;
  m.def("train_perceptron", &train, py::arg("x"), py::arg("t"), py::arg("coef"),
        py::arg("intercept"), py::kw_only(), py::arg("windows") = py::none(),
        py::arg("eta0") = defaults.eta0, py::arg("epochs"), py::arg("shuffle") = defaults.shuffle,
        py::arg("seed") = defaults.seed, py::arg("first_epoch") = defaults.first_epoch);
}

}  // namespace fastmlp::bindings
