#include "train/update.h"

#include <cmath>

#include "nn/rules.h"
#include "train/schedule.h"

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

}  // namespace

template <class T>
Update<T>::Update(Network<T>& network, const TrainSettings& settings)
    : network_(network), settings_(settings) {
  for (int i = 0; i < slot_count(); ++i) slots_[i] = AlignedBuffer<T>(network.flat_size());
}

template <class T>
int Update<T>::slot_count() const {
  return kOptimizers[static_cast<std::size_t>(settings_.optimizer)].slots;
}

template <class T>
Place<T> Update<T>::place() noexcept {
  Place<T> place{network_.params(), {}};
  for (int s = 0; s < slot_count(); ++s) place.slots[s] = slots_[s].data();
  return place;
}

template <class T>
void Update<T>::begin_run(const std::vector<WeightTask>& tasks, bool whole,
                          Reduction<T>* reduction) {
  penalties_.assign(tasks.size(), 0.0);
  if (settings_.clip_norm > 0.0) squares_.assign(tasks.size(), 0.0);
  whole_ = whole;
  reduction_ = reduction;
  gradient_ = {};
  if (whole) gradient_ = AlignedBuffer<T>(network_.flat_size());
}

template <class T>
void Update<T>::end_run() {
  gradient_ = {};  // whoever reads the weights out of giant layers finds the room
  reduction_ = nullptr;
}

template <class T>
void Update<T>::tasks(Schedule<T>& schedule, Range mine, const Step& step, int rank,
                      const WeightTask*& copied) noexcept {
  const std::vector<WeightTask>& tasks = schedule.tasks();
  const Place<T> place = schedule.place(rank, *this);
  const bool counts = rank == 0 || !schedule.replicates();
  for (Index i = mine.begin; i < mine.end; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const WeightTask& task = tasks[index];
    Ahead<T> ahead{};
    if (schedule.fetches_ahead() && i + 1 < mine.end) {
      const PanelShape& shape = network_.layers()[static_cast<std::size_t>(task.layer)].shape;
      if (fetches_tasks_ahead<T>(shape, step.batch.rows)) ahead = rows_of(tasks[index + 1]);
    }
    T* dw = schedule.scratch(rank);
    schedule.gradient(task, step, ahead, rank, copied, dw);
    apply(task, index, step, place, counts, dw);
  }
}

template <class T>
Ahead<T> Update<T>::rows_of(const WeightTask& task) noexcept {
  constexpr Index line = kAlignment / static_cast<Index>(sizeof(T));
  Ahead<T> ahead{{network_.params() + task.at}, 1, 1, task.size / line, 0};
  for (int s = 0; s < slot_count(); ++s) ahead.arrays[ahead.count++] = slots_[s].data() + task.at;
  return ahead;
}

/// Biases and learned parameters are not penalised.
template <class T>
void Update<T>::apply(const WeightTask& task, std::size_t index, const Step& step,
                      const Place<T>& place, bool counts, const T* gradient) noexcept {
  const DenseSpec& spec = network_.layers()[static_cast<std::size_t>(task.layer)].spec;
  const auto update = network_.kernels().update[static_cast<std::size_t>(settings_.optimizer)];
  UpdateArgs<T> args{};
  args.w = place.params + task.at;
  args.g = gradient;
  for (int s = 0; s < slot_count(); ++s) args.slot[s] = place.slots[s] + task.at;
  args.n = task.size;
  args.coefficients = &step.coefficients;
  args.rate = step.rate;
  args.l1 = spec.l1 * step.penalty_scale;
  args.l2 = spec.l2 * step.penalty_scale;
  const double penalty = update(args);
  if (counts) penalties_[index] = penalty;
  if (task.bias_size == 0) return;
  args.w += task.size;
  args.g += task.size;
  for (int s = 0; s < slot_count(); ++s) args.slot[s] += task.size;
  args.n = task.bias_size;
  args.l1 = args.l2 = 0.0;
  update(args);
}

