#include "base/parallel.h"

#include <omp.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/subnormals.h"

namespace fastmlp {

namespace {

constexpr double kFlopsPerThread = 150e3;
constexpr double kFlopsWorthWaking = 100e6;  // about a millisecond of one core
constexpr int kMostThreads = 256;

std::atomic<int> thread_limit{kMostThreads};

using Clock = std::chrono::steady_clock;

/// When this thread's team last had something to do: OpenMP's threads spin for some milliseconds
/// after that, and then sleep. And when a call last had something for them, but let them sleep.
thread_local Clock::duration last_busy{};
thread_local Clock::duration last_wanted{};
constexpr Clock::duration kSurelyAwake = std::chrono::milliseconds(1);

Clock::duration now() { return Clock::now().time_since_epoch(); }

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// How often all pools have been ended.
std::atomic<unsigned> ended_pools{0};

// A forked child inherits the record of libgomp's pool but not its threads, and would wait for
// them for ever in its first region. Ending the pool before the fork lets both sides start anew.
void end_pool_before_fork() {
  if (omp_in_parallel()) return;
  omp_pause_resource_all(omp_pause_soft);
  ended_pools += 1;
}

const int registered = pthread_atfork(end_pool_before_fork, nullptr, nullptr);

/// Creates so many threads at once, and ends them again. Returns how many there could be.
int try_threads(int wanted) noexcept {
  pthread_t threads[kMostThreads];
  std::atomic<bool> go{false};
  const auto wait = [](void* flag) -> void* {
    while (!static_cast<std::atomic<bool>*>(flag)->load()) std::this_thread::yield();
    return nullptr;
  };
  int count = 0;
  while (count < wanted && pthread_create(&threads[count], nullptr, wait, &go) == 0) ++count;
  go = true;
  for (int i = 0; i < count; ++i) pthread_join(threads[i], nullptr);
  return count;
}

/// What this thread knows of its pool.
struct Pool {
  int size = 1;  // threads, this one included
  unsigned ended_before = 0;
  Clock::duration refused{};  // when there could not be as many as were wanted
};
thread_local Pool pool;

/// How many threads there can be of those wanted. OpenMP ends the process where it can't create
/// one, as in a container that has run out of them, so new ones are tried beforehand.
int available(int wanted) noexcept {
  constexpr Clock::duration retry = std::chrono::seconds(1);
  if (pool.ended_before != ended_pools) pool = {1, ended_pools, {}};
  if (wanted <= pool.size) return wanted;
  if (pool.refused.count() != 0 && now() - pool.refused < retry) return pool.size;
  const int most = pool.size + try_threads(wanted - pool.size);
  pool.refused = most < wanted ? now() : Clock::duration{};
  return most;
}

}  // namespace

void Barrier::wait(int size) noexcept {
  const unsigned phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size) {
    arrived_.store(0, std::memory_order_relaxed);
    phase_.store(phase + 1, std::memory_order_release);
    return;
  }
  const int most = spins_.load(std::memory_order_relaxed);
  for (int spins = 0; spins < most; ++spins) {
    if (phase_.load(std::memory_order_acquire) != phase) {
      if (most < kMostSpins) {
        spins_.store(std::min(2 * most, kMostSpins), std::memory_order_relaxed);
      }
      return;
    }
    pause_briefly();
  }
  spins_.store(std::max(most / 2, kFewestSpins), std::memory_order_relaxed);
  while (phase_.load(std::memory_order_acquire) == phase) std::this_thread::yield();
}

int max_threads() noexcept {
  (void)registered;
  return std::min(omp_get_max_threads(), thread_limit.load());
}

void limit_threads(int most) noexcept { thread_limit = std::clamp(most, 1, kMostThreads); }

int threads_for(double flops, int requested) noexcept {
  const double useful = 1.0 + flops / kFlopsPerThread;
  const int wanted = requested > 0 ? std::min(requested, kMostThreads) : max_threads();
  return useful < 2.0 ? 1 : static_cast<int>(std::min<double>(wanted, useful));
}

bool threads_awake() noexcept { return now() - last_busy <= kSurelyAwake; }

CallThreads::CallThreads(double flops, double total, int requested) noexcept
    : count_(threads_for(flops, requested)) {
  if (count_ == 1 || requested > 0 || total >= kFlopsWorthWaking) return;
  alone_ = !threads_awake() && now() - last_wanted > kSurelyAwake;
  if (alone_) count_ = 1;
}

CallThreads::~CallThreads() {
  if (alone_) last_wanted = now();
}

void detail::run_team(int threads, void (*body)(void*, const Team&), void* argument) {
  if (threads > 1) threads = available(threads);
  if (threads <= 1) {
    const SubnormalsAsZero mode;
    body(argument, Team(0, 1, nullptr));
    return;
  }
  Barrier barrier;
#pragma omp parallel num_threads(threads)
  {
    const int size = omp_get_num_threads();  // OpenMP may grant fewer than were asked for
    const SubnormalsAsZero mode;
    body(argument, Team(omp_get_thread_num(), size, &barrier));
  }
  pool.size = threads;  // of a larger pool, libgomp has ended the rest
  last_busy = now();
}

}  // namespace fastmlp
