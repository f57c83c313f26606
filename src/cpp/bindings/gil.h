// The GIL, given up and taken, by threads that may outlive Python.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace fastmlp::bindings {

namespace py = pybind11;

/// Whether Python is about to end, and by which thread. A daemon thread that asks for the GIL then
/// would be ended in the middle of C++, which aborts the process: so it stays away until that is
/// over.
class PythonsEnd {
 public:
  /// When the module is imported.
  static void announce_at_exit() {
    py::module_::import("atexit").attr("register")(py::cpp_function([] {
      thread() = std::this_thread::get_id();
      has_come() = true;
      const py::gil_scoped_release release;  // for those who are waiting for it already
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }));
  }
  static void stay_away() noexcept {
    while (has_come() && thread() != std::this_thread::get_id()) {
      std::this_thread::sleep_for(std::chrono::hours(1));
    }
  }

 private:
  static std::atomic<bool>& has_come() noexcept {
    static std::atomic<bool> flag{false};
    return flag;
  }
  static std::thread::id& thread() noexcept {
    static std::thread::id id;
    return id;
  }
};

/// While it lives, other threads may run Python.
class GilReleased {
 public:
  GilReleased() = default;
  ~GilReleased() { PythonsEnd::stay_away(); }
  GilReleased(const GilReleased&) = delete;
  GilReleased& operator=(const GilReleased&) = delete;

 private:
  py::gil_scoped_release release_;
};

/// While it lives, this thread may.
class GilHeld {
 public:
  GilHeld() = default;
  GilHeld(const GilHeld&) = delete;
  GilHeld& operator=(const GilHeld&) = delete;

 private:
  struct First {
    First() noexcept { PythonsEnd::stay_away(); }
  } first_;
  py::gil_scoped_acquire acquire_;
};

}  // namespace fastmlp::bindings
