// How a training loop talks to its caller.
#pragma once

#include "base/poll.h"
#include "train/settings.h"

namespace fastmlp {

class Hooks : public Caller {
 public:
  /// The learning rate of an epoch of this run, counted from 0; `present` is what the schedule of
  /// the settings has come to. Outside parallel regions.
  virtual double rate(Index /*epoch*/, double present) { return present; }
  /// The score of the present weights, larger being better, outside parallel regions.
  virtual double score() { return 0.0; }
  /// Behind every epoch, outside parallel regions. Returns true to stop.
  virtual bool epoch_end(const EpochReport&) { return false; }
};

}  // namespace fastmlp
