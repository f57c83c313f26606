#include "train/team_size.h"

#include <algorithm>
#include <limits>

namespace fastmlp {

namespace {

// Seconds. A trial of fewer threads that fails costs its own length, less than 0.1 % of a long
// run; one of more threads begins with a wait until they are awake and each has a core of its own,
// which took up to two time slices of the system.
constexpr double kFirst = 0.5e-3;   // not measured: the caches are cold
constexpr double kShortest = 4e-3;  // between two trials, doubled by each that fails
constexpr double kLongest = 256e-3;
constexpr double kWaking = 8e-3;
constexpr double kTrialLength = 0.25e-3;
constexpr double kBeforeWaking = 64e-3;  // at least so long between two trials of more threads
constexpr double kLongStep = 2e-3;       // has nothing to gain from fewer threads
constexpr double kStepsBetween = 32.0;   // at least, for a trial takes one step or more

constexpr double kMostSteps = 1e6;
constexpr double kBetter = 1.05;  // a smaller gain may be chance

}  // namespace

TeamSize::TeamSize(int most, Index batch, bool fixed)
    : most_(most),
      batch_(batch),
      fixed_(fixed || most == 1),
      best_(most),
      interval_(kShortest),
      goal_(kFirst) {}

Index TeamSize::rows_ahead() const {
  if (fixed_) return std::numeric_limits<Index>::max() / batch_ * batch_;
  const double speed = seconds_ > 0.0 ? static_cast<double>(rows_) / seconds_ : best_speed_;
  const double steps = (goal_ - seconds_) * speed / static_cast<double>(batch_);
  return batch_ * std::max(Index{1}, static_cast<Index>(std::min(steps, kMostSteps)));
}

void TeamSize::took(Index rows, double seconds) {
  rows_ += rows;
  seconds_ += seconds;
  if (fixed_ || seconds_ < goal_) return;
  const double speed = static_cast<double>(rows_) / seconds_;
  switch (phase_) {
    case Phase::kWarm:
      return trial_ > 0 ? begin(Phase::kTrial, kTrialLength) : begin(Phase::kBest, interval_);
    case Phase::kBest:
      return end_best(speed);
    case Phase::kTrial:
      return end_trial(speed);
  }
}

void TeamSize::begin(Phase phase, double seconds) {
  phase_ = phase;
  goal_ = seconds;
  seconds_ = 0.0;
  rows_ = 0;
}

void TeamSize::end_best(double speed) {
  best_speed_ = speed;
  const double step = static_cast<double>(batch_) / speed;
  const bool early = interval_ < kStepsBetween * step;
  trial_ = early || step > kLongStep ? 0 : next_trial();
  if (trial_ == 0) {
    interval_ = std::min(2 * interval_, kLongest);
    return begin(Phase::kBest, interval_);
  }
  grew_ = trial_ > best_;
  grew_ ? begin(Phase::kWarm, kWaking) : begin(Phase::kTrial, kTrialLength);
}

void TeamSize::end_trial(double speed) {
  const bool better = speed > kBetter * best_speed_;
  if (better) best_ = trial_;
  interval_ = better ? kShortest : std::min(2 * interval_, kLongest);
  trial_ = 0;
  begin(Phase::kBest, interval_);
}

/// More and fewer in turn, or 0 where there is nothing to try yet.
int TeamSize::next_trial() {
  const bool may_grow = best_ < most_ && interval_ >= kBeforeWaking;
  if (may_grow && (best_ == 1 || !grew_)) return std::min(2 * best_, most_);
  return best_ > 1 ? (best_ + 1) / 2 : 0;
}

}  // namespace fastmlp
