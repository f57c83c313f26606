#include "base/backoff.h"

#include <algorithm>

namespace fastmlp {

void Backoff::did(double flops, int threads, double seconds, double lost) noexcept {
  if (lost > 0.0) {
    const double speed = flops / std::max(seconds - lost, 1e-6);
    const double first = kFirstPause * lost * speed;
    pause_ = std::min(std::max(first, 2 * pause_), std::max(kLongestPause * speed, first));
    left_ = pause_;
    good_ = 0.0;
    level_ += threads > 1 ? 1 : 0;
    return;
  }
  if (level_ > 0) {
    left_ -= flops;
    if (left_ > 0.0) return;
    level_ -= 1;
    left_ = level_ > 0 ? pause_ : 0.0;
  } else if (threads > 1 && pause_ > 0.0) {
    good_ += flops;
    if (good_ < kForgivenAfter * pause_) return;
    pause_ /= 2;
    good_ = 0.0;
    if (pause_ < 1.0) pause_ = 0.0;
  }
}

}  // namespace fastmlp
