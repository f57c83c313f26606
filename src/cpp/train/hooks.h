// How a long loop talks to its caller, and how often.
#pragma once

#include <chrono>

#include "train/settings.h"

namespace fastmlp {

/// `poll` and `epoch_end` return true to stop.
class Hooks {
 public:
  virtual ~Hooks() = default;
  /// Between two steps, about twenty times a second, from the calling thread, perhaps inside a
  /// parallel region: may not throw.
  virtual bool poll() noexcept { return false; }
  /// The score of the present weights, larger being better, outside parallel regions.
  virtual double score() { return 0.0; }
  /// Behind every epoch, outside parallel regions.
  virtual bool epoch_end(const EpochReport&) { return false; }
};

/// Polls the hooks from time to time, however long an epoch takes.
class Poll {
 public:
  explicit Poll(Hooks& hooks) : hooks_(hooks) {}

  /// Whether to stop, so many multiplications after the last call.
  bool after(double work) noexcept {
    work_ += work;
    if (work_ < kWork) return false;
    work_ = 0.0;
    const Clock::time_point now = Clock::now();
    if (now - last_ < kInterval) return false;
    last_ = now;
    return hooks_.poll();
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr auto kInterval = std::chrono::milliseconds(50);
  static constexpr double kWork = 65536;  // between two looks at the clock: at most about 50 us

  Hooks& hooks_;
  Clock::time_point last_ = Clock::now();
  double work_ = 0.0;
};

}  // namespace fastmlp
