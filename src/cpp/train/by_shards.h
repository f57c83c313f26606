// Rows that several processes share: a process takes those of its shards as a team takes rows, and
// adds up the gradients of its shards in the order of their tree; the others' come by a Reduction.
#pragma once

#include "train/schedule.h"
#include "train/shards.h"

namespace fastmlp {

template <class T>
class ByShards final : public Schedule<T> {
 public:
  /// For batches of so many rows of all processes, of which this one holds so many.
  ByShards(const Network<T>& network, Index batch, Index held, int threads,
           Reduction<T>& reduction);

  bool first_phase(const Step& step, Turn& turn, const Team& team, Poll& poll) noexcept override;
  /// Of this process's rows; the batch's is agreed on.
  double loss(const Step& step) const noexcept override;
  void second_phase(const Step&, Update<T>&, Turn&, const Team&) noexcept override {}
  void gradient(const WeightTask& task, const Step& step, const Ahead<T>& ahead, int rank,
                const WeightTask*& copied, T* dw) noexcept override;
  T* scratch(int rank) noexcept override { return workspace_.scratch(rank); }

  /// Of each node of this process.
  void take_losses(const Step& step, std::vector<double>& losses) const noexcept;

 private:
  Range rows_of(const Step& step, Index shard) const {
    return step.shards[shard - reduction_.mine().begin];
  }
  double loss_of(const Step& step, Range node) const noexcept;
  void node_gradient(Range node, const WeightTask& task, const Step& step, int rank,
                     const WeightTask*& copied, T* scratch, T* dw) noexcept;
  /// Calls visit(rows, masks) for the rows of each shard among those in `mine`.
  template <class Visit>
  void for_each_shard(const Step& step, Range mine, Visit visit) const;

  const Network<T>& network_;
  Reduction<T>& reduction_;
  Index batch_;
  Workspace<T> workspace_;
  Index task_size_ = 0;    // of the largest
  AlignedBuffer<T> sums_;  // of each thread, a task for each level of the tree
  Index sums_of_thread_ = 0;
};

}  // namespace fastmlp
