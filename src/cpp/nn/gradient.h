// The second phase of a step: the gradient of every weight over the whole batch, as tasks that are
// independent of each other.
#pragma once

#include <vector>

#include "base/parallel.h"
#include "nn/workspace.h"

namespace fastmlp {

/// Some rows of one panel of one layer's weight gradient, or a panel of inputs of a narrow one's,
/// or the columns of one panel of the learned parameters of its activation, or of the encoder's. A
/// layer's tasks are neighbours.
struct WeightTask {
  Index layer;
  Index panel;
  Index row_begin;
  Index row_end;  // the last task of a panel has the bias row too
  Index at;       // position of the rows in a flat array
  Index size;     // numbers there, without the bias row
  Index bias_size;
  bool learned;       // `bias_size` numbers of the activation's parameters, and no weights
  bool encoding;      // of the encoder's parameters, likewise
  Index cost_before;  // of all tasks before

  /// In units of no meaning: the batch's length is a factor of all.
  Index cost() const { return size + bias_size; }
  bool has_rows_of(const WeightTask& other) const {
    return layer == other.layer && row_begin == other.row_begin;
  }
};

/// The cost of neighbours.
Index cost_of(const std::vector<WeightTask>& tasks, Range range) noexcept;

/// Which tasks of a layer are neighbours: those of the same rows, so that the columns of x stay in
/// cache from task to task (the other way round ran at half the speed on 2048 x 2048 weights with
/// panels of 16 columns); or, in a first layer whose columns of x are not copied, those of the same
/// panel, so that a thread updates the weights that it reads when the team shares columns. Where
/// nothing is shared, few tasks with as many rows as they may have.
enum class TaskOrder { kRows, kFirstLayerPanels, kUnshared };

/// All tasks of a step with so many rows of data, in an order that depends on shapes alone.
template <class T>
std::vector<WeightTask> weight_tasks(const Network<T>& network, Index rows, TaskOrder order);

inline Range all_of(const std::vector<WeightTask>& tasks) {
  return {0, static_cast<Index>(tasks.size())};
}

/// The tasks of one thread among those `within`: neighbours, whose cost is as near to its part of
/// the total as whole tasks allow. An equal number of them left one of two threads idle for a third
/// of a step of 64-100-10, whose first layer has the wider panels.
Range share_tasks(const std::vector<WeightTask>& tasks, Range within, Part part) noexcept;

/// dw = the gradient of the task's rows over these rows of the workspace, contiguous as in the flat
/// array. Meanwhile `ahead`, the rows of another task, is fetched into the cache. `copied` is the
/// task whose columns of x this rank has copied last, or null: neighbours of the same rows need no
/// other copy. It is made of all rows `within`, where the gradients of several parts of them are
/// taken.
template <class T>
void task_gradient(const Network<T>& network, const Workspace<T>& ws, const WeightTask& task,
                   Range rows, Range within, const Ahead<T>& ahead, int rank,
                   const WeightTask*& copied, T* dw) noexcept;
template <class T>
void task_gradient(const Network<T>& network, const Workspace<T>& ws, const WeightTask& task,
                   Range rows, const Ahead<T>& ahead, int rank, const WeightTask*& copied,
                   T* dw) noexcept {
  task_gradient(network, ws, task, rows, rows, ahead, rank, copied, dw);
}

}  // namespace fastmlp
