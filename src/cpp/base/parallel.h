// Threads. parallel.cpp is the only file of the project that knows OpenMP.
// Work is shared by position in a fixed order, and no result may depend on the number of threads.
#pragma once

#include <atomic>
#include <type_traits>

#include "base/base.h"

namespace fastmlp {

struct Range {
  Index begin;
  Index end;
  Index size() const { return end - begin; }
};

/// An interval of work that goes from 0 to 1.
struct Part {
  double begin;
  double end;
};

/// The part of [0, n) that falls into `part`, cut at the nearest multiples of `grain`.
inline Range share(Index n, Index grain, Part part) {
  const auto grains = static_cast<double>(ceil_div(n, grain));
  const auto cut = [&](double at) {
    return min_index(static_cast<Index>(at * grains + 0.5) * grain, n);
  };
  return {cut(part.begin), cut(part.end)};
}

/// Where the threads of a team wait for each other. They spin, for a wait between two phases of a
/// step is short, and then yield: on a busy machine the thread waited for may need this core. Each
/// wait that had to yield halves the time that the next ones spin, at most 50 us; each that had not
/// doubles it.
class Barrier {
 public:
  /// Waits for `size` threads, the same number for all of them.
  void wait(int size) noexcept;

 private:
  std::atomic<int> arrived_{0};
  std::atomic<unsigned> phase_{0};
  std::atomic<int> spins_{kMostSpins};

  static constexpr int kMostSpins = 4000;
  static constexpr int kFewestSpins = 100;
};

/// One thread's place in a team.
class Team {
 public:
  Team(int rank, int size, Barrier* barrier) : rank_(rank), size_(size), barrier_(barrier) {}
  int rank() const { return rank_; }
  int size() const { return size_; }
  /// Waits for the whole team; free for a team of one.
  void barrier() const noexcept {
    if (size_ > 1) barrier_->wait(size_);
  }

 private:
  int rank_;
  int size_;
  Barrier* barrier_;
};

/// The thread's part where all have the same.
inline Part equal_part(const Team& team) {
  const double size = team.size();
  return {team.rank() / size, (team.rank() + 1) / size};
}

/// Threads for a caller that asks for all: as many as OpenMP grants this process (OMP_NUM_THREADS,
/// affinity and threadpoolctl decide), and no more than the limit.
int max_threads() noexcept;
void limit_threads(int most) noexcept;

/// Threads for a caller that asked for `requested` (0: all), given work of so many floating-point
/// operations between two barriers: one for each 0.15 Mflop begun, below which the barriers of a
/// step (0.5 us) cost more than another thread gains; and never more than 256.
int threads_for(double flops, int requested) noexcept;

/// Whether the calling thread's team was at work so short ago (1 ms) that it still spins.
bool threads_awake() noexcept;

/// The threads for a call of `total` operations that may come alone. Where threads have slept since
/// the calling thread's last call, waking them can cost more than a short call gains, so it gets
/// one, unless the caller asked for a number. `predict` of 2000 rows by 64-100-10, every 20 ms:
/// 0.6 ms, with a second thread 3.8 to 7.6 (two virtual cores; the woken thread was often put
/// beside the waiting one on one core, for one or two time slices); called without a break, 0.37
/// and 0.21.
class CallThreads {
 public:
  /// `flops` and `requested` as for threads_for().
  CallThreads(double flops, double total, int requested) noexcept;
  ~CallThreads();
  CallThreads(const CallThreads&) = delete;
  CallThreads& operator=(const CallThreads&) = delete;
  int count() const noexcept { return count_; }

 private:
  int count_;
  bool alone_ = false;  // one thread, where there was work for more
};

namespace detail {
void run_team(int threads, void (*body)(void*, const Team&), void* argument);
}

/// Calls `body(team)` on `threads` threads, with subnormal numbers as zero. An exception cannot
/// leave a parallel region, so the body must be noexcept.
template <class Body>
void parallel(int threads, Body& body) {
  static_assert(std::is_nothrow_invocable_v<Body&, const Team&>, "the body must be noexcept");
  detail::run_team(
      threads, [](void* f, const Team& team) { (*static_cast<Body*>(f))(team); }, &body);
}

}  // namespace fastmlp
