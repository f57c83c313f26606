// The rules that look at whole epochs: learning-rate schedule, improvement, early stopping.
// They are scikit-learn's, so that the same settings stop at the same epoch.
#pragma once

#include <limits>

#include "train/settings.h"

namespace fastmlp {

/// What training remembers from epoch to epoch, and from run to run.
struct Progress {
  explicit Progress(const TrainSettings& settings) : rate(settings.rate) {}

  double rate;
  Index epochs = 0;
  Index steps = 0;
  Index rows_seen = 0;
  Index no_improvement = 0;
  double best = -std::numeric_limits<double>::infinity();  // best score; a loss counts negated

  /// Takes in an epoch's score (larger is better). Returns whether it is the best so far.
  bool take(double score, double tol) {
    // `!(>=)` where scikit-learn has `<` for scores; a NaN is no improvement.
    no_improvement = score >= best + tol ? 0 : no_improvement + 1;
    const bool better = score > best;
    if (better) best = score;
    return better;
  }

  /// Moves the schedule on and applies the stopping rule.
  Event end_epoch(const TrainSettings& settings) {
    if (settings.schedule == Schedule::kInvscaling) {
      rate = settings.rate / std::pow(static_cast<double>(rows_seen) + 1.0, settings.power_t);
    }
    if (settings.n_iter_no_change < 0 || no_improvement <= settings.n_iter_no_change) {
      return Event::kNone;
    }
    if (settings.schedule != Schedule::kAdaptive) return Event::kNoImprovement;
    if (rate <= 1e-6) return Event::kRateTooSmall;
    rate /= 5.0;
    no_improvement = 0;
    return Event::kRateCut;
  }
};

}  // namespace fastmlp
