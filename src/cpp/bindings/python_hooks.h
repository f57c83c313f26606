// A long call of the core meets Python: Ctrl-C on the way, callbacks between epochs.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <exception>

#include "base/subnormals.h"
#include "bindings/gil.h"
#include "train/hooks.h"

namespace fastmlp::bindings {

namespace py = pybind11;

py::dict to_dict(const EpochReport& report);

/// Ends the long calls of the threads that have entered: signals come to the main thread only.
class Cancellation {
 public:
  void cancel() noexcept { cancelled_ = true; }
  void enter() noexcept { entered() = this; }
  void exit() noexcept { entered() = nullptr; }
  /// Whether that of this thread was cancelled.
  static bool cancelled() noexcept { return entered() != nullptr && entered()->cancelled_; }

 private:
  static const Cancellation*& entered() noexcept {
    thread_local const Cancellation* entered = nullptr;
    return entered;
  }
  std::atomic<bool> cancelled_{false};
};

/// Whether Ctrl-C was pressed, another signal's handler has raised, or this thread's calls were
/// cancelled: `error` is then what it was.
inline bool signal_raised(std::exception_ptr& error) noexcept {
  const SubnormalsAsZero::Suspended suspended;
  const GilHeld acquire;
  try {
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (Cancellation::cancelled()) {
      PyErr_SetNone(py::module_::import("concurrent.futures").attr("CancelledError").ptr());
      throw py::error_already_set();
    }
  } catch (...) {
    error = std::current_exception();
  }
  return error != nullptr;
}

/// Python as the caller of a long call: left behind a signal, whose error is then thrown.
class PythonCaller final : public Caller {
 public:
  bool poll() noexcept override { return signal_raised(error_); }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::exception_ptr error_;
};

/// Runs with the GIL released. Errors found while polling wait in here until the loop is left.
class PythonHooks final : public Hooks {
 public:
  /// `in_hook` tells, to whoever holds the GIL, whether one is being called.
  explicit PythonHooks(py::object on_epoch_end, py::object score, py::object rate, bool& in_hook)
      : on_epoch_end_(std::move(on_epoch_end)),
        score_(std::move(score)),
        rate_(std::move(rate)),
        in_hook_(in_hook) {}

  bool poll() noexcept override { return signal_raised(error_) || is_noted(); }
  /// Ends the run, too, where this has noted an interrupt of the user's.
  void watch(py::object transport) { transport_ = std::move(transport); }

  double rate(Index epoch, double present) override {
    if (rate_.is_none()) return present;
    const GilHeld acquire;
    return py::cast<double>(rate_(epoch));
  }

  double score() override {
    const GilHeld acquire;
    const Within within(in_hook_);
    return py::cast<double>(score_());
  }

  bool epoch_end(const EpochReport& report) override {
    if (on_epoch_end_.is_none()) return false;
    const GilHeld acquire;
    const Within within(in_hook_);
    return py::cast<bool>(py::bool_(on_epoch_end_(to_dict(report))));
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  class Within {
   public:
    explicit Within(bool& flag) : flag_(flag) { flag_ = true; }
    ~Within() { flag_ = false; }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

   private:
    bool& flag_;
  };

  bool is_noted() noexcept {
    if (!transport_) return false;
    const SubnormalsAsZero::Suspended suspended;
    const GilHeld acquire;
    try {
      if (!py::cast<bool>(transport_.attr("interrupted"))) return false;
      PyErr_SetNone(PyExc_KeyboardInterrupt);
      throw py::error_already_set();
    } catch (...) {
      error_ = std::current_exception();
    }
    return true;
  }

  py::object transport_;  // of a run that processes share; else null
  py::object on_epoch_end_;
  py::object score_;
  py::object rate_;
  bool& in_hook_;
  std::exception_ptr error_;
};

}  // namespace fastmlp::bindings
