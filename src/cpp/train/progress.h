// The rules that look at whole epochs: learning-rate schedule, which weights are kept, and when to
// stop. The stopping rule is scikit-learn's, so that the same settings stop at the same epoch.
#pragma once

#include <limits>

#include "train/settings.h"

namespace fastmlp {

/// What training remembers from epoch to epoch, and from run to run.
struct Progress {
  explicit Progress(const TrainSettings& settings) : rate(settings.rate) {}

  static constexpr double kNone = -std::numeric_limits<double>::infinity();

  double rate;
  Index epochs = 0;
  Index steps = 0;
  Index rows_seen = 0;
  // Of the stopping rule; a loss counts negated.
  Index no_improvement = 0;
  double best = kNone;
  // Of the weights that are kept, on a validation set: kNone where none are.
  double kept = kNone;

  /// Whether an epoch's weights, which have this score on the validation set, are to be kept. A NaN
  /// is no score.
  bool keeps(double score) {
    if (!(score > kept)) return false;
    kept = score;
    return true;
  }

  /// Counts an epoch by what the stopping rule looks at, larger being better.
  void count(double score, double tol) {
    // `!(>=)` where scikit-learn has `<` for scores; what is not finite is no improvement.
    no_improvement = score >= best + tol && std::isfinite(score) ? 0 : no_improvement + 1;
    if (score > best) best = score;
  }

  /// Moves the schedule on and applies the stopping rule.
  Event end_epoch(const TrainSettings& settings) {
    if (settings.schedule == RateSchedule::kInvscaling) {
      rate = settings.rate / std::pow(static_cast<double>(rows_seen) + 1.0, settings.power_t);
    }
    if (settings.n_iter_no_change < 0 || no_improvement <= settings.n_iter_no_change) {
      return Event::kNone;
    }
    if (settings.schedule != RateSchedule::kAdaptive) return Event::kNoImprovement;
    if (rate <= 1e-6) return Event::kRateTooSmall;
    rate /= 5.0;
    no_improvement = 0;
    return Event::kRateCut;
  }
};

}  // namespace fastmlp
