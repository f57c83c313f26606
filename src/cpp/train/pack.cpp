#include "train/pack.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <mutex>

namespace fastmlp {

namespace {

using Clock = std::chrono::steady_clock;

/// What the threads of a pack share.
struct Shared {
  Shared(PackCaller& caller_, double seconds_) : caller(caller_), seconds(seconds_) {}

  PackCaller& caller;
  double seconds;
  Clock::time_point start = Clock::now();
  std::atomic<Index> next{0};
  std::atomic<bool> stopped{false};
  std::mutex mutex;  // of what follows
  std::condition_variable left;
  int inside = 0;  // threads that have a member, or ask for one
  std::exception_ptr error;
  Index finished = 0;
  double loss_sum = 0.0;

  bool late() const {
    return std::chrono::duration<double>(Clock::now() - start).count() >= seconds;
  }
  /// By the calling thread.
  void ask() noexcept {
    Index count;
    double loss;
    {
      const std::lock_guard<std::mutex> lock(mutex);
      count = finished;
      loss = loss_sum / static_cast<double>(count);
    }
    if (caller.poll(count, loss)) stopped = true;
  }
  void finish(double loss) noexcept {
    const std::lock_guard<std::mutex> lock(mutex);
    ++finished;
    loss_sum += loss;
  }
  void enter() noexcept {
    const std::lock_guard<std::mutex> lock(mutex);
    ++inside;
  }
  void leave() noexcept {
    const std::lock_guard<std::mutex> lock(mutex);
    --inside;
    left.notify_one();
  }
  /// Whether nobody is inside any more, or will be in a moment.
  bool is_left() {
    std::unique_lock<std::mutex> lock(mutex);
    return left.wait_for(lock, std::chrono::milliseconds(20), [&] { return inside == 0; });
  }
  void fail(std::exception_ptr what) noexcept {
    const std::lock_guard<std::mutex> lock(mutex);
    if (!error) error = what;
    stopped = true;
  }
};

/// One member's run: when to stop, and which weights have the least validation loss.
template <class T>
class MemberHooks final : public Hooks {
 public:
  MemberHooks(PackMember<T>& member, Shared& shared, bool leads)
      : member_(member), shared_(shared), leads_(leads) {}

  bool poll() noexcept override {
    if (leads_) shared_.ask();
    return shared_.stopped || (epochs_ > 0 && shared_.late());
  }

  bool epoch_end(const EpochReport& report) override {
    ++epochs_;
    const bool better_loss = report.val_loss < best_loss_;
    if (better_loss) {
      best_loss_ = report.val_loss;
      member_.best_loss_epoch = report.epoch;
      keep();
    }
    const bool better_score = report.val_score > best_score_;
    if (better_score) best_score_ = report.val_score;
    since_ = better_loss || better_score ? 0 : since_ + 1;
    return since_ > member_.patience || shared_.stopped || shared_.late();
  }
  double best_loss() const { return best_loss_; }

 private:
  void keep() {
    if (member_.trainer->settings().monitor == Monitor::kValLoss) return;  // the trainer's own
    const Network<T>& network = member_.trainer->network();
    if (member_.by_loss.size() == 0) member_.by_loss = AlignedBuffer<T>(network.flat_size());
    std::copy_n(network.params(), network.flat_size(), member_.by_loss.data());
  }

  PackMember<T>& member_;
  Shared& shared_;
  bool leads_;
  Index epochs_ = 0;
  Index since_ = 0;
  double best_loss_ = std::numeric_limits<double>::infinity();
  double best_score_ = -std::numeric_limits<double>::infinity();
};

template <class T>
void train_member(PackMember<T>& member, Shared& shared, bool leads) noexcept {
  try {
    member.begun = true;
    MemberHooks<T> hooks(member, shared, leads);
    member.trainer->run(member.source, &member.validation, member.epochs, 1, hooks, member.report);
    shared.finish(hooks.best_loss());
  } catch (...) {
    shared.fail(std::current_exception());
  }
}

}  // namespace

template <class T>
void train_pack(const std::vector<std::unique_ptr<PackMember<T>>>& members, int threads,
                double seconds, PackCaller& caller) {
  Shared shared(caller, seconds);
  const auto count = static_cast<Index>(members.size());
  const int most = threads > 0 ? threads : max_threads();
  auto body = [&](int rank) noexcept {
    const bool leads = rank == 0;
    shared.enter();
    for (Index i = shared.next++; i < count; i = shared.next++) {
      if (shared.stopped || (i > 0 && shared.late())) break;
      train_member(*members[static_cast<std::size_t>(i)], shared, leads);
      if (leads) shared.ask();  // a short run has not asked
    }
    shared.leave();
    while (leads && !shared.is_left()) shared.ask();  // the others' work can be left, too
  };
  crowd(static_cast<int>(min_index(most, count)), body);
  if (shared.error) std::rethrow_exception(shared.error);
}

template void train_pack<float>(const std::vector<std::unique_ptr<PackMember<float>>>&, int, double,
                                PackCaller&);
template void train_pack<double>(const std::vector<std::unique_ptr<PackMember<double>>>&, int,
                                 double, PackCaller&);

}  // namespace fastmlp
