// When a thread does without help for a while. Where other processes want the cores, a thread of a
// team may not be running, and whoever waits for it waits for a time slice of the system: some
// milliseconds, for work that takes microseconds. Waiting is noticed behind the first such phase,
// and then the team is halved for so much work that the loss is small beside it: twice as much each
// time that it comes again.
#pragma once

#include "base/base.h"

namespace fastmlp {

/// Exponential backoff. It has no clock, and counts work in operations: seconds would pass, too,
/// while the system lets the calling thread wait.
class Backoff {
 public:
  /// Of those wanted, the threads for work of so many operations. What is long beside the pause
  /// that is left gets all of them.
  int threads(int wanted, double flops) const noexcept {
    if (flops > kLong * left_) return wanted;
    const int halved = level_ < 31 ? wanted >> level_ : 0;
    return halved > 1 ? halved : 1;
  }
  /// Operations until more threads are tried again; 0 where nothing is held back.
  double pause() const noexcept { return left_; }

  /// Whether a wait behind a phase of so many seconds tells that a thread was not running: parts of
  /// unequal length make others wait, too, but not for long.
  static bool is_late(double waited, double phase) noexcept {
    return waited > kShortWait && waited > kUsualWait * phase;
  }

  /// After work of so many operations by a team of `threads`, in so many seconds, of which `lost`
  /// were waits for late threads.
  void did(double flops, int threads, double seconds, double lost) noexcept;

 private:
  static constexpr double kLong = 4.0;
  static constexpr double kShortWait = 400e-6;
  static constexpr double kUsualWait = 0.5;      // of a phase
  static constexpr double kFirstPause = 16.0;    // times what was lost
  static constexpr double kLongestPause = 1.0;   // seconds of work
  static constexpr double kForgivenAfter = 2.0;  // pauses of work without a loss

  int level_ = 0;       // how often the team is halved
  double left_ = 0.0;   // operations until level_ falls by one
  double pause_ = 0.0;  // the last one
  double good_ = 0.0;   // operations by a team since the last loss
};

}  // namespace fastmlp
