// Chunks of a batch's rows, for small networks: each goes as far as the gradient of all weights,
// and these are summed in the order of the chunks. Nothing of the first phase has left the core's
// cache in the second, and only gradients cross from core to core.
// Chunks depend on shapes alone, because they decide the order of summation.
#pragma once

#include "train/schedule.h"

namespace fastmlp {

template <class T>
class ByChunks final : public Schedule<T> {
 public:
  /// Arguments as those of make_schedule().
  ByChunks(Network<T>& network, Index batch, int threads, bool whole, int slots);

  int most_threads() const override { return static_cast<int>(count_); }
  void prepare(int threads) override { replicates_ = threads > 1 && has_replicas_; }
  void begin(const Team& team, Update<T>& update) noexcept override;
  bool first_phase(const Step& step, Turn& turn, const Team& team, Poll& poll) noexcept override;
  double loss(const Step& step) const noexcept override;
  void second_phase(const Step& step, Update<T>& update, Turn& turn,
                    const Team& team) noexcept override;
  void gradient(const WeightTask& task, const Step& step, const Ahead<T>& ahead, int rank,
                const WeightTask*& copied, T* dw) noexcept override;
  T* scratch(int rank) noexcept override { return workspace(rank).scratch(0); }
  bool replicates() const override { return replicates_; }
  Place<T> place(int rank, Update<T>& update) noexcept override;

 private:
  /// A thread's own copy of what a step reads and an update writes.
  struct Replica {
    Network<T> network;
    AlignedBuffer<T> slots[kMaxSlots];
  };

  Index count_of(Index batch_rows) const { return ceil_div(batch_rows, rows_); }
  /// In the batch.
  Range rows_of(Range chunks, Index batch_rows) const {
    return {chunks.begin * rows_, min_index(chunks.end * rows_, batch_rows)};
  }
  bool go_through(const Step& step, Range mine, const Team& team, Poll& poll) noexcept;
  void take_gradient(const Step& step, Index chunk, Range within, Workspace<T>& ws,
                     const Network<T>& network) noexcept;

  Workspace<T>& workspace(int rank) const { return *workspaces_[static_cast<std::size_t>(rank)]; }
  /// What a thread reads: the first has the network itself.
  Network<T>& network(int rank) const {
    return replicates_ && rank > 0 ? replicas_[static_cast<std::size_t>(rank) - 1]->network
                                   : network_;
  }

  /// Of one chunk, in the parameters' layout; the next chunk's follows. With replicas, steps
  /// alternate between two places, because a thread may begin with the next step while another one
  /// still reads.
  Index place_of(const Step& step, Index chunk) const {
    return (replicates_ ? step.number % 2 : 0) * count_ + chunk;
  }
  T* gradient_of(const Step& step, Index chunk) {
    return gradients_.data() + place_of(step, chunk) * network_.flat_size();
  }

  Network<T>& network_;
  Index rows_;     // of a chunk
  Index count_;    // of a whole batch
  Index at_once_;  // chunks that go through the layers together, where one thread has several
  bool has_replicas_;
  bool replicates_ = false;              // in the steps in progress
  int slots_;                            // that the optimizer has
  std::vector<WeightTask> chunk_tasks_;  // of a chunk's gradient, which is one thread's
  std::vector<std::unique_ptr<Workspace<T>>> workspaces_;  // one per thread
  std::vector<std::unique_ptr<Replica>> replicas_;         // one per thread but the first
  AlignedBuffer<T> gradients_;
  std::vector<double> losses_;  // of each chunk
};

}  // namespace fastmlp
