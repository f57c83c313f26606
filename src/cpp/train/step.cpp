// One step of a Trainer: the passes over the batch, and the update of the weights.
#include <algorithm>

#include "train/trainer.h"

namespace fastmlp {

namespace {

/// In double precision and eight chains.
template <class T>
double sum_of_squares(const T* x, Index n) {
  double chain[8] = {};
  for (Index i = 0; i < n; ++i) {
    const auto value = static_cast<double>(x[i]);
    chain[i % 8] += value * value;
  }
  return ((chain[0] + chain[1]) + (chain[2] + chain[3])) +
         ((chain[4] + chain[5]) + (chain[6] + chain[7]));
}

template <class T>
double sum_in_order(const T* x, Index n) {
  double sum = 0.0;
  for (Index i = 0; i < n; ++i) sum += static_cast<double>(x[i]);
  return sum;
}

}  // namespace

template <class T>
Batch Trainer<T>::make_batch(const DataView& data, Index first, Index batch_size) const noexcept {
  return {&data.x,
          &data.t,
          data.weight ? &data.weight : nullptr,
          settings_.shuffle ? order_.data() : nullptr,
          first,
          min_index(batch_size, data.x.rows - first)};
}

template <class T>
typename Trainer<T>::Step Trainer<T>::make_step(const Batch& batch, double weight_sum,
                                                Index number) const noexcept {
  Step step{};
  step.number = number;
  step.batch = batch;
  step.weight_sum = weight_sum;
  step.masks = {settings_.seed, static_cast<std::uint64_t>(number)};
  step.loss = plan_loss(network_, settings_.loss);
  network_.kernels().prepare[static_cast<std::size_t>(settings_.optimizer)](
      progress_.rate, settings_.hyper, number, step.coefficients);
  step.penalty_scale = settings_.penalty_per_sample ? 1.0 / weight_sum : 1.0;
  return step;
}

/// The first phase: from the rows to the loss of each, and as far back as the way of sharing goes.
/// Returns false where a loss of this thread's rows is not finite.
template <class T>
bool Trainer<T>::step_rows(const Step& step, const Team& team, Poll& poll) noexcept {
  Turn turn(balances_now_->first, team);
  if (sharing_ == Sharing::kColumns) {
    return train_columns(network_, *workspace_, step.batch, step.weight_sum, step.loss, &step.masks,
                         turn, team);
  }
  const bool by_chunks = sharing_ == Sharing::kChunks;
  turn.begin_piece();
  const Range mine = by_chunks ? share(chunks_.count_of(step.batch.rows), 1, turn.part())
                               : share(step.batch.rows, row_grain(network_), turn.part());
  const bool finite = by_chunks ? step_chunks(step, mine, team, poll)
                                : train_rows(network_, *workspace_, step.batch, step.weight_sum,
                                             step.loss, &step.masks, mine, &poll, team.rank());
  turn.end_piece(static_cast<double>(mine.size()));
  return finite;
}

/// Chunks of the batch, each up to the gradient of all weights.
template <class T>
bool Trainer<T>::step_chunks(const Step& step, Range mine, const Team& team, Poll& poll) noexcept {
  Workspace<T>& ws = chunks_.workspace(team.rank());
  const Network<T>& network = network_of(team.rank());
  bool finite = true;
  for (Index first = mine.begin; first < mine.end; first += chunks_.at_once()) {
    const Index end = min_index(first + chunks_.at_once(), mine.end);
    const Range rows = chunks_.rows_of({first, end}, step.batch.rows);
    const double flops = 3 * network.flops_per_row() * static_cast<double>(rows.size());
    if (first > mine.begin && poll.after(flops, team.rank())) break;
    Batch batch = step.batch;
    batch.first += rows.begin;
    batch.rows = rows.size();
    // Gathering takes up to a tenth of a step of so small a network.
    if (!batch.order && read_in_place(network, ws, *batch.x, batch.first)) batch.x = nullptr;
    MaskKey masks = step.masks;
    masks.first_row = rows.begin;
    finite &= train_rows(network, ws, batch, step.weight_sum, step.loss, &masks, {0, batch.rows},
                         nullptr, 0);
    for (Index chunk = first; chunk < end; ++chunk) {
      const Range own = chunks_.rows_of({chunk, chunk + 1}, step.batch.rows);
      const Range within{own.begin - rows.begin, own.end - rows.begin};
      T* gradient = chunks_.gradient(turn_of(step), chunk);
      const std::vector<WeightTask>& tasks = chunks_.tasks();
      const WeightTask* copied = nullptr;
      for_each_task(network, ws, tasks, all_of(tasks), within, 0, copied, [&](std::size_t t) {
        weight_gradient(network, ws, tasks[t], within, {}, 0, gradient + tasks[t].at);
      });
      *chunks_.loss(turn_of(step), chunk) = sum_in_order(ws.row_loss + within.begin, within.size());
    }
  }
  return finite;
}

template <class T>
double Trainer<T>::batch_loss(const Step& step) const noexcept {
  if (sharing_ == Sharing::kChunks) {
    return sum_in_order(chunks_.loss(turn_of(step), 0), chunks_.count_of(step.batch.rows));
  }
  return sum_in_order(workspace_->row_loss, step.batch.rows);
}

template <class T>
Index Trainer<T>::turn_of(const Step& step) const noexcept {
  return replicates_ ? step.number % 2 : 0;
}

/// What a thread's passes read and its updates write.
template <class T>
Network<T>& Trainer<T>::network_of(int rank) const noexcept {
  return replicates_ && rank > 0 ? chunks_.replica(rank).network : network_;
}

template <class T>
T* Trainer<T>::slot_of(int rank, int i) noexcept {
  return replicates_ && rank > 0 ? chunks_.replica(rank).slots[i].data() : slots_[i].data();
}

template <class T>
void Trainer<T>::copy_to_replica(int rank) noexcept {
  if (rank == 0) return;
  const Index size = network_.flat_size();
  std::copy_n(network_.params(), size, network_of(rank).params());
  for (int s = 0; s < slot_count(); ++s) std::copy_n(slots_[s].data(), size, slot_of(rank, s));
}

/// The gradient of a task's weights over the whole batch.
template <class T>
void Trainer<T>::task_gradient(const WeightTask& task, const Step& step, const Ahead<T>& ahead,
                               int rank, T* dw) noexcept {
  if (sharing_ != Sharing::kChunks) {
    return weight_gradient(network_, *workspace_, task, {0, step.batch.rows}, ahead, rank, dw);
  }
  network_.kernels().sum_parts({chunks_.gradient(turn_of(step), 0) + task.at,
                                chunks_.count_of(step.batch.rows), network_.flat_size(), dw,
                                task.size + task.bias_size});
}

template <class T>
T* Trainer<T>::scratch(int rank) const noexcept {
  return sharing_ == Sharing::kChunks ? chunks_.workspace(rank).scratch(0)
                                      : workspace_->scratch(rank);
}

/// Calls visit(i) for this thread's tasks; what chunks left needs only to be added up.
template <class T>
template <class Visit>
void Trainer<T>::for_each_own(Range mine, const Step& step, const Team& team,
                              const WeightTask*& copied, Visit visit) noexcept {
  if (sharing_ != Sharing::kChunks) {
    return for_each_task(network_, *workspace_, tasks_, mine, {0, step.batch.rows}, team.rank(),
                         copied, visit);
  }
  for (Index i = mine.begin; i < mine.end; ++i) visit(static_cast<std::size_t>(i));
}

/// Layer by layer from the top: the gradient by its input, and behind a barrier, when nobody reads
/// its weights any more, their own and the update. The layer below needs no barrier to go on.
template <class T>
void Trainer<T>::step_columns(const Step& step, const Team& team) noexcept {
  Turn turn(balances_now_->second, team);
  for (Index layer = workspace_->layer_count() - 1; layer > 0; --layer) {
    backward_columns(network_, *workspace_, layer, step.batch.rows, &step.masks, turn, team.rank());
    team.barrier();
    update_part(layer_tasks_[static_cast<std::size_t>(layer)], step, team, turn);
  }
  const Range own = share_tasks(tasks_, layer_tasks_.front(), turn.part());
  const double flops = product_flops(network_.layers().front().shape, step.batch.rows);
  const WeightTask* copied = nullptr;
  turn.share_pieces(own, 1, flops, [&](Range mine) {
    update_tasks(mine, step, team, copied);
    return static_cast<double>(cost_of(tasks_, mine));
  });
}

/// The second phase. Returns false where the step was given up, and nothing has changed.
template <class T>
bool Trainer<T>::step_weights(const Step& step, const Team& team, Poll& poll,
                              Epoch& epoch) noexcept {
  if (whole_) return update_whole(step, team, poll, epoch);
  if (sharing_ == Sharing::kColumns) {
    step_columns(step, team);
  } else if (replicates_) {
    const WeightTask* copied = nullptr;
    update_tasks(all_of(tasks_), step, team, copied);
  } else {
    Turn turn(balances_now_->second, team);
    update_part(all_of(tasks_), step, team, turn);
  }
  return true;
}

/// This thread's part of the tasks `within`.
template <class T>
void Trainer<T>::update_part(Range within, const Step& step, const Team& team,
                             Turn& turn) noexcept {
  const Range mine = share_tasks(tasks_, within, turn.part());
  const WeightTask* copied = nullptr;
  turn.begin_piece();
  update_tasks(mine, step, team, copied);
  turn.end_piece(static_cast<double>(cost_of(tasks_, mine)));
}

/// Pieces of a part share `copied`: for_each_task() tells what it is.
template <class T>
void Trainer<T>::update_tasks(Range mine, const Step& step, const Team& team,
                              const WeightTask*& copied) noexcept {
  for_each_own(mine, step, team, copied, [&](std::size_t i) {
    const bool last = static_cast<Index>(i) + 1 == mine.end;
    const bool far = !last && fetches_ahead(tasks_[i].layer, step.batch.rows);
    update_task(i, far ? rows_of(tasks_[i + 1]) : Ahead<T>{}, step, team.rank());
  });
}

/// What is written to memory at the end of one task can be read for the next one meanwhile: 5 to
/// 9 % of a step of 1024-1024-1024-1024 with 32 rows. With more rows there is nothing to gain, and
/// weights in the cache lose: 17 % of a step of 784-128-64-10 with 32 rows.
template <class T>
bool Trainer<T>::fetches_ahead(Index layer, Index rows) const noexcept {
  constexpr Index kFewRows = 32;
  return sharing_ == Sharing::kColumns && rows <= kFewRows &&
         are_far<T>(network_.layers()[static_cast<std::size_t>(layer)].shape);
}

template <class T>
Ahead<T> Trainer<T>::rows_of(const WeightTask& task) noexcept {
  constexpr Index line = kAlignment / static_cast<Index>(sizeof(T));
  Ahead<T> ahead{{network_.params() + task.at}, 1, 1, task.size / line, 0};
  for (int s = 0; s < slot_count(); ++s) ahead.arrays[ahead.count++] = slots_[s].data() + task.at;
  return ahead;
}

template <class T>
void Trainer<T>::update_task(std::size_t index, const Ahead<T>& ahead, const Step& step,
                             int rank) noexcept {
  T* dw = scratch(rank);
  task_gradient(tasks_[index], step, ahead, rank, dw);
  apply(index, step, rank, dw);
}

/// The optimizer on the parameters of one task; biases and learned parameters are not penalised.
template <class T>
void Trainer<T>::apply(std::size_t index, const Step& step, int rank, const T* gradient) noexcept {
  const WeightTask& task = tasks_[index];
  const DenseSpec& spec = network_.layers()[static_cast<std::size_t>(task.layer)].spec;
  const auto update = network_.kernels().update[static_cast<std::size_t>(settings_.optimizer)];
  UpdateArgs<T> args{};
  args.w = network_of(rank).params() + task.at;
  args.g = gradient;
  for (int s = 0; s < slot_count(); ++s) args.slot[s] = slot_of(rank, s) + task.at;
  args.n = task.size;
  args.coefficients = &step.coefficients;
  args.rate = progress_.rate;
  args.l1 = spec.l1 * step.penalty_scale;
  args.l2 = spec.l2 * step.penalty_scale;
  const double penalty = update(args);
  if (rank == 0 || !replicates_) penalties_[index] = penalty;
  if (task.bias_size == 0) return;
  args.w += task.size;
  args.g += task.size;
  for (int s = 0; s < slot_count(); ++s) args.slot[s] += task.size;
  args.n = task.bias_size;
  args.l1 = args.l2 = 0.0;
  update(args);
}

/// Two passes over the tasks with a barrier in between: a norm that is clipped is that of the whole
/// gradient of the loss, without the penalties, and a long step can be given up as long as nothing
/// of its gradient is applied.
template <class T>
bool Trainer<T>::update_whole(const Step& step, const Team& team, Poll& poll,
                              Epoch& epoch) noexcept {
  const bool clips = settings_.clip_norm > 0.0;
  const Range mine = share_tasks(tasks_, all_of(tasks_), equal_part(team));
  const WeightTask* copied = nullptr;
  for_each_own(mine, step, team, copied, [&](std::size_t i) {
    const WeightTask& task = tasks_[i];
    const Index size = task.size + task.bias_size;
    if (poll.after(2.0 * static_cast<double>(size * step.batch.rows), team.rank())) return;
    T* dw = gradient_.data() + task.at;
    task_gradient(task, step, {}, team.rank(), dw);
    if (clips) squares_[i] = sum_of_squares(dw, size);
  });
  if (team.rank() == 0 && poll.stopped()) epoch.given_up = true;
  team.barrier();
  if (epoch.given_up) return false;
  DropoutArgs<T> args{};
  args.rows = 1;
  args.scale = clips ? clipped_scale() : 1.0;
  for (Index i = mine.begin; i < mine.end; ++i) {
    const auto index = static_cast<std::size_t>(i);
    T* dw = gradient_.data() + tasks_[index].at;
    args.x = args.y = dw;
    args.cols = args.ldx = args.ldy = tasks_[index].size + tasks_[index].bias_size;
    if (args.scale < 1.0) network_.kernels().scale(args);
    apply(index, step, team.rank(), dw);
  }
  return true;
}

template <class T>
double Trainer<T>::clipped_scale() const noexcept {
  double sum = 0.0;
  for (const double square : squares_) sum += square;
  const double norm = std::sqrt(sum);
  return norm > settings_.clip_norm ? settings_.clip_norm / norm : 1.0;
}

#define FASTMLP_INSTANTIATE(T)                                                                 \
  template Batch Trainer<T>::make_batch(const DataView&, Index, Index) const noexcept;         \
  template Trainer<T>::Step Trainer<T>::make_step(const Batch&, double, Index) const noexcept; \
  template void Trainer<T>::copy_to_replica(int) noexcept;                                     \
  template bool Trainer<T>::step_rows(const Step&, const Team&, Poll&) noexcept;               \
  template double Trainer<T>::batch_loss(const Step&) const noexcept;                          \
  template bool Trainer<T>::step_weights(const Step&, const Team&, Poll&, Epoch&) noexcept;
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
