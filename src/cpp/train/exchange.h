// How the processes that train one network together talk to each other. The core adds up; whoever
// implements this only carries numbers, and knows nothing of what they mean.
#pragma once

#include <vector>

#include "base/base.h"

namespace fastmlp {

using Counts = std::vector<Index>;

/// Calls of all processes come in the same order, each by one thread, perhaps in a parallel region:
/// they may not throw. Where one returns false nothing works from then on, and the run is to end.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual int rank() const noexcept = 0;
  virtual int size() const noexcept = 0;

  /// Gives sent[r] numbers to each process r, one after the other from `from` on, and takes
  /// taken[r] from it. What a process would give itself stays where it is: it takes nothing there.
  virtual bool swap(const float* from, const Counts& sent, float* to,
                    const Counts& taken) noexcept = 0;
  virtual bool swap(const double* from, const Counts& sent, double* to,
                    const Counts& taken) noexcept = 0;
  /// Each process has its part in place, counts[r] numbers behind those of the ones before; all get
  /// all of them.
  virtual bool gather(float* all, const Counts& counts) noexcept = 0;
  virtual bool gather(double* all, const Counts& counts) noexcept = 0;
};

/// The rows of a run that several processes share. They are numbered through all of them, and lie
/// in shards, each of which one process holds whole: sums over shards, taken in the order of a
/// tree, are the same however many processes there are.
struct SharedRows {
  Exchange* exchange = nullptr;
  Index count = 0;                 // of the rows to train on, of all processes
  Counts bounds;                   // shard s holds the rows from bounds[s] to bounds[s + 1]
  const Index* subset = nullptr;   // numbers of the rows to train on; null for all
  const double* weight = nullptr;  // by number; null for equal weights

  Index shards() const { return static_cast<Index>(bounds.size()) - 1; }
};

}  // namespace fastmlp
