// A long loop of the core meets Python: Ctrl-C between steps, a callback between epochs.
#pragma once

#include <pybind11/pybind11.h>

#include <exception>

#include "train/hooks.h"

namespace fastmlp::bindings {

namespace py = pybind11;

py::dict to_dict(const EpochReport& report);

/// Runs with the GIL released. Errors found while polling wait in here until the loop is left.
class PythonHooks final : public Hooks {
 public:
  explicit PythonHooks(py::object on_epoch_end = py::none(), py::object score = py::none())
      : on_epoch_end_(std::move(on_epoch_end)), score_(std::move(score)) {}

  bool poll() noexcept override {
    py::gil_scoped_acquire acquire;
    try {
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    } catch (...) {
      error_ = std::current_exception();
    }
    return error_ != nullptr;
  }

  double score() override {
    py::gil_scoped_acquire acquire;
    return py::cast<double>(score_());
  }

  bool epoch_end(const EpochReport& report) override {
    if (on_epoch_end_.is_none()) return false;
    py::gil_scoped_acquire acquire;
    return py::cast<bool>(py::bool_(on_epoch_end_(to_dict(report))));
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  py::object on_epoch_end_;
  py::object score_;
  std::exception_ptr error_;
};

}  // namespace fastmlp::bindings
