#include "train/chunks.h"

#include <algorithm>

#include "nn/passes.h"

namespace fastmlp {

namespace {

/// Of a batch that is cut: one of 64 took 1.07 times as long on one thread (10-45-45-10), and on
/// two as long as on one before.
constexpr Index kFewestRows = 96;

/// Parameters that stay in L1 or L2 beside the activations.
constexpr Index kSmallNetwork = 20480;

/// Enough for threads of unequal speed to share, in parts that Balance cuts.
constexpr Index kManyChunks = 8;

/// Numbers of other chunks' gradients that every replica may have to read.
constexpr Index kMostOthers = 20480;

/// Rows of one thread's chunks that go through the layers together: 2 % of a step of 10-45-45-10
/// with 128 rows on one thread.
constexpr Index kRowsAtOnce = 256;

/// Two chunks; of more than 256 rows, as many of 128 as it takes, up to eight; then eight of up to
/// 512, the most that a gradient takes in one product; then as many of 512 as it takes, until their
/// gradients take up memory. A multiple of `grain`.
Index rows_of_chunk(Index batch, Index grain) {
  constexpr Index most_chunks = 256;
  const Index rows = std::clamp(ceil_div(batch, kManyChunks), Index{128}, kDepthBlock);
  const Index chunks = std::clamp(ceil_div(batch, rows), Index{2}, most_chunks);
  return round_up(ceil_div(batch, chunks), grain);
}

}  // namespace

template <class T>
bool suits_chunks(const Network<T>& network, Index rows) {
  return rows >= kFewestRows && network.flat_size() <= kSmallNetwork;
}

template <class T>
void Chunks<T>::plan(const Network<T>& network, Index batch, int threads, int slots) {
  size_ = network.flat_size();
  rows_ = rows_of_chunk(batch, row_grain(network));
  count_ = ceil_div(batch, rows_);
  at_once_ = std::max<Index>(1, kRowsAtOnce / rows_);
  turns_ = count_ < kManyChunks && (count_ - 1) * size_ <= kMostOthers ? 2 : 1;
  tasks_ = weight_tasks(network, rows_, TaskOrder::kUnshared);
  const auto used = static_cast<std::size_t>(min_index(threads, count_));
  const Index rows = min_index(at_once_, count_) * rows_;
  workspaces_.resize(std::max(workspaces_.size(), used));
  for (std::unique_ptr<Workspace<T>>& ws : workspaces_) {
    if (ws && ws->rows() >= rows) continue;
    ws = std::make_unique<Workspace<T>>(network, Pass::kTrain, rows, 1);
  }
  while (has_replicas() && replicas_.size() + 1 < used) {
    replicas_.push_back(std::make_unique<Replica<T>>(Replica<T>{Network<T>(network), {}}));
    for (int s = 0; s < slots; ++s) replicas_.back()->slots[s] = AlignedBuffer<T>(size_);
  }
  const Index gradients = checked_mul(turns_ * count_, size_);
  if (gradients_.size() < gradients) gradients_ = AlignedBuffer<T>(gradients);
  losses_.resize(static_cast<std::size_t>(turns_ * count_));
}

#define FASTMLP_INSTANTIATE(T)                             \
  template bool suits_chunks<T>(const Network<T>&, Index); \
  template class Chunks<T>;
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
