// Many networks with settings and data of their own, each trained by one thread from beginning to
// end: no barrier, and weights that stay in their core's cache. A member's result is that of a run
// of its trainer alone, whatever thread it falls to.
#pragma once

#include <limits>
#include <memory>
#include <vector>

#include "train/trainer.h"

namespace fastmlp {

template <class T>
struct PackMember {
  Trainer<T>* trainer;
  RowSource& source;
  DataView validation;
  Index epochs;
  Index patience;  // epochs behind the last that was better, by loss or by score

  // What came of it. The network's weights are those of the best epoch by the trainer's monitor.
  RunReport report{};
  AlignedBuffer<T> by_loss{};  // those of the epoch with the least validation loss
  Index best_loss_epoch = 0;   // from 1; 0 where there is none
  bool begun = false;
};

/// Whom a pack tells how far it is.
class PackCaller : public Caller {
 public:
  /// From the calling thread: how many networks are finished, and the mean of their least
  /// validation losses (NaN of none). Returns true to stop.
  virtual bool poll(Index finished, double loss) noexcept = 0;
  bool poll() noexcept final { return poll(0, std::numeric_limits<double>::quiet_NaN()); }
};

/// Trains the members, in their order, on so many threads (0: all). Behind `seconds` it begins no
/// other but the first, and ends those that have a finished epoch. Throws what a trainer has
/// thrown.
template <class T>
void train_pack(const std::vector<std::unique_ptr<PackMember<T>>>& members, int threads,
                double seconds, PackCaller& caller);

}  // namespace fastmlp
