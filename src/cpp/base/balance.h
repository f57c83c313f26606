// How threads of unequal speed divide their work. Cores differ, by kind or because something else
// runs beside them, and what all wait for is the slowest: on a host that shares its cores, one of
// two threads took 90 ms for its half of the rows where the other took 71 (1024-2048-2048-1000,
// 512 rows), for seconds. No result may depend on who does what.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/parallel.h"

namespace fastmlp {

/// What a thread has not begun of its part of a phase. It takes half of that at a time from the
/// front, and one that has done its own part takes half from the back: what cores lose and gain
/// within a step, no part that is planned before can follow. Ranges are below 2^32.
class alignas(64) Rest {
 public:
  /// By its owner, whose last one is used up.
  void offer(Range range) noexcept { range_.store(pack(range), std::memory_order_relaxed); }
  /// Cut at multiples of `whole` but near the end. Empty at the end.
  Range take_front(Index whole) noexcept {
    return take([&](Range rest) {
      const Index cut = middle(rest, (rest.size() + 1) / 2, whole);
      return std::pair<Range, Range>{{rest.begin, cut}, {cut, rest.end}};
    });
  }
  Range take_back(Index whole) noexcept {
    return take([&](Range rest) {
      const Index cut = middle(rest, rest.size() / 2, whole);
      return std::pair<Range, Range>{{cut, rest.end}, {rest.begin, cut}};
    });
  }

 private:
  static std::uint64_t pack(Range r) {
    return static_cast<std::uint64_t>(r.begin) << 32 | static_cast<std::uint64_t>(r.end);
  }
  static Index middle(Range rest, Index half, Index whole) {
    const Index cut = round_up(rest.begin + half, whole);
    return cut < rest.end ? cut : rest.begin + half;
  }
  /// `split` tells what is taken of the rest, and what is left.
  template <class Split>
  Range take(Split split) noexcept {
    std::uint64_t packed = range_.load(std::memory_order_relaxed);
    while (true) {
      const Range rest{static_cast<Index>(packed >> 32), static_cast<Index>(packed & 0xffffffff)};
      if (rest.size() <= 0) return {0, 0};
      const auto [taken, left] = split(rest);
      if (range_.compare_exchange_weak(packed, pack(left), std::memory_order_relaxed)) return taken;
    }
  }

  std::atomic<std::uint64_t> range_{0};
};

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
  Rest& rest(int rank) { return rests_[static_cast<std::size_t>(rank)]; }

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
  std::vector<Rest> rests_;
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
  /// A phase of so many operations that ends at a barrier. Calls visit(range) for this thread's own
  /// part, and where there is enough to do for pieces of it, cut at multiples of `whole` but near
  /// the end, and then for what others have not begun of theirs. visit returns the work that it
  /// was.
  template <class Visit>
  void share_pieces(Range own, Index whole, double flops, Visit visit) {
    begin_piece();
    if (balance_ == nullptr || flops < kFlopsInPieces) {
      return end_piece(own.size() > 0 ? visit(own) : 0.0);
    }
    double work = 0.0;
    balance_->rest(rank_).offer(own);
    for (int i = 0; i < balance_->threads(); ++i) {
      Rest& rest = balance_->rest((rank_ + i) % balance_->threads());
      const auto next = [&] { return i == 0 ? rest.take_front(whole) : rest.take_back(whole); };
      for (Range piece = next(); piece.size() > 0; piece = next()) work += visit(piece);
    }
    end_piece(work);
  }

 private:
  using Clock = std::chrono::steady_clock;
  /// Two threads take a millisecond. Phases of 17 Mflop in pieces cost a step of 128-8x256-10 with
  /// 128 rows 2 %; with 4300, 1024-2048-2048-1000 with 512 rows, threads waited for 5 % of a step
  /// in a busy hour, and in pieces 1 %.
  static constexpr double kFlopsInPieces = 2.5e8;
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
