#include "base/parallel.h"

#include <omp.h>

#include <algorithm>

#include "base/backoff.h"
#include "base/pool.h"
#include "base/subnormals.h"

namespace fastmlp {

namespace {

constexpr double kFlopsPerThread = 150e3;
constexpr double kFlopsWorthWaking = 100e6;  // about a millisecond of one core
constexpr auto kAlone = std::chrono::milliseconds(1);

std::atomic<int> thread_limit{kMostThreads};

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

thread_local Clock::time_point last_wanted;  // when a call had work for threads that slept on
thread_local Backoff backoff;
thread_local double lost = 0.0;  // seconds, by waits for late threads since a stint began

/// A team that is being formed.
struct Forming {
  explicit Forming(Threads wanted) : meeting(wanted) {}
  Meeting meeting;
  void (*body)(void*, const Team&);
  void* argument;
  alignas(64) std::atomic<int> size{0};  // once it is known
};

void join(void* forming, int rank) {
  Forming& team = *static_cast<Forming*>(forming);
  Wait wait(kMostSpins);
  while (team.size.load(std::memory_order_acquire) == 0) wait.pause();
  const SubnormalsAsZero mode;
  team.body(team.argument, Team(rank, team.size.load(std::memory_order_relaxed), &team.meeting));
}

}  // namespace

double Barrier::wait(int size) noexcept {
  const unsigned phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    return 0.0;
  }
  const int most = spins_.load(std::memory_order_relaxed);
  Wait wait(most);
  while (phase_.load(std::memory_order_acquire) == phase) wait.pause();
  if (wait.yields()) {
    spins_.store(std::max(most / 2, kFewestSpins), std::memory_order_relaxed);
  } else if (most < kMostSpins) {
    spins_.store(std::min(2 * most, kMostSpins), std::memory_order_relaxed);
  }
  return wait.seconds();
}

void Meeting::waited(double seconds) noexcept {
  ++phases_;
  if (seconds == 0.0 || wanted_.insists) return;
  const double others = seconds_since(begin_) - lost_ - seconds;
  if (Backoff::is_late(seconds, others / static_cast<double>(phases_))) lost_ += seconds;
}

bool Meeting::is_outdated(int size) const noexcept {
  if (wanted_.insists) return false;
  return lost_ > 0.0 || (size < wanted_.count && Pool::own()->ready() >= size);
}

int max_threads() noexcept { return std::min(omp_get_max_threads(), thread_limit.load()); }

void limit_threads(int most) noexcept { thread_limit = std::clamp(most, 1, kMostThreads); }

int threads_for(double flops, int requested) noexcept {
  const double useful = 1.0 + flops / kFlopsPerThread;
  const int wanted = requested > 0 ? std::min(requested, kMostThreads) : max_threads();
  return useful < 2.0 ? 1 : static_cast<int>(std::min<double>(wanted, useful));
}

bool threads_awake() noexcept {
  const Pool* pool = Pool::own();
  return pool != nullptr && pool->is_awake();
}

Waking::Waking(double flops, double total, int requested) noexcept
    : threads_{threads_for(flops, requested), requested > 0} {
  if (threads_.count == 1 || threads_.insists || total >= kFlopsWorthWaking) return;
  alone_ = !threads_awake() && Clock::now() - last_wanted > kAlone;
  if (alone_) threads_.count = 1;
}

Waking::~Waking() {
  if (alone_) last_wanted = Clock::now();
}

Stint::Stint(double flops, Threads wanted, bool ends_early) noexcept
    : flops_(flops), threads_(wanted), counts_(wanted.count > 1 && !wanted.insists) {
  if (!counts_) return;
  threads_.count = backoff.threads(wanted.count, ends_early ? 0.0 : flops);
  begin_ = Clock::now();
  lost = 0.0;
}

Stint::~Stint() {
  if (counts_) backoff.did(flops_, threads_.count, seconds_since(begin_), lost);
}

void detail::run_team(Threads threads, void (*body)(void*, const Team&), void* argument) {
  Pool* pool = threads.count > 1 ? Pool::own() : nullptr;
  if (pool == nullptr || pool->is_busy()) {
    const SubnormalsAsZero mode;
    body(argument, Team(0, 1, nullptr));
    return;
  }
  Forming team(threads);
  team.body = body;
  team.argument = argument;
  pool->offer(threads.count - 1, join, &team);
  pool->gather(threads.insists);
  const int size = 1 + pool->close();
  team.size.store(size, std::memory_order_release);
  {
    const SubnormalsAsZero mode;
    body(argument, Team(0, size, &team.meeting));
  }
  team.meeting.waited(pool->finish());
  lost += team.meeting.lost();
}

void detail::run_crowd(int threads, void (*body)(void*, int), void* argument) {
  struct Job {
    void (*body)(void*, int);
    void* argument;
    static void help(void* job, int rank) {
      const SubnormalsAsZero mode;
      const Job& its = *static_cast<Job*>(job);
      its.body(its.argument, rank);
    }
  } job{body, argument};
  Pool* pool = threads > 1 ? Pool::own() : nullptr;
  if (pool == nullptr || pool->is_busy()) return Job::help(&job, 0);
  Meeting meeting({threads, false});
  pool->offer(threads - 1, Job::help, &job);
  Job::help(&job, 0);
  pool->close();
  meeting.waited(pool->finish());
  lost += meeting.lost();
}

}  // namespace fastmlp
