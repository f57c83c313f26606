// How threads of unequal speed divide their work. Cores differ, by kind or because something else
// runs beside them, and what all wait for is the slowest: on a host that shares its cores, one of
// two threads took 90 ms for its half of the rows where the other took 71 (1024-2048-2048-1000,
// 512 rows), for seconds. No result may depend on who does what.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <vector>

#include "base/parallel.h"

namespace fastmlp {

/// For work that comes again and again and is best done in one piece: each thread gets a part as
/// wide as its speed in the last rounds tells. It has no clock: took() tells it what happened.
class Balance {
 public:
  /// Equal parts, which stay so where they are `fixed`. Throws std::invalid_argument unless
  /// `threads` is positive.
  Balance(int threads, bool fixed);

  int threads() const { return static_cast<int>(times_.size()); }
  bool is_fixed() const { return fixed_; }
  /// The part of one of `threads()` threads.
  Part part(int rank) const;
  /// What `rank` took for so much of the work. Threads may call it at the same time.
  void took(int rank, double work, double seconds);
  /// Moves the cuts, by one thread while no other uses them. The first round is not counted:
  /// threads have just woken, and memory is touched for the first time.
  void adjust();

 private:
  struct alignas(64) Time {  // a cache line for each thread
    double work = 0.0;
    double seconds = 0.0;
    double speed() const { return work / seconds; }
  };
  void make_equal();

  bool fixed_;
  bool first_ = true;
  std::vector<double> cuts_;  // where each part begins, and 1
  std::vector<Time> times_;
};

/// One thread's turn at a round of work, from its part to what that took. Where the round has
/// several pieces with barriers between them, waits are not counted.
class Turn {
 public:
  /// At work that comes once, in equal parts.
  explicit Turn(const Team& team)
      : balance_(nullptr), rank_(team.rank()), part_(equal_part(team)) {}
  /// A team of another size than the balance was made for, as OpenMP may grant fewer threads than
  /// asked for, works in equal parts.
  Turn(Balance& balance, const Team& team)
      : balance_(!balance.is_fixed() && balance.threads() == team.size() ? &balance : nullptr),
        rank_(team.rank()),
        part_(balance_ != nullptr ? balance.part(rank_) : equal_part(team)) {}
  Part part() const { return part_; }
  void begin_piece() {
    if (balance_ != nullptr) start_ = Clock::now();
  }
  void end_piece(double work) {
    if (balance_ == nullptr) return;
    work_ += work;
    seconds_ += std::chrono::duration<double>(Clock::now() - start_).count();
    balance_->took(rank_, work_, seconds_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  Balance* balance_;  // null where nothing is timed
  int rank_;
  Part part_;
  double work_ = 0.0;
  double seconds_ = 0.0;
  Clock::time_point start_;
};

/// For work that comes once: hands out [0, n) piece by piece to whoever asks. A piece is half of an
/// equal part of what is left, between `fewest` and `most`, in multiples of `grain` where these
/// are.
class Pieces {
 public:
  Pieces(Index n, Index grain, Index fewest, Index most, int threads)
      : n_(n), grain_(grain), fewest_(fewest), most_(most), threads_(threads) {}
  /// Empty at the end.
  Range next() noexcept {
    Index begin = taken_.load(std::memory_order_relaxed);
    Index end;
    do {
      const Index part = round_up((n_ - begin) / (2 * threads_), grain_);
      end = min_index(begin + std::clamp(part, fewest_, most_), n_);
    } while (!taken_.compare_exchange_weak(begin, end, std::memory_order_relaxed));
    return {begin, end};
  }

 private:
  const Index n_;
  const Index grain_;
  const Index fewest_;
  const Index most_;
  const int threads_;
  std::atomic<Index> taken_{0};
};

}  // namespace fastmlp