template <class T>
bool Update<T>::whole(Schedule<T>& schedule, const Step& step, const Team& team, Poll& poll,
                      std::atomic<bool>& given_up) noexcept {
  if (reduction_) return reduced(schedule, step, team, poll, given_up);
  const std::vector<WeightTask>& tasks = schedule.tasks();
  const bool clips = settings_.clip_norm > 0.0;
  const Range mine = share_tasks(tasks, all_of(tasks), equal_part(team));
  const WeightTask* copied = nullptr;
  for (Index i = mine.begin; i < mine.end; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const WeightTask& task = tasks[index];
    const double flops = 2.0 * static_cast<double>(task.cost() * step.batch.rows);
    if (poll.after(flops, team.rank())) break;
    T* dw = gradient_.data() + task.at;
    schedule.gradient(task, step, {}, team.rank(), copied, dw);
    if (clips) squares_[index] = sum_of_squares(dw, task.cost());
  }
  if (team.rank() == 0 && poll.stopped()) given_up = true;
  team.barrier();
  if (given_up) return false;
  const double scale = clips ? clipped_scale() : 1.0;
  for (Index i = mine.begin; i < mine.end; ++i) {
    const auto index = static_cast<std::size_t>(i);
    apply_scaled(tasks[index], index, step, scale);
  }
  return true;
}

template <class T>
void Update<T>::apply_scaled(const WeightTask& task, std::size_t index, const Step& step,
                             double scale) noexcept {
  T* dw = gradient_.data() + task.at;
  if (scale < 1.0) {
    DropoutArgs<T> args{};
    args.rows = 1;
    args.scale = scale;
    args.x = args.y = dw;
    args.cols = args.ldx = args.ldy = task.cost();
    network_.kernels().scale(args);
  }
  apply(task, index, step, place(), true, dw);
}

/// Interrupts are told when the processes agree on the next step.
template <class T>
bool Update<T>::reduced(Schedule<T>& schedule, const Step& step, const Team& team, Poll& poll,
                        std::atomic<bool>& given_up) noexcept {
  const std::vector<WeightTask>& tasks = schedule.tasks();
  /// The first thread talks to the other processes, while the others wait.
  const auto led = [&](auto talk) {
    team.barrier();
    if (team.rank() == 0 && !talk()) given_up = true;
    team.barrier();
    return !given_up;
  };
  const Range mine = share_tasks(tasks, all_of(tasks), equal_part(team));
  const WeightTask* copied = nullptr;
  for (Index i = mine.begin; i < mine.end; ++i) {
    const WeightTask& task = tasks[static_cast<std::size_t>(i)];
    poll.after(2.0 * static_cast<double>(task.cost() * step.batch.rows), team.rank());
    schedule.gradient(task, step, {}, team.rank(), copied, gradient_.data() + task.at);
  }
  if (!led([&] { return reduction_->add_up(gradient_.data()); })) return false;
  const std::vector<Index>& owned = reduction_->owned();
  const Range own = share(static_cast<Index>(owned.size()), 1, equal_part(team));
  const auto for_each_own = [&](auto visit) {
    for (Index i = own.begin; i < own.end; ++i) {
      const auto index = static_cast<std::size_t>(owned[static_cast<std::size_t>(i)]);
      visit(tasks[index], index);
    }
  };
  double scale = 1.0;
  if (settings_.clip_norm > 0.0) {
    for_each_own([&](const WeightTask& task, std::size_t index) {
      squares_[index] = sum_of_squares(gradient_.data() + task.at, task.cost());
    });
    if (!led([&] { return reduction_->fill_in(squares_); })) return false;
    scale = clipped_scale();
  }
  for_each_own(
      [&](const WeightTask& task, std::size_t index) { apply_scaled(task, index, step, scale); });
  return led(
      [&] { return reduction_->fill_in(network_.params()) && reduction_->fill_in(penalties_); });
}

template <class T>
bool Update<T>::share_state() noexcept {
  for (int s = 0; s < slot_count(); ++s) {
    if (!reduction_->fill_in(slots_[s].data())) return false;
  }
  return true;
}

template <class T>
double Update<T>::clipped_scale() const noexcept {
  double sum = 0.0;
  for (const double square : squares_) sum += square;
  const double norm = std::sqrt(sum);
  return norm > settings_.clip_norm ? settings_.clip_norm / norm : 1.0;
}

template <class T>
double Update<T>::with_penalties(double loss) const noexcept {
  for (const double penalty : penalties_) loss += penalty;
  return loss;
}

template class Update<float>;
template class Update<double>;

}  // namespace fastmlp
