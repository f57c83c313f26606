// Shards of rows: who holds which, where the rows of a batch lie, and sums over all of them in the
// order of one tree, whatever the number of processes. The tree of n shards adds that of the first
// n / 2 and that of the rest.
#pragma once

#include <vector>

#include "base/buffer.h"
#include "base/parallel.h"
#include "nn/gradient.h"
#include "train/exchange.h"

namespace fastmlp {

/// The shards of one of `size` processes.
Range shards_of(Index shards, int rank, int size);

/// The largest subtrees within `mine` of the tree over `tree`, in order.
std::vector<Range> nodes_within(Range tree, Range mine);

/// Where the rows of each batch of an epoch lie that this process holds.
class ShardedEpoch {
 public:
  ShardedEpoch(const SharedRows& rows, Index batch);

  /// For an epoch whose steps take the rows to train on in this order; null for that of their
  /// numbers.
  void lay_out(const Index* order);

  /// How many of the rows to train on this process has.
  Index held() const { return held_; }
  /// Rows of this process, as `order` of a Batch.
  const Index* order() const { return order_.data(); }
  /// A batch's part of it; between its shards are gaps.
  Range part(Index batch) const;
  /// The rows of each of this process's shards in that part.
  const Range* shards(Index batch) const { return cuts_.data() + batch * mine_.size(); }
  /// Of the whole batch, in the order of its rows.
  double weight_sum(Index batch) const { return weight_sums_[static_cast<std::size_t>(batch)]; }

 private:
  Index number_of(Index i) const { return rows_.subset ? rows_.subset[i] : i; }
  Index own_shard_of(Index number) const;

  const SharedRows& rows_;
  Index batch_;
  Range mine_;
  Index held_ = 0;
  std::vector<Index> order_;
  std::vector<Index> starts_;  // of each batch's part, and the end
  std::vector<Range> cuts_;
  std::vector<double> weight_sums_;
};

/// What the processes tell each other before a gradient.
struct Tally {
  bool finite;
  bool stop;
  double loss;  // of the batch, where all is finite
};

/// The sums of a run over all shards. Each process adds up a slice of the gradient and updates what
/// belongs to it, which the others then get: that is as much to carry as a sum that all of them
/// get, and the update is made once.
template <class T>
class Reduction {
 public:
  /// Of gradients of `size` numbers, of such tasks. The rows must outlive it.
  Reduction(const SharedRows& rows, const std::vector<WeightTask>& tasks, Index size);
  Reduction(const Reduction&) = delete;
  Reduction& operator=(const Reduction&) = delete;

  Range mine() const { return mine_; }
  /// What this process adds up by itself.
  const std::vector<Range>& nodes() const { return nodes_[rank()]; }
  /// Where the gradient of such a node goes, the first one's excepted.
  T* part(std::size_t node) { return parts_[node - 1].data(); }

  /// Lets `tally` be that of all; `losses` are those of this process's nodes.
  bool agree(Tally& tally, const std::vector<double>& losses) noexcept;
  /// The tasks of this process's slice.
  const std::vector<Index>& owned() const { return owned_; }
  /// Lets this process's slice of `gradient`, which is that of the first node, be that of the whole
  /// batch.
  bool add_up(T* gradient) noexcept;
  /// Fills in the slices of the other processes, of an array like the parameters; or what they have
  /// of their tasks, of one with a number for each.
  bool fill_in(T* all) noexcept { return exchange_.gather(all, slices_); }
  bool fill_in(std::vector<double>& by_task) noexcept;

 private:
  std::size_t rank() const { return static_cast<std::size_t>(exchange_.rank()); }
  std::size_t size() const { return static_cast<std::size_t>(exchange_.size()); }
  void cut_slices(const std::vector<WeightTask>& tasks, Index size_);

  Exchange& exchange_;
  Range tree_;
  Range mine_;
  std::vector<std::vector<Range>> nodes_;  // of each process
  std::vector<Range> all_nodes_;           // in order
  std::size_t most_nodes_ = 0;             // of a process
  Counts slices_;                          // of a gradient: each process adds up one
  Index slice_begin_ = 0;                  // of this process's
  std::vector<Index> order_;               // of the tasks, as they lie
  std::vector<Index> owned_;
  Counts task_counts_;                   // of each process
  std::vector<double> in_order_;         // a number for each task
  std::vector<AlignedBuffer<T>> parts_;  // of the nodes but the first
  AlignedBuffer<T> taken_;               // this process's slice of each node
  std::vector<T*> rows_;                 // of `taken_`, by node
  std::vector<double> tallies_;
  std::vector<double> losses_;  // of each node
  std::vector<double*> loss_rows_;
  Counts tally_counts_;
  Counts sent_, received_;
};

/// y += x.
template <class T>
void add_to(T* y, const T* x, Index n) noexcept;

/// The sums of rows of n numbers over the tree, which `nodes` tile; left in the first row.
template <class T>
void sum_tree(Range tree, const Range* nodes, Index count, T* const* rows, Index n) noexcept;

}  // namespace fastmlp
