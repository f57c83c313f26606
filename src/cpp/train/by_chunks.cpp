#include "train/by_chunks.h"

#include <algorithm>

#include "nn/row_pass.h"
#include "nn/rules.h"

namespace fastmlp {

namespace {

double sum_in_order(const double* x, Index n) {
  double sum = 0.0;
  for (Index i = 0; i < n; ++i) sum += x[i];
  return sum;
}

}  // namespace

template <class T>
ByChunks<T>::ByChunks(Network<T>& network, Index batch, int threads, bool whole, int slots)
    : network_(network),
      rows_(rows_of_chunk(batch, row_grain(network))),
      count_(ceil_div(batch, rows_)),
      at_once_(chunks_at_once(rows_)),
      has_replicas_(!whole && suits_replicas(count_, network.flat_size())),
      slots_(slots),
      chunk_tasks_(weight_tasks(network, rows_, TaskOrder::kUnshared)) {
  // Of shapes alone: it is the order of the sums of penalties and squares.
  const bool few = suits_replicas(count_, network.flat_size());
  const TaskOrder order = few ? TaskOrder::kUnshared : TaskOrder::kRows;
  this->tasks_ = weight_tasks(network, batch, order);
  const Index used = min_index(threads, count_);
  const Index rows = min_index(at_once_, count_) * rows_;
  for (Index i = 0; i < used; ++i) {
    workspaces_.push_back(std::make_unique<Workspace<T>>(network, Pass::kTrain, rows, 1));
  }
  for (Index i = 1; has_replicas_ && i < used; ++i) {
    replicas_.push_back(std::make_unique<Replica>(Replica{Network<T>(network), {}}));
    for (int s = 0; s < slots; ++s) {
      replicas_.back()->slots[s] = AlignedBuffer<T>(network.flat_size());
    }
  }
  const Index places = has_replicas_ ? 2 * count_ : count_;
  gradients_ = AlignedBuffer<T>(checked_mul(places, network.flat_size()));
  losses_.resize(static_cast<std::size_t>(places));
}

template <class T>
Place<T> ByChunks<T>::place(int rank, Update<T>& update) noexcept {
  if (!replicates_ || rank == 0) return update.place();
  Replica& replica = *replicas_[static_cast<std::size_t>(rank) - 1];
  Place<T> place{replica.network.params(), {}};
  for (int s = 0; s < slots_; ++s) place.slots[s] = replica.slots[s].data();
  return place;
}

template <class T>
void ByChunks<T>::begin(const Team& team, Update<T>& update) noexcept {
  if (!replicates_ || team.rank() == 0) return;
  const Place<T> from = update.place();
  const Place<T> to = place(team.rank(), update);
  const Index size = network_.flat_size();
  std::copy_n(from.params, size, to.params);
  for (int s = 0; s < slots_; ++s) std::copy_n(from.slots[s], size, to.slots[s]);
}

template <class T>
bool ByChunks<T>::first_phase(const Step& step, Turn& turn, const Team& team, Poll& poll) noexcept {
  turn.begin_piece();
  const Range mine = share(count_of(step.batch.rows), 1, turn.part());
  const bool finite = go_through(step, mine, team, poll);
  turn.end_piece(static_cast<double>(mine.size()));
  return finite;
}

/// Chunks of the batch, each up to the gradient of all weights.
template <class T>
bool ByChunks<T>::go_through(const Step& step, Range mine, const Team& team, Poll& poll) noexcept {
  Workspace<T>& ws = workspace(team.rank());
  const Network<T>& own = network(team.rank());
  bool finite = true;
  for (Index first = mine.begin; first < mine.end; first += at_once_) {
    const Index end = min_index(first + at_once_, mine.end);
    const Range rows = rows_of({first, end}, step.batch.rows);
    const double flops = 3 * own.flops_per_row() * static_cast<double>(rows.size());
    if (first > mine.begin && poll.after(flops, team.rank())) break;
    Batch batch = step.batch;
    batch.first += rows.begin;
    batch.rows = rows.size();
    // Gathering takes up to a tenth of a step of so small a network.
    if (!batch.order && read_in_place(own, ws, *batch.x, batch.first)) batch.x = nullptr;
    MaskKey masks = step.masks;
    masks.first_row = rows.begin;
    finite &=
        train_rows(own, ws, batch, step.weight_sum, step.loss, &masks, {0, batch.rows}, nullptr, 0);
    for (Index chunk = first; chunk < end; ++chunk) {
      const Range its_rows = rows_of({chunk, chunk + 1}, step.batch.rows);
      take_gradient(step, chunk, {its_rows.begin - rows.begin, its_rows.end - rows.begin}, ws, own);
    }
  }
  return finite;
}

template <class T>
void ByChunks<T>::take_gradient(const Step& step, Index chunk, Range within, Workspace<T>& ws,
                                const Network<T>& network) noexcept {
  T* gradient = gradient_of(step, chunk);
  const WeightTask* copied = nullptr;
  for (const WeightTask& task : chunk_tasks_) {
    task_gradient(network, ws, task, within, {}, 0, copied, gradient + task.at);
  }
  losses_[static_cast<std::size_t>(place_of(step, chunk))] = sum_of_losses(ws, within);
}

template <class T>
double ByChunks<T>::loss(const Step& step) const noexcept {
  return sum_in_order(losses_.data() + place_of(step, 0), count_of(step.batch.rows));
}

template <class T>
void ByChunks<T>::second_phase(const Step& step, Update<T>& update, Turn& turn,
                               const Team& team) noexcept {
  const WeightTask* copied = nullptr;
  if (replicates_) {
    return update.tasks(*this, all_of(this->tasks_), step, team.rank(), copied);
  }
  const Range mine = share_tasks(this->tasks_, all_of(this->tasks_), turn.part());
  turn.begin_piece();
  update.tasks(*this, mine, step, team.rank(), copied);
  turn.end_piece(static_cast<double>(cost_of(this->tasks_, mine)));
}

/// What the chunks left needs only to be added up.
template <class T>
void ByChunks<T>::gradient(const WeightTask& task, const Step& step, const Ahead<T>&, int,
                           const WeightTask*&, T* dw) noexcept {
  network_.kernels().sum_parts({gradient_of(step, 0) + task.at, count_of(step.batch.rows),
                                network_.flat_size(), dw, task.size + task.bias_size});
}

template class ByChunks<float>;
template class ByChunks<double>;

}  // namespace fastmlp
