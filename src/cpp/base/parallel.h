// Threads. parallel.cpp is the only file of the project that knows OpenMP,
// which tells how many there may be.
// Work is shared by position in a fixed order, and no result may depend on the number of threads.
#pragma once

#include <atomic>
#include <chrono>
#include <type_traits>

#include "base/base.h"
#include "base/pool.h"

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
  // A single one is the first thread's, which is not to wait for others because of it.
  if (n <= grain) return part.begin > 0.0 ? Range{n, n} : Range{0, n};
  return {cut(part.begin), cut(part.end)};
}

/// Where the threads of a team wait for each other. Each wait that had to yield halves the time
/// that the next ones spin, at most 50 us; each that had not doubles it.
class Barrier {
 public:
  /// Waits for `size` threads, the same number for all of them. Returns seconds of that in which
  /// this thread's core was given away.
  double wait(int size) noexcept;

 private:
  std::atomic<int> arrived_{0};
  std::atomic<unsigned> phase_{0};
  std::atomic<int> spins_{kMostSpins};

  static constexpr int kFewestSpins = 100;
};

/// How many threads a call is to have, and whether its caller insists: then all of them come,
/// however long that takes; else those that are running.
struct Threads {
  int count;
  bool insists;
};

/// What the threads of a team have in common: where they meet.
class Meeting {
 public:
  explicit Meeting(Threads wanted) : wanted_(wanted) {}
  Barrier& barrier() { return barrier_; }
  /// By its first thread behind each wait for the others, and where their lateness comes to.
  void waited(double seconds) noexcept;
  double lost() const { return lost_; }
  /// Whether a team of this size is not what it should be any more: one that it waited for was not
  /// running, or one is running now that was not when it began.
  bool is_outdated(int size) const noexcept;

 private:
  Threads wanted_;
  Barrier barrier_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  Index phases_ = 0;
  double lost_ = 0.0;
};

/// One thread's place in a team.
class Team {
 public:
  Team(int rank, int size, Meeting* meeting) : rank_(rank), size_(size), meeting_(meeting) {}
  int rank() const { return rank_; }
  int size() const { return size_; }
  /// Waits for the whole team; free for a team of one.
  void barrier() const noexcept {
    if (size_ == 1) return;
    const double seconds = meeting_->barrier().wait(size_);
    if (rank_ == 0) meeting_->waited(seconds);
  }
  /// Whether the work is better gone on with by another team. Asked by the first thread.
  bool is_outdated() const noexcept { return meeting_ != nullptr && meeting_->is_outdated(size_); }

 private:
  int rank_;
  int size_;
  Meeting* meeting_;  // null where nobody else was wanted
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

/// Whether the calling thread's helpers were at work so short ago (1 ms) that they are awake.
bool threads_awake() noexcept;

/// The threads for a call of `total` operations that may come alone, before it is known who is
/// late. Where threads have slept since the calling thread's last call, waking them can cost more
/// than a short call gains, so it gets one, unless the caller asked for a number. `predict` of 2000
/// rows by 64-100-10, every 20 ms: 0.6 ms, with a second thread 3.8 to 7.6 (two virtual cores; the
/// woken thread was often put beside the waiting one on one core, for one or two time slices);
/// called without a break, 0.37 and 0.21.
class Waking {
 public:
  /// `flops` and `requested` as for threads_for().
  Waking(double flops, double total, int requested) noexcept;
  ~Waking();
  Waking(const Waking&) = delete;
  Waking& operator=(const Waking&) = delete;
  Threads threads() const noexcept { return threads_; }

 private:
  Threads threads_;
  bool alone_ = false;  // one thread, where there was work for more
};

/// Work of so many operations whose threads are fewer for a while where others of them were late
/// (base/backoff.h).
class Stint {
 public:
  /// What `ends_early` is given up where a thread is late, and gone on with by another team: then
  /// it does not matter how long it is.
  Stint(double flops, Threads wanted, bool ends_early = false) noexcept;
  ~Stint();
  Stint(const Stint&) = delete;
  Stint& operator=(const Stint&) = delete;
  Threads threads() const noexcept { return threads_; }
  /// Where it has become less, or the team smaller.
  void did(double flops, int threads) noexcept {
    flops_ = flops;
    threads_.count = threads;
  }

 private:
  double flops_;
  Threads threads_;
  bool counts_;  // where there is something to learn
  std::chrono::steady_clock::time_point begin_{};
};

/// The threads for a call of so many operations, by both rules.
class Call {
 public:
  /// `between` two barriers.
  Call(double between, double flops, int requested) noexcept
      : waking_(between, flops, requested), stint_(flops, waking_.threads()) {}
  Threads threads() const noexcept { return stint_.threads(); }

 private:
  Waking waking_;
  Stint stint_;
};

namespace detail {
void run_team(Threads threads, void (*body)(void*, const Team&), void* argument);
void run_crowd(int threads, void (*body)(void*, int), void* argument);
}  // namespace detail

/// Calls `body(team)` on up to so many threads, with subnormal numbers as zero. An exception cannot
/// leave a parallel region, so the body must be noexcept.
template <class Body>
void parallel(Threads threads, Body& body) {
  static_assert(std::is_nothrow_invocable_v<Body&, const Team&>, "the body must be noexcept");
  detail::run_team(
      threads, [](void* f, const Team& team) { (*static_cast<Body*>(f))(team); }, &body);
}

/// The same for threads that don't meet, and take pieces of the work until there are none: calls
/// `body(rank)` on this thread and, while that goes on, on any other that comes to help.
template <class Body>
void crowd(int threads, Body& body) {
  static_assert(std::is_nothrow_invocable_v<Body&, int>, "the body must be noexcept");
  detail::run_crowd(threads, [](void* f, int rank) { (*static_cast<Body*>(f))(rank); }, &body);
}

}  // namespace fastmlp
