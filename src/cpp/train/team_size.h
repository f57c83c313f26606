// How many threads a run's steps get where the caller leaves it to us, found by timing steps:
// results do not depend on it. The right number is the machine's affair of the moment. On two
// virtual cores a step of 64-100-10 with 200 rows took 79 us on one thread, and on two 53 us or,
// for minutes, 115: a host that shares its cores can make every line that crosses them slow.
#pragma once

#include <vector>

#include "base/base.h"

namespace fastmlp {

/// Stays with the best number known, and now and then tries half as many or twice as many for a
/// moment. It has no clock: took() tells it what happened.
class TeamSize {
 public:
  /// For steps of `batch` rows by up to `most` threads. A number that the caller asked for is
  /// `fixed`. Throws std::invalid_argument unless both are positive.
  TeamSize(int most, Index batch, bool fixed);

  int threads() const { return trial_ > 0 ? trial_ : best_; }
  /// Of so many rows left in an epoch, those to train on before took() is told: whole batches, or
  /// what is left of one.
  Index rows_ahead(Index left) const;
  void took(Index rows, double seconds);
  /// Another run of the same work begins. Where its threads are still awake, it goes on with what
  /// the last one left unfinished, as if they were one.
  void resume(bool awake);

 private:
  enum class Phase { kWarm, kBest, kTrial };

  void begin_asleep();
  void begin(Phase phase, double seconds);
  void end_best();
  void end_trial();
  int next_trial(double step) const;
  void wait_longer();
  void warm_up(double seconds);
  double speed() const { return static_cast<double>(rows_) / seconds_; }

  int most_;
  Index batch_;
  bool fixed_;
  int best_;
  int trial_ = 0;                  // 0: none in progress
  int candidate_ = 0;              // won a trial, and is tried once more
  bool last_grew_ = false;         // the last trial was of more threads
  double best_speed_ = 0.0;        // rows a second
  double interval_;                // seconds between two trials
  double until_trial_;             // seconds of the best to be measured before the next one
  bool asleep_ = true;             // the run has not yet been warm with its best number
  bool began_with_trial_ = false;  // and has not ended it yet

  Phase phase_ = Phase::kWarm;
  double goal_;           // seconds that the phase lasts
  double seconds_ = 0.0;  // of it so far
  Index rows_ = 0;
};

/// All that the speed of a run's steps depends on: shapes, types, the batch, the most threads.
using Work = std::vector<Index>;

/// The TeamSize of this thread's last run of the same work, resumed, or else `fresh`: a fit of some
/// milliseconds is too short to find the number by itself, but a grid search makes many.
TeamSize recall_team_size(const Work& work, const TeamSize& fresh, bool awake);
void remember_team_size(const Work& work, const TeamSize& team_size);

}  // namespace fastmlp
