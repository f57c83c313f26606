#include "train/shards.h"

#include <algorithm>
#include <numeric>

#include "kernels/kernel_table.h"

namespace fastmlp {

namespace {

Index middle(Range tree) { return (tree.begin + tree.end) / 2; }

void find_nodes(Range tree, Range mine, std::vector<Range>& nodes) {
  if (tree.end <= mine.begin || tree.begin >= mine.end) return;
  if (mine.begin <= tree.begin && tree.end <= mine.end) {
    nodes.push_back(tree);
    return;
  }
  find_nodes({tree.begin, middle(tree)}, mine, nodes);
  find_nodes({middle(tree), tree.end}, mine, nodes);
}

}  // namespace

Range shards_of(Index shards, int rank, int size) {
  return {shards * rank / size, shards * (rank + 1) / size};
}

std::vector<Range> nodes_within(Range tree, Range mine) {
  std::vector<Range> nodes;
  find_nodes(tree, mine, nodes);
  return nodes;
}

ShardedEpoch::ShardedEpoch(const SharedRows& rows, Index batch)
    : rows_(rows),
      batch_(batch),
      mine_(shards_of(rows.shards(), rows.exchange->rank(), rows.exchange->size())) {
  const Index batches = ceil_div(rows.count, batch);
  starts_.resize(static_cast<std::size_t>(batches) + 1);
  cuts_.resize(static_cast<std::size_t>(batches * mine_.size()));
  weight_sums_.resize(static_cast<std::size_t>(batches));
  for (Index i = 0; i < rows.count; ++i) held_ += own_shard_of(number_of(i)) >= 0;
}

/// Among those of this process, or -1.
Index ShardedEpoch::own_shard_of(Index number) const {
  const auto begin = rows_.bounds.begin() + mine_.begin;
  const auto end = rows_.bounds.begin() + mine_.end;
  if (number < *begin || number >= *end) return -1;
  return std::upper_bound(begin, end, number) - begin - 1;
}

Range ShardedEpoch::part(Index batch) const {
  const auto i = static_cast<std::size_t>(batch);
  return {starts_[i], starts_[i + 1]};
}

/// Shards begin where masks can.
void ShardedEpoch::lay_out(const Index* order) {
  const Index first = rows_.bounds[static_cast<std::size_t>(mine_.begin)];
  order_.clear();
  std::vector<std::vector<Index>> held(static_cast<std::size_t>(mine_.size()));
  for (Index batch = 0; batch * batch_ < rows_.count; ++batch) {
    for (std::vector<Index>& rows : held) rows.clear();
    double weights = 0.0;
    const Index begin = batch * batch_;
    const Index end = min_index(begin + batch_, rows_.count);
    for (Index i = begin; i < end; ++i) {
      const Index number = number_of(order ? order[i] : i);
      weights += rows_.weight ? rows_.weight[number] : 1.0;
      const Index shard = own_shard_of(number);
      if (shard >= 0) held[static_cast<std::size_t>(shard)].push_back(number - first);
    }
    const auto start = static_cast<Index>(order_.size());
    starts_[static_cast<std::size_t>(batch)] = start;
    weight_sums_[static_cast<std::size_t>(batch)] = weights;
    for (std::size_t s = 0; s < held.size(); ++s) {
      const Index at = round_up(static_cast<Index>(order_.size()) - start, kMaskRows);
      order_.resize(static_cast<std::size_t>(start + at), 0);
      order_.insert(order_.end(), held[s].begin(), held[s].end());
      cuts_[static_cast<std::size_t>(batch * mine_.size()) + s] = {
          at, static_cast<Index>(order_.size()) - start};
    }
  }
  starts_.back() = static_cast<Index>(order_.size());
}

template <class T>
Reduction<T>::Reduction(const SharedRows& rows, const std::vector<WeightTask>& tasks, Index size_)
    : exchange_(*rows.exchange),
      tree_{0, rows.shards()},
      mine_(shards_of(rows.shards(), exchange_.rank(), exchange_.size())) {
  for (int r = 0; r < exchange_.size(); ++r) {
    nodes_.push_back(nodes_within(tree_, shards_of(rows.shards(), r, exchange_.size())));
    all_nodes_.insert(all_nodes_.end(), nodes_.back().begin(), nodes_.back().end());
    most_nodes_ = std::max(most_nodes_, nodes_.back().size());
  }
  cut_slices(tasks, size_);
  for (std::size_t k = 1; k < nodes().size(); ++k) parts_.emplace_back(size_);
  taken_ = AlignedBuffer<T>(checked_mul(static_cast<Index>(all_nodes_.size()), slices_[rank()]));
  rows_.resize(all_nodes_.size());
  tally_counts_.assign(size(), static_cast<Index>(2 + most_nodes_));
  tallies_.resize(size() * (2 + most_nodes_));
  losses_.resize(all_nodes_.size());
  for (double& loss : losses_) loss_rows_.push_back(&loss);
  sent_.resize(size());
  received_.resize(size());
}

/// Where tasks begin, in the order in which they lie.
template <class T>
void Reduction<T>::cut_slices(const std::vector<WeightTask>& tasks, Index size_) {
  const auto at = [&](Index i) { return tasks[static_cast<std::size_t>(i)].at; };
  order_.resize(tasks.size());
  std::iota(order_.begin(), order_.end(), Index{0});
  std::sort(order_.begin(), order_.end(), [&](Index i, Index j) { return at(i) < at(j); });
  in_order_.resize(tasks.size());
  auto begin = order_.begin();
  for (std::size_t r = 0; r < size(); ++r) {
    const Index wanted = size_ / static_cast<Index>(size()) * static_cast<Index>(r + 1);
    const auto end =
        r + 1 == size()
            ? order_.end()
            : std::partition_point(begin, order_.end(), [&](Index i) { return at(i) < wanted; });
    const Index first = r == 0 ? 0 : begin == order_.end() ? size_ : at(*begin);
    const Index last = end == order_.end() ? size_ : at(*end);
    slices_.push_back(last - first);
    task_counts_.push_back(end - begin);
    if (r == rank()) {
      slice_begin_ = first;
      owned_.assign(begin, end);
    }
    begin = end;
  }
}

template <class T>
bool Reduction<T>::fill_in(std::vector<double>& by_task) noexcept {
  const auto by = [&](std::size_t i) -> double& {
    return by_task[static_cast<std::size_t>(order_[i])];
  };
  for (std::size_t i = 0; i < order_.size(); ++i) in_order_[i] = by(i);
  if (!exchange_.gather(in_order_.data(), task_counts_)) return false;
  for (std::size_t i = 0; i < order_.size(); ++i) by(i) = in_order_[i];
  return true;
}

template <class T>
bool Reduction<T>::agree(Tally& tally, const std::vector<double>& losses) noexcept {
  const std::size_t width = 2 + most_nodes_;
  double* own = tallies_.data() + rank() * width;
  own[0] = tally.finite ? 1.0 : 0.0;
  own[1] = tally.stop ? 1.0 : 0.0;
  std::copy(losses.begin(), losses.end(), own + 2);
  if (!exchange_.gather(tallies_.data(), tally_counts_)) return false;
  std::size_t node = 0;
  for (std::size_t r = 0; r < size(); ++r) {
    const double* its = tallies_.data() + r * width;
    tally.finite &= its[0] != 0.0;
    tally.stop |= its[1] != 0.0;
    for (std::size_t k = 0; k < nodes_[r].size(); ++k, ++node) {
      losses_[node] = its[2 + k];
    }
  }
  const auto count = static_cast<Index>(losses_.size());
  sum_tree(tree_, all_nodes_.data(), count, loss_rows_.data(), Index{1});
  tally.loss = losses_.front();
  return true;
}

/// What this process has of its own slice stays where it is.
template <class T>
bool Reduction<T>::add_up(T* gradient) noexcept {
  T* to = taken_.data();
  const Index own = slices_[rank()];
  for (std::size_t k = 0; k < most_nodes_; ++k) {
    const bool gives = k < nodes().size();
    T* from = k > 0 && gives ? part(k) : gradient;
    T* end = to;
    for (std::size_t r = 0, node = k; r < size(); node += nodes_[r].size(), ++r) {
      const bool takes = k < nodes_[r].size();
      const bool other = r != rank();
      sent_[r] = gives ? slices_[r] : 0;
      received_[r] = takes && other ? own : 0;
      if (takes) rows_[node] = other ? end : from + slice_begin_;
      end += received_[r];
    }
    if (!exchange_.swap(from, sent_, to, received_)) return false;
    to = end;
  }
  sum_tree(tree_, all_nodes_.data(), static_cast<Index>(all_nodes_.size()), rows_.data(), own);
  if (rows_.front() != gradient + slice_begin_) {
    std::copy_n(rows_.front(), own, gradient + slice_begin_);
  }
  return true;
}

template <class T>
void add_to(T* y, const T* x, Index n) noexcept {
  for (Index i = 0; i < n; ++i) y[i] += x[i];
}

template <class T>
void sum_tree(Range tree, const Range* nodes, Index count, T* const* rows, Index n) noexcept {
  if (count == 1) return;
  const Index cut = std::partition_point(nodes, nodes + count,
                                         [&](Range node) { return node.begin < middle(tree); }) -
                    nodes;
  sum_tree({tree.begin, middle(tree)}, nodes, cut, rows, n);
  sum_tree({middle(tree), tree.end}, nodes + cut, count - cut, rows + cut, n);
  add_to(rows[0], rows[cut], n);
}

#define FASTMLP_INSTANTIATE(T)                           \
  template class Reduction<T>;                           \
  template void add_to<T>(T*, const T*, Index) noexcept; \
  template void sum_tree<T>(Range, const Range*, Index, T* const*, Index) noexcept;
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
