// The catalog, the targets, and what the machine offers.
#include <cmath>

#include "base/backoff.h"
#include "base/buffer.h"
#include "base/parallel.h"
#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/numpy_view.h"
#include "kernels/machine_limits.h"

namespace py = pybind11;

namespace fastmlp::bindings {

namespace {

py::object to_python(const Parameter& parameter) {
  if (parameter.kind == Parameter::kNone) return py::none();
  return py::dict(py::arg("name") = parameter.name, py::arg("value") = parameter.value,
                  py::arg("learned") = parameter.kind == Parameter::kLearned);
}

const char* values_name(Values values) {
  const char* const names[] = {"real",    "non-negative", "positive", "unit",
                               "simplex", "log-simplex",  "sides"};
  return names[static_cast<int>(values)];
}

py::list activations() {
  const char* const keeps[] = {"output", "input", "row"};
  py::list rows;
  for (const ActivationRow& row : kActivations) {
    rows.append(py::dict(py::arg("name") = row.name, py::arg("doc") = row.doc,
                         py::arg("keeps") = keeps[static_cast<int>(row.keeps)],
                         py::arg("outputs") = values_name(row.outputs),
                         py::arg("parameter") = to_python(row.parameter)));
  }
  return rows;
}

/// The output activations that a loss is one of.
py::list activations_before(const LossRow& loss) {
  py::list names;
  for (const ActivationRow& row : kActivations) {
    if (within(row.outputs, loss.outputs)) names.append(row.name);
  }
  return names;
}

py::list losses() {
  py::list rows;
  for (const LossRow& row : kLosses) {
    rows.append(py::dict(py::arg("name") = row.name, py::arg("doc") = row.doc,
                         py::arg("link") = kActivations[static_cast<int>(row.link)].name,
                         py::arg("after") = activations_before(row),
                         py::arg("outputs") = words(row.outputs),
                         py::arg("targets") = words(row.targets),
                         py::arg("has_labels") = row.targets == Values::kUnit,
                         py::arg("mean_over_outputs") = row.over != Over::kSum,
                         py::arg("has_pairs") = row.over == Over::kPairs,
                         py::arg("parameter") = to_python(row.parameter)));
  }
  return rows;
}

py::list optimizers() {
  py::list rows;
  for (const OptimizerRow& row : kOptimizers) {
    py::dict defaults;
    for (const Hyperparameter& h : row.hyperparameters) {
      if (h.name) defaults[h.name] = h.value;
    }
    rows.append(py::dict(py::arg("name") = row.name, py::arg("doc") = row.doc,
                         py::arg("slots") = row.slots, py::arg("hyperparameters") = defaults));
  }
  return rows;
}

py::list target_rows() {
  py::list rows;
  for (const Target& target : targets()) {
    rows.append(py::dict(py::arg("name") = target.name, py::arg("doc") = target.doc,
                         py::arg("available") = target.available,
                         py::arg("lanes") = target.kernels.f32.lanes));
  }
  return rows;
}

/// The first of the targets that is outside the range of a loss, with its row; None without one.
/// Sides are 0 and 1, or -1 and 1, but not both. What is missing, as NaN, may be allowed.
py::object first_outside(const std::string& name, const py::array& t, bool skips_missing) {
  const Values values = row_of(loss_choice(name, std::nullopt).loss).targets;
  if (values == Values::kReal || t.dtype().kind() == 'b') return py::none();
  const Index rows = t.shape(0);
  const py::array matrix = t.attr("reshape")(rows, -1);
  const TableView view = table_view(matrix, "t");
  AlignedBuffer<double> row(view.cols);
  bool has_zero = false, has_minus = false;
  for (Index r = 0; r < rows; ++r) {
    gather_rows(view, nullptr, r, 1, row.data(), view.cols);
    for (Index c = 0; c < view.cols; ++c) {
      const double value = row.data()[c];
      if (skips_missing && std::isnan(value)) continue;
      has_zero |= value == 0.0;
      has_minus |= value == -1.0;
      const bool both = values == Values::kSides && has_zero && has_minus;
      if (both || !allows(values, value)) return py::make_tuple(r, value);
    }
  }
  return py::none();
}

}  // namespace

void bind_catalog(py::module_& m) {
  m.def(
      "catalog",
      [] {
        return py::dict(py::arg("activations") = activations(), py::arg("losses") = losses(),
                        py::arg("optimizers") = optimizers(), py::arg("targets") = target_rows());
      },
      "Every activation, loss, optimizer and target, as declared in the core's tables.");
  m.def("first_outside", &first_outside, py::arg("loss"), py::arg("t"),
        py::arg("skips_missing") = false,
        "Row and value of the first target that is outside the range of a loss, or None.");
  m.def(
      "current_target", [] { return current_target().name; },
      "Name of the target that new networks use.");
  m.def("set_target", &set_target, py::arg("name"), "Choose the target that new networks use.");
  m.def(
      "machine_limits",
      [](int n_threads) {
        check_threads(n_threads);
        MachineLimits limits;
        {
          const GilReleased release;
          limits = measure_limits(current_target(), n_threads);
        }
        return py::make_tuple(limits.flops, limits.bandwidth);
      },
      py::arg("n_threads") = 0,
      "Multiply-adds of float32 (times two) and bytes per second that the machine can do at best.");
  m.def("max_threads", &max_threads, "Threads that a call may use that asks for all.");
  m.def("limit_threads", &limit_threads, py::arg("most"),
        "Sets the most threads that a call may use that asks for all.");
  py::class_<Backoff>(m, "Backoff", "When a thread does without help for a while.")
      .def(py::init<>())
      .def("threads", &Backoff::threads, py::arg("wanted"), py::arg("flops"))
      .def_property_readonly("pause", &Backoff::pause)
      .def_static("is_late", &Backoff::is_late, py::arg("waited"), py::arg("phase"))
      .def("did", &Backoff::did, py::arg("flops"), py::arg("threads"), py::arg("seconds"),
           py::arg("lost"));
  m.def("allocation_count", &allocation_count, "Aligned allocations made so far, for the tests.");
}

}  // namespace fastmlp::bindings
