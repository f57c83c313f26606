// How a team shares the steps of a run: by rows, by columns or by chunks of rows, a class each.
//
// A step has two phases with a barrier behind each, unless threads have weights of their own. The
// first goes from the rows to the loss of each, and as far back as the way goes; the second takes
// the gradients of all weights, a list of tasks, and each finished piece meets the optimizer while
// it is in L1. No gradient is ever summed over threads, so results cannot depend on their number;
// the way depends on shapes alone.
#pragma once

#include <limits>
#include <memory>

#include "base/balance.h"
#include "base/poll.h"
#include "nn/gradient.h"
#include "train/step.h"
#include "train/update.h"

namespace fastmlp {

template <class T>
class Schedule {
 public:
  virtual ~Schedule() = default;
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  /// The gradients of a step in pieces, independent of each other.
  const std::vector<WeightTask>& tasks() const { return tasks_; }
  /// More threads than this have nothing to do.
  virtual int most_threads() const { return std::numeric_limits<int>::max(); }

  /// Before the first step of some by `threads` threads, outside the parallel region.
  virtual void prepare(int /*threads*/) {}
  /// By every thread before the first of these steps.
  virtual void begin(const Team&, Update<T>&) noexcept {}

  /// Returns false where a loss of this thread's rows is not finite. May leave the rest as it is
  /// where `poll` says so.
  virtual bool first_phase(const Step& step, Turn& turn, const Team& team, Poll& poll) noexcept = 0;
  /// Of the whole batch, behind the first phase.
  virtual double loss(const Step& step) const noexcept = 0;
  /// This thread's part of the gradients, and the update by them.
  virtual void second_phase(const Step& step, Update<T>& update, Turn& turn,
                            const Team& team) noexcept = 0;

  /// dw = the gradient of a task's weights over the whole batch. Meanwhile `ahead` is fetched.
  /// `copied` is the thread's own memory of the columns that it copied last (nn/gradient.h).
  virtual void gradient(const WeightTask& task, const Step& step, const Ahead<T>& ahead, int rank,
                        const WeightTask*& copied, T* dw) noexcept = 0;
  /// A thread's own room for the gradient of one task.
  virtual T* scratch(int rank) noexcept = 0;
  /// Whether the next task's weights are worth fetching while one is written.
  virtual bool fetches_ahead() const { return false; }

  /// Whether each thread makes the whole update on weights of its own, in the steps in progress:
  /// the barrier behind the second phase is not needed then.
  virtual bool replicates() const { return false; }
  /// What a thread's updates write.
  virtual Place<T> place(int /*rank*/, Update<T>& update) noexcept { return update.place(); }

 protected:
  Schedule() = default;
  std::vector<WeightTask> tasks_;
};

/// The schedule for batches of so many rows by up to `threads` threads; `own_loss` where the
/// caller's own is taken of the whole batch at once; `whole` where the gradient is finished before
/// any update; `slots` tells how many arrays the optimizer has. The network must outlive it.
template <class T>
std::unique_ptr<Schedule<T>> make_schedule(Network<T>& network, Index batch, int threads,
                                           bool own_loss, bool whole, int slots);

}  // namespace fastmlp
