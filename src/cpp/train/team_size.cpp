#include "train/team_size.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>

namespace fastmlp {

namespace {

// Seconds. Threads that slept are awake, each on a core of its own, after up to two time slices of
// the system; what happens until then is not measured.
constexpr double kWaking = 8e-3;
constexpr double kSettling = 0.5e-3;  // the same for threads that were busy a moment ago
constexpr double kTrialLength = 0.25e-3;
constexpr double kShortest = 4e-3;  // between two trials; doubled where none succeeds
constexpr double kLongest = 256e-3;
constexpr double kBeforeWaking = 64e-3;  // at least so long between two trials of more threads
constexpr double kLongStep = 2e-3;       // has nothing to gain from fewer threads

constexpr double kStepsBetween = 32.0;  // at least, for a trial takes one step or more
constexpr double kMostSteps = 1e6;
constexpr double kBetter = 1.05;  // a smaller gain may be chance

constexpr std::size_t kMostRemembered = 256;  // kinds of work; beyond them all is forgotten
thread_local std::map<Work, TeamSize> remembered;

}  // namespace

TeamSize::TeamSize(int most, Index batch, bool fixed)
    : most_(most),
      batch_(batch),
      fixed_(fixed || most == 1),
      best_(most),
      interval_(kShortest),
      until_trial_(kShortest),
      goal_(kWaking) {
  if (most < 1 || batch < 1) {
    throw std::invalid_argument("most and batch must be positive, got " + std::to_string(most) +
                                " and " + std::to_string(batch));
  }
}

Index TeamSize::rows_ahead(Index left) const {
  if (fixed_ || left < batch_) return left;
  // A phase begins with one step, which tells how many more there is time for.
  const double batches =
      seconds_ > 0.0 ? (goal_ - seconds_) * speed() / static_cast<double>(batch_) : 1.0;
  const auto whole = static_cast<Index>(std::clamp(batches, 1.0, kMostSteps));
  return batch_ * std::min(whole, left / batch_);
}

/// The short batch at the end of an epoch is not counted: its rows cost more than others.
void TeamSize::took(Index rows, double seconds) {
  if (fixed_ || rows % batch_ != 0) return;
  rows_ += rows;
  seconds_ += seconds;
  if (seconds_ < goal_) return;
  switch (phase_) {
    case Phase::kWarm:
      if (trial_ > 0) return begin(Phase::kTrial, kTrialLength);
      asleep_ = false;
      return begin(Phase::kBest, until_trial_);
    case Phase::kBest:
      return end_best();
    case Phase::kTrial:
      return end_trial();
  }
}

void TeamSize::resume(bool awake) {
  if (!awake) begin_asleep();
}

/// The time that the best was measured for counts on. A trial that the end of the last run cut
/// short begins this one, and is given up where a whole run was too short for it.
void TeamSize::begin_asleep() {
  if (phase_ == Phase::kBest) until_trial_ = std::max(goal_ - seconds_, kTrialLength);
  if (began_with_trial_ && trial_ > 0) {
    candidate_ = 0;
    trial_ = 0;
    wait_longer();
  }
  began_with_trial_ = trial_ > 0;
  asleep_ = true;
  warm_up(kSettling);
}

void TeamSize::wait_longer() {
  interval_ = std::min(2 * interval_, kLongest);
  until_trial_ = interval_;
}

/// Lets so many seconds pass before anything is measured, and more where threads have to wake.
void TeamSize::warm_up(double seconds) {
  const bool wakes = trial_ > 0 ? trial_ > best_ : asleep_ && best_ > 1;
  begin(Phase::kWarm, wakes ? kWaking : seconds);
}

void TeamSize::begin(Phase phase, double seconds) {
  phase_ = phase;
  goal_ = seconds;
  seconds_ = 0.0;
  rows_ = 0;
}

void TeamSize::end_best() {
  best_speed_ = speed();
  trial_ = candidate_ > 0 ? candidate_ : next_trial(static_cast<double>(batch_) / best_speed_);
  if (trial_ == 0) {
    wait_longer();
    return begin(Phase::kBest, until_trial_);
  }
  last_grew_ = trial_ > best_;
  warm_up(kSettling);
}

/// Who wins a trial must win another one, against a new measurement of the best: a slice of time
/// that somebody else took from the best may have decided the first.
void TeamSize::end_trial() {
  began_with_trial_ = false;
  const bool better = speed() > kBetter * best_speed_;
  const bool confirmed = better && trial_ == candidate_;
  if (confirmed) best_ = trial_;
  candidate_ = better && !confirmed ? trial_ : 0;
  if (candidate_ > 0) {
    until_trial_ = kTrialLength;
  } else if (confirmed) {
    until_trial_ = interval_ = kShortest;
  } else {
    wait_longer();
  }
  trial_ = 0;
  if (candidate_ > 0 && !asleep_) return begin(Phase::kBest, until_trial_);
  warm_up(kSettling);
}

/// More and fewer in turn, or 0 where there is nothing to try yet.
int TeamSize::next_trial(double step) const {
  if (interval_ < std::min(kStepsBetween * step, kLongest)) return 0;
  const bool may_grow = best_ < most_ && interval_ >= kBeforeWaking;
  const bool may_shrink = best_ > 1 && step < kLongStep;
  if (may_grow && !(may_shrink && last_grew_)) return std::min(2 * best_, most_);
  return may_shrink ? (best_ + 1) / 2 : 0;
}

TeamSize recall_team_size(const Work& work, const TeamSize& fresh, bool awake) {
  const auto found = remembered.find(work);
  if (found == remembered.end()) return fresh;
  found->second.resume(awake);
  return found->second;
}

void remember_team_size(const Work& work, const TeamSize& team_size) {
  if (remembered.size() >= kMostRemembered) remembered.clear();
  remembered.insert_or_assign(work, team_size);
}

}  // namespace fastmlp
