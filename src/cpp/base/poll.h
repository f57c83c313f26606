// How a long call is left early: whoever is at work asks from time to time whether to stop.
#pragma once

#include <atomic>
#include <chrono>

#include "base/base.h"

namespace fastmlp {

/// Who called, and may want to leave.
class Caller {
 public:
  virtual ~Caller() = default;
  /// Returns true to stop. About twenty times a second, from the calling thread, perhaps inside a
  /// parallel region: may not throw.
  virtual bool poll() noexcept { return false; }
};

/// Polls the caller from time to time, however long a piece of work takes. Every thread of a team
/// may ask; the one of rank 0, which is the caller's own, passes the question on.
class Poll {
 public:
  explicit Poll(Caller& caller) : caller_(caller) {}

  /// Whether to stop, so many multiplications after this thread's last call.
  bool after(double work, int rank = 0) noexcept {
    if (rank == 0) ask(work);
    return stopped();
  }
  bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kInterval = std::chrono::milliseconds(50);
  static constexpr double kWork = 65536;  // between two looks at the clock: at most about 50 us

  void ask(double work) noexcept {
    work_ += work;
    if (work_ < kWork) return;
    work_ = 0.0;
    const Clock::time_point now = Clock::now();
    if (last_ == Clock::time_point{}) last_ = now;
    if (now - last_ < kInterval) return;
    last_ = now;
    if (caller_.poll()) stopped_.store(true, std::memory_order_relaxed);
  }

  Caller& caller_;
  Clock::time_point last_{};  // at first, none
  double work_ = 0.0;
  alignas(64) std::atomic<bool> stopped_{false};  // a line of its own: all read it
};

/// What is done at once between two questions is at most about so many operations: 0.1 s of one
/// core that is slow.
inline constexpr double kFlopsBetweenPolls = 4e9;

}  // namespace fastmlp
