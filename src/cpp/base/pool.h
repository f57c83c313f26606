// The threads that help a calling thread, created when they are first wanted. Work is offered to
// them, and those who are running come; nobody is waited for but those who came. A thread that has
// nothing to do spins for some microseconds, then gives its core to whoever wants it, and sleeps
// after a millisecond.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include "base/base.h"

namespace fastmlp {

inline constexpr int kMostThreads = 256;
inline constexpr int kMostSpins = 4000;  // before a thread that waits yields: 50 us

/// How a thread waits for another one: it spins, as most waits are short, and then yields, for on a
/// busy machine the one waited for may need this core.
class Wait {
 public:
  explicit Wait(int spins) : spins_(spins) {}
  /// Once more.
  void pause() noexcept;
  bool yields() const noexcept { return spins_ <= 0; }
  /// Seconds that were spent with the core given away.
  double seconds() const noexcept;

 private:
  using Clock = std::chrono::steady_clock;
  int spins_;
  Clock::time_point since_{};
};

/// One thread's helpers.
class Pool {
 public:
  /// By a helper, which is the rank-th to come, from 1 on.
  using Work = void (*)(void* argument, int rank);

  /// Of the calling thread; a new one in the child of a fork, where no helper is any more. Null
  /// where there is no memory for it.
  static Pool* own() noexcept;

  Pool();
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Whether an offer is open or somebody at work: no other can be made meanwhile.
  bool is_busy() const noexcept { return busy_; }
  /// Whether helpers had something to do so short ago that they are surely awake.
  bool is_awake() const noexcept;

  /// Offers work to up to `wanted` helpers, and wakes or creates as many. Returns how many there
  /// are: fewer where no thread can be created.
  int offer(int wanted, Work work, void* argument) noexcept;
  /// Waits for helpers to come: all of them, or those who seem to be running, and for these not
  /// long.
  void gather(bool all) noexcept;
  /// Ends the offer; returns how many came.
  int close() noexcept;
  /// Waits for those who came to be done; returns seconds of that with the core given away.
  double finish() noexcept;
  /// Helpers that would come at once.
  int ready() const noexcept;

 private:
  struct Shared;
  struct Helper;
  using Clock = std::chrono::steady_clock;

  int create(int wanted) noexcept;

  std::shared_ptr<Shared> shared_;
  std::uint64_t round_ = 0;
  unsigned forks_;   // before it was made
  int helpers_ = 0;  // created so far
  int wanted_ = 0;   // by the last offer
  int came_ = 0;     // to it
  bool busy_ = false;
  Clock::time_point last_{};     // when the last offer was finished
  Clock::time_point refused_{};  // when no thread could be created
};

}  // namespace fastmlp
