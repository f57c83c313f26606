#include "base/balance.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

namespace fastmlp {

namespace {

constexpr double kTolerated = 0.04;  // smaller differences may be chance
constexpr double kGain = 0.5;        // of a difference, what one step makes good
constexpr double kMostChange = 0.1;  // of a part, by one step: it may have been an interruption
constexpr double kNarrowest = 0.25;  // of an equal part: a thread must go on to be timed

}  // namespace

Balance::Balance(int threads, bool fixed) : fixed_(fixed) {
  if (threads < 1) {
    throw std::invalid_argument("threads must be positive, got " + std::to_string(threads));
  }
  times_.resize(static_cast<std::size_t>(threads));
  rests_ = std::vector<Rest>(times_.size());
  cuts_.resize(times_.size() + 1);
  make_equal();
}

void Balance::make_equal() {
  for (std::size_t rank = 0; rank < cuts_.size(); ++rank) {
    cuts_[rank] = static_cast<double>(rank) / threads();
  }
}

Part Balance::part(int rank) const {
  const auto at = static_cast<std::size_t>(rank);
  return {cuts_[at], cuts_[at + 1]};
}

void Balance::took(int rank, double work, double seconds) {
  times_[static_cast<std::size_t>(rank)] = {work, seconds};
}

void Balance::adjust() {
  if (fixed_ || std::exchange(first_, false)) return;
  double speeds = 0.0;
  for (const Time& time : times_) {
    // Pieces may be so few that a thread found none in its part, and can't be timed.
    if (!(time.work > 0.0 && time.seconds > 0.0)) return make_equal();
    speeds += time.speed();
  }
  const auto width = [&](std::size_t rank) { return cuts_[rank + 1] - cuts_[rank]; };
  const auto missing = [&](std::size_t rank) {  // of the width it has
    return times_[rank].speed() / speeds / width(rank) - 1.0;
  };
  double largest = 0.0;
  for (std::size_t rank = 0; rank < times_.size(); ++rank) {
    largest = std::max(largest, std::abs(missing(rank)));
  }
  if (largest < kTolerated) return;
  double begin = 0.0;  // the new parts in a line, and then scaled to end at 1
  for (std::size_t rank = 0; rank < times_.size(); ++rank) {
    const double change = std::clamp(kGain * missing(rank), -kMostChange, kMostChange);
    const double wanted = std::max(width(rank) * (1.0 + change), kNarrowest / threads());
    cuts_[rank] = begin;
    begin += wanted;
  }
  for (double& cut : cuts_) cut /= begin;
  cuts_.back() = 1.0;
}

}  // namespace fastmlp
