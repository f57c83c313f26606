// Chunks of a batch's rows, for small networks: each goes as far as the gradient of all weights,
// and these are summed in the order of the chunks. Nothing of the first phase has left the core's
// cache in the second, and only gradients cross from core to core.
#pragma once

#include <memory>
#include <vector>

#include "nn/weight_tasks.h"

namespace fastmlp {

/// Whether to go by chunks in a training step with so many rows. Depends on shapes alone, like the
/// chunks themselves: it decides the order of summation.
template <class T>
bool suits_chunks(const Network<T>& network, Index rows);

/// A thread's own copy of what a step reads and an update writes.
template <class T>
struct Replica {
  Network<T> network;
  AlignedBuffer<T> slots[kMaxSlots];
};

/// What a run keeps for its chunks.
template <class T>
class Chunks {
 public:
  /// For batches of up to so many rows. `slots` tells how many arrays the optimizer has.
  void plan(const Network<T>& network, Index batch, int threads, int slots);

  /// Of a whole batch. More threads have nothing to do.
  Index count() const { return count_; }
  Index count_of(Index batch_rows) const { return ceil_div(batch_rows, rows_); }
  /// Chunks that go through the layers together, where one thread has several.
  Index at_once() const { return at_once_; }
  /// In the batch.
  Range rows_of(Range chunks, Index batch_rows) const {
    return {chunks.begin * rows_, min_index(chunks.end * rows_, batch_rows)};
  }
  /// Of a chunk's gradient, which is one thread's.
  const std::vector<WeightTask>& tasks() const { return tasks_; }
  Workspace<T>& workspace(int rank) const { return *workspaces_[static_cast<std::size_t>(rank)]; }

  /// Whether each thread of a team makes the whole update, on a replica of its own: where chunks
  /// are few and their gradients small. One barrier a step is enough then, and weights stay in the
  /// core's cache. 10-45-45-10 with 128 rows took 27 us a step on two cores of Emerald Rapids that
  /// shared rows and the update, by chunks and with replicas 15; one core alone takes 22.
  bool has_replicas() const { return turns_ > 1; }
  /// Of a rank above 0: the first thread has the network itself.
  Replica<T>& replica(int rank) const { return *replicas_[static_cast<std::size_t>(rank) - 1]; }

  /// One chunk's, in the parameters' layout; the next chunk's follows. With replicas, steps take
  /// turns at two places, because a thread may begin with the next step while another one still
  /// reads.
  T* gradient(Index turn, Index chunk) { return gradients_.data() + place(turn, chunk) * size_; }
  double* loss(Index turn, Index chunk) { return losses_.data() + place(turn, chunk); }
  const double* loss(Index turn, Index chunk) const { return losses_.data() + place(turn, chunk); }

 private:
  Index place(Index turn, Index chunk) const { return turn * count_ + chunk; }

  Index size_ = 0;  // of the network's flat array
  Index rows_ = 0;  // of a chunk
  Index count_ = 0;
  Index at_once_ = 0;
  Index turns_ = 0;
  std::vector<WeightTask> tasks_;
  std::vector<std::unique_ptr<Workspace<T>>> workspaces_;  // one per thread
  std::vector<std::unique_ptr<Replica<T>>> replicas_;      // one per thread but the first
  AlignedBuffer<T> gradients_;
  std::vector<double> losses_;
};

}  // namespace fastmlp
