// What a training run is told, and what it tells. Plain data.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "base/table_view.h"
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

struct TrainSettings {
  LossChoice loss;
  Optimizer optimizer = Optimizer::adam;
  double hyper[kMaxHyperparameters] = {};
  double rate = 1e-3;
  RateSchedule schedule = RateSchedule::kConstant;
  double power_t = 0.5;
  Index batch_size = 200;
  bool shuffle = true;
  std::uint64_t seed = 0;
  double tol = 1e-4;
  Index n_iter_no_change = 10;  // negative: never stop
  Monitor monitor = Monitor::kLoss;
  bool stops_by_score = true;  // the stopping rule looks at the monitor, else at the training loss
  bool penalty_per_sample = false;  // divide the penalty by the batch's weight
  double loss_scale = 1.0;          // factor of the data term in reported losses
  double clip_norm = 0.0;  // if positive, the longest that the gradient of all parameters may be
};

/// One data set: inputs, targets, and weights if any.
struct DataView {
  TableView x;
  TableView t;
  TableView weight;
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
  int fewest_threads = 0;  // that a step was taken with
};

}  // namespace fastmlp
