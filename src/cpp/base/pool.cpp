#include "base/pool.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/fork.h"

namespace fastmlp {

namespace {

constexpr auto kIdleAwake = std::chrono::milliseconds(2);
constexpr auto kSurelyAwake = std::chrono::milliseconds(1);
constexpr auto kGathering = std::chrono::microseconds(20);
constexpr auto kRetry = std::chrono::seconds(1);

void spin_once() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

// The state of an offer is one number, so that a helper comes, or finds it closed, at once.
constexpr int kBits = 10;  // of a count of helpers, which is below kMostThreads
constexpr std::uint64_t kCount = (std::uint64_t{1} << kBits) - 1;
constexpr std::uint64_t kOneCame = (std::uint64_t{1} << kBits) - 1;  // a seat less, one more came

constexpr std::uint64_t offer_of(std::uint64_t round, int seats) {
  return round << 2 * kBits | static_cast<std::uint64_t>(seats);
}
constexpr std::uint64_t round_of(std::uint64_t offer) { return offer >> 2 * kBits; }
constexpr int seats_of(std::uint64_t offer) { return static_cast<int>(offer & kCount); }
constexpr int came_of(std::uint64_t offer) { return static_cast<int>(offer >> kBits & kCount); }

/// How often this process is the child of a fork: the helpers of its parent aren't there.
std::atomic<unsigned> forks{0};

const bool registered = call_in_forked_child([] { forks += 1; });

}  // namespace

void Wait::pause() noexcept {
  if (spins_ > 0) {
    --spins_;
    return spin_once();
  }
  if (since_ == Clock::time_point{}) since_ = Clock::now();
  std::this_thread::yield();
}

double Wait::seconds() const noexcept {
  if (since_ == Clock::time_point{}) return 0.0;
  return std::chrono::duration<double>(Clock::now() - since_).count();
}

/// What helpers use: theirs as much as the pool's, which may end while they sleep.
struct Pool::Shared {
  struct alignas(64) Seen {
    std::atomic<std::uint64_t> round{0};
  };

  alignas(64) std::atomic<std::uint64_t> offer{0};
  alignas(64) std::atomic<int> done{0};
  Work work = nullptr;  // of the offer
  void* argument = nullptr;
  std::mutex mutex;
  std::condition_variable wanted;
  std::atomic<int> asleep{0};
  alignas(64) std::atomic<bool> ended{false};
  /// The team at work; who wakes stays for the next offer.
  std::atomic<bool> lacks_some{false};
  Seen seen[kMostThreads];  // the last offer that each helper has noticed
};

/// One helper's life.
struct Pool::Helper {
  std::shared_ptr<Shared> shared;
  std::atomic<std::uint64_t>& seen;
  std::uint64_t round = 0;  // that it came to, or was too late for

  void serve() noexcept {
    Wait idle(kMostSpins);
    while (!shared->ended.load(std::memory_order_relaxed)) {
      if (comes() || (idle.yields() && shared->lacks_some.load(std::memory_order_relaxed))) {
        idle = Wait(idle.yields() ? 0 : kMostSpins);
      }
      idle.pause();
      if (idle.yields() && idle.seconds() > std::chrono::duration<double>(kIdleAwake).count()) {
        sleep();
        idle = Wait(kMostSpins);
      }
    }
  }

 private:
  /// Takes a seat and does the work, where there is an offer.
  bool comes() noexcept {
    std::uint64_t offer = shared->offer.load(std::memory_order_acquire);
    while (round_of(offer) != round) {
      if (seats_of(offer) == 0) {
        round = round_of(offer);
        seen.store(round, std::memory_order_relaxed);
        return false;
      }
      if (!shared->offer.compare_exchange_weak(offer, offer + kOneCame,
                                               std::memory_order_acq_rel)) {
        continue;
      }
      round = round_of(offer);
      shared->work(shared->argument, came_of(offer) + 1);
      seen.store(round, std::memory_order_relaxed);
      shared->done.fetch_add(1, std::memory_order_release);
      return true;
    }
    return false;
  }

