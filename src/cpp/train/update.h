// The only way to the optimizer: from a finished piece of gradient to new weights.
#pragma once

#include <atomic>
#include <vector>

#include "base/poll.h"
#include "nn/gradient.h"
#include "train/settings.h"
#include "train/shards.h"
#include "train/step.h"

namespace fastmlp {

template <class T>
class Schedule;

/// What an update writes: flat arrays of the parameters' layout.
template <class T>
struct Place {
  T* params;
  T* slots[kMaxSlots];
};

template <class T>
class Update {
 public:
  /// The network and the settings must outlive it.
  Update(Network<T>& network, const TrainSettings& settings);
  Update(const Update&) = delete;
  Update& operator=(const Update&) = delete;

  int slot_count() const;
  /// The optimizer's memory.
  T* slot(int i) { return slots_[i].data(); }
  /// Of the network itself.
  Place<T> place() noexcept;

  /// A run of such tasks begins or ends. With `whole` the gradient is finished before any update;
  /// with a `reduction` it is the sum over processes.
  void begin_run(const std::vector<WeightTask>& tasks, bool whole, Reduction<T>* reduction);
  void end_run();
  bool is_whole() const { return whole_; }

  /// Gradient and update of neighbouring tasks, one after the other. `copied` as in
  /// Schedule::gradient().
  void tasks(Schedule<T>& schedule, Range mine, const Step& step, int rank,
             const WeightTask*& copied) noexcept;

  /// The second phase of a step whose gradient is finished before any update: two passes over the
  /// tasks with a barrier in between. A norm that is clipped is that of the whole gradient of the
  /// loss, without the penalties; and a long step can be given up as long as nothing of it is
  /// applied, unless other processes take part in it. Returns false where it was, which rank 0
  /// tells the others by `given_up`.
  bool whole(Schedule<T>& schedule, const Step& step, const Team& team, Poll& poll,
             std::atomic<bool>& given_up) noexcept;

  /// Lets every process have all of the optimizer's memory, of which each has updated a part.
  bool share_state() noexcept;

  /// A loss with the penalties on the weights that the last step began with, added task by task.
  double with_penalties(double loss) const noexcept;

 private:
  void apply(const WeightTask& task, std::size_t index, const Step& step, const Place<T>& place,
             bool counts, const T* gradient) noexcept;
  Ahead<T> rows_of(const WeightTask& task) noexcept;
  double clipped_scale() const noexcept;
  /// whole() where several processes take part in it.
  bool reduced(Schedule<T>& schedule, const Step& step, const Team& team, Poll& poll,
               std::atomic<bool>& given_up) noexcept;
  void apply_scaled(const WeightTask& task, std::size_t index, const Step& step,
                    double scale) noexcept;

  Network<T>& network_;
  const TrainSettings& settings_;
  AlignedBuffer<T> slots_[kMaxSlots];
  std::vector<double> penalties_;  // one per task
  bool whole_ = false;             // in this run
  Reduction<T>* reduction_ = nullptr;
  AlignedBuffer<T> gradient_;    // of all parameters, where it is finished first
  std::vector<double> squares_;  // per task, the sum of the squares of its gradient
};

}  // namespace fastmlp
