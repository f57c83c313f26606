// What a training run is told, and what it tells. Plain data.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "nn/batch.h"

namespace fastmlp {

/// Learning-rate schedules that depend on how training goes, with scikit-learn's rules. Others give
/// the rate of an epoch when it begins (Hooks::rate).
enum class RateSchedule {
  kConstant,
  kInvscaling,  // rate / (t + 1)^power_t behind each epoch, t = rows seen so far
  kAdaptive,    // rate / 5 where the stopping rule would stop, until it is at most 1e-6
};

/// The score of an epoch: the weights of the best are kept where it is one on a validation set.
enum class Monitor {
  kLoss,     // the training loss
  kValLoss,  // the others need a validation set
  kAccuracy,
  kR2,
  kHook,  // the caller's own score
};

/// What a setting's value may be.
enum class Allowed { kAny, kCount, kPositive, kNotNegative };

/// Throws std::invalid_argument where the value of the setting of that name is not allowed.
void check_setting(const char* name, double value, Allowed allowed);

struct TrainSettings {
  LossChoice loss;
  Optimizer optimizer = Optimizer::adam;
  double hyper[kMaxHyperparameters] = {};
  RateSchedule schedule = RateSchedule::kConstant;
  Monitor monitor = Monitor::kLoss;
#define SETTING(type, name, value, allowed) type name = value;
#include "catalog/settings.def"
#undef SETTING

  /// Throws std::invalid_argument where one is not allowed.
  void check() const {
#define SETTING(type, name, value, allowed) \
  check_setting(#name, static_cast<double>(name), Allowed::allowed);
#include "catalog/settings.def"
#undef SETTING
  }
};

enum class Stopped { kMaxEpochs, kNoImprovement, kRateTooSmall, kCallback, kNonFinite };

/// What the stopping rule did at the end of an epoch.
enum class Event { kNone, kNoImprovement, kRateCut, kRateTooSmall };

struct EpochReport {
  Index epoch;  // from 1
  double loss;
  double val_loss;   // on the scale of `loss`, without the penalty; NaN without a validation set
  double val_score;  // likewise
  double rate;
  double seconds;
  Event event;
};

struct RunReport {
  Stopped stopped = Stopped::kMaxEpochs;
  std::vector<EpochReport> epochs;
  std::vector<double> step_loss;  // of every step, as in `epochs`
  Index best_epoch = 0;           // from 1: whose weights were kept; 0 where none of this run were
  double kept = 0.0;              // the score of the weights that are kept; -inf where none are
  Index failed_epoch = 0;
  Index failed_batch = 0;
  Index batches = 0;       // of the last epoch
  int fewest_threads = 0;  // that a step was taken with
};

}  // namespace fastmlp