  void sleep() noexcept {
    std::unique_lock<std::mutex> lock(shared->mutex);
    shared->asleep += 1;
    // For an offer that is closed by now, too: the next one is likely to come soon.
    shared->wanted.wait(lock,
                        [&] { return shared->ended || round_of(shared->offer.load()) != round; });
    shared->asleep -= 1;
  }
};

Pool* Pool::own() noexcept {
  thread_local std::unique_ptr<Pool> pool;
  if (!pool || pool->forks_ != forks) {
    try {
      (void)pool.release();  // whom a fork has met at work still holds it
      pool = std::make_unique<Pool>();
    } catch (...) {
      pool.reset();
    }
  }
  return pool.get();
}

Pool::Pool() : shared_(std::make_shared<Shared>()), forks_(forks) { (void)registered; }

Pool::~Pool() {
  if (forks_ != forks) return;  // a helper may have held the lock
  const std::lock_guard<std::mutex> lock(shared_->mutex);
  shared_->ended = true;
  shared_->wanted.notify_all();
}

bool Pool::is_awake() const noexcept { return Clock::now() - last_ <= kSurelyAwake; }

int Pool::create(int wanted) noexcept {
  if (refused_ != Clock::time_point{} && Clock::now() - refused_ < kRetry) return helpers_;
  refused_ = {};
  while (helpers_ < wanted) {
    try {
      std::atomic<std::uint64_t>& seen = shared_->seen[helpers_].round;
      std::thread([helper = Helper{shared_, seen}]() mutable { helper.serve(); }).detach();
      ++helpers_;
    } catch (...) {  // there is no room for a thread, or this process may have no more
      refused_ = Clock::now();
      break;
    }
  }
  return helpers_;
}

int Pool::offer(int wanted, Work work, void* argument) noexcept {
  wanted = std::min(wanted, kMostThreads - 1);
  if (wanted > helpers_) wanted = create(wanted);
  busy_ = true;
  // Those who came to the last offer are at hand; where some did not, who has seen its end is.
  if (came_ < wanted_ || wanted > wanted_) came_ = ready();
  wanted_ = wanted;
  shared_->done.store(0, std::memory_order_relaxed);
  shared_->work = work;
  shared_->argument = argument;
  shared_->offer.store(offer_of(++round_, wanted));
  const int asleep = shared_->asleep.load();
  if (asleep == 0) return wanted;
  came_ = std::min(came_, helpers_ - asleep);
  const int missing = std::min(asleep, wanted - (helpers_ - asleep));
  if (missing <= 0) return wanted;
  {
    const std::lock_guard<std::mutex> lock(shared_->mutex);
  }  // who is falling asleep has looked
  for (int i = 0; i < missing; ++i) shared_->wanted.notify_one();
  return wanted;
}

void Pool::gather(bool all) noexcept {
  const int expected = all ? wanted_ : std::min(came_, wanted_);
  const auto have_come = [&] {
    return came_of(shared_->offer.load(std::memory_order_acquire)) >= expected;
  };
  if (have_come()) return;
  Wait wait(kMostSpins);
  const Clock::time_point begin = Clock::now();
  while (!have_come()) {
    if (!all && Clock::now() - begin > kGathering) return;
    wait.pause();
  }
}

int Pool::close() noexcept {
  came_ = came_of(shared_->offer.exchange(offer_of(round_, 0), std::memory_order_acq_rel));
  if (came_ < wanted_) shared_->lacks_some.store(true, std::memory_order_relaxed);
  return came_;
}

double Pool::finish() noexcept {
  Wait wait(kMostSpins);
  while (shared_->done.load(std::memory_order_acquire) < came_) wait.pause();
  busy_ = false;
  shared_->lacks_some.store(false, std::memory_order_relaxed);
  last_ = came_ > 0 ? Clock::now() : last_;
  return wait.seconds();
}

int Pool::ready() const noexcept {
  int count = 0;
  for (int i = 0; i < helpers_; ++i) {
    if (shared_->seen[i].round.load(std::memory_order_relaxed) == round_) ++count;
  }
  return count;
}

}  // namespace fastmlp
