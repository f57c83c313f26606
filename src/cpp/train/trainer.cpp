#include "train/trainer.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <stdexcept>

#include "nn/inference.h"
#include "train/metrics.h"

namespace fastmlp {

namespace {

using Clock = std::chrono::steady_clock;

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

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

/// What one step needs to know. Every thread makes its own, and all are equal.
template <class T>
struct Trainer<T>::Step {
  Batch batch;
  double weight_sum;
  MaskKey masks;
  LossPlan loss;
  Coefficients coefficients;
  double penalty_scale;
};

/// What an epoch's weights are worth on the validation set; NaN without one.
template <class T>
struct Trainer<T>::Validation {
  double loss = std::numeric_limits<double>::quiet_NaN();
  double score = std::numeric_limits<double>::quiet_NaN();
};

/// One epoch in progress: what the team shares.
template <class T>
struct Trainer<T>::Epoch {
  std::atomic<bool> finite{true};  // written in first phases, read behind their barrier
  bool stop = false;               // written by rank 0 in second phases, read behind their barrier
  double loss_sum = 0.0;           // rank 0's: batch loss x rows of the steps so far
  Index batches = 0;               // rank 0's: steps so far
  std::vector<double>* step_loss = nullptr;  // rank 0's, with room for all steps of the epoch
};

template <class T>
Trainer<T>::Trainer(Network<T>& network, const TrainSettings& settings)
    : network_(network),
      settings_(settings),
      progress_(settings),
      tasks_(weight_tasks(network)),
      penalties_(tasks_.size(), 0.0) {
  if (settings.batch_size < 1) {
    throw std::invalid_argument("batch_size must be at least 1, got " +
                                std::to_string(settings.batch_size));
  }
  if (!(settings.rate > 0.0 && std::isfinite(settings.rate))) {
    throw std::invalid_argument("rate must be positive and finite, got " +
                                std::to_string(settings.rate));
  }
  if (!(settings.clip_norm >= 0.0 && std::isfinite(settings.clip_norm))) {
    throw std::invalid_argument("clip_norm must be finite and not negative, got " +
                                std::to_string(settings.clip_norm));
  }
  for (int i = 0; i < slot_count(); ++i) slots_[i] = AlignedBuffer<T>(network.flat_size());
  layer_tasks_.assign(network.layers().size(), Range{0, 0});
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    Range& range = layer_tasks_[static_cast<std::size_t>(tasks_[i].layer)];
    if (range.size() == 0) range.begin = static_cast<Index>(i);
    range.end = static_cast<Index>(i) + 1;
  }
  if (settings.clip_norm > 0.0) {
    gradient_ = AlignedBuffer<T>(network.flat_size());
    squares_.assign(tasks_.size(), 0.0);
  }
}

template <class T>
int Trainer<T>::slot_count() const {
  return kOptimizers[static_cast<std::size_t>(settings_.optimizer)].slots;
}

template <class T>
void Trainer<T>::run(const DataView& data, const DataView* validation, Index epochs,
                     const double* rates, int threads, Hooks& hooks, RunReport& report) {
  if (epochs < 1) {
    throw std::invalid_argument("epochs must be at least 1, got " + std::to_string(epochs));
  }
  const Index batch = min_index(settings_.batch_size, data.x.rows);
  const int team_size =
      threads_for(3 * network_.flops_per_row() * static_cast<double>(batch), threads);
  plan_run(data, batch, team_size);
  if (validation) {
    best_params_ = AlignedBuffer<T>(network_.flat_size());
    val_outputs_ = AlignedBuffer<T>(checked_mul(validation->x.rows, network_.n_outputs()));
    keep_best();
  }
  // Puts the best weights back on every way out, exceptions of the hooks included.
  struct RestoreBest {
    Trainer& trainer;
    const bool validates;
    ~RestoreBest() {
      if (!validates) return;
      const T* best = trainer.best_params_.data();
      std::copy(best, best + trainer.network_.flat_size(), trainer.network_.params());
    }
  } restore_best{*this, validation != nullptr};

  Poll poll(hooks);
  for (Index i = 0; i < epochs; ++i) {
    const Clock::time_point start = Clock::now();
    Epoch epoch{};
    if (rates) progress_.rate = rates[i];
    const double rate = progress_.rate;
    report.step_loss.reserve(report.step_loss.size() +
                             static_cast<std::size_t>(ceil_div(data.x.rows, batch)));
    epoch.step_loss = &report.step_loss;
    const bool whole = run_epoch(data, batch, team_size, poll, epoch);
    if (!epoch.finite) {
      report.stopped = Stopped::kNonFinite;
      report.failed_epoch = i + 1;
      report.failed_batch = epoch.batches + 1;
      return;
    }
    if (!whole) {
      report.stopped = Stopped::kCallback;
      return;
    }
    progress_.epochs += 1;
    progress_.rows_seen += data.x.rows;
    const double loss = epoch.loss_sum / static_cast<double>(data.x.rows);
    const Validation validated = validate(validation, threads, hooks);
    const bool best = progress_.take(validation ? validated.score : -loss, settings_.tol);
    if (validation && best) {
      keep_best();
      report.best_epoch = i + 1;
    }
    const Event event = progress_.end_epoch(settings_);
    report.epochs.push_back(
        {i + 1, loss, validated.loss, validated.score, rate, seconds_since(start), event});
    const bool asked_to_stop = hooks.epoch_end(report.epochs.back());
    if (event == Event::kNoImprovement || event == Event::kRateTooSmall) {
      report.stopped =
          event == Event::kNoImprovement ? Stopped::kNoImprovement : Stopped::kRateTooSmall;
      return;
    }
    if (asked_to_stop) {
      report.stopped = Stopped::kCallback;
      return;
    }
  }
  report.stopped = Stopped::kMaxEpochs;
}

template <class T>
void Trainer<T>::keep_best() {
  std::copy(network_.params(), network_.params() + network_.flat_size(), best_params_.data());
}

template <class T>
void Trainer<T>::plan_run(const DataView& data, Index batch, int threads) {
  by_columns_ = settings_.clip_norm == 0.0 && suits_columns(network_, batch);
  if (settings_.shuffle) order_.resize(static_cast<std::size_t>(data.x.rows));
  if (!workspace_ || workspace_->rows() < batch || workspace_->threads() < threads) {
    workspace_ = std::make_unique<Workspace<T>>(network_, Pass::kTrain, batch, threads);
  }
}

/// Returns false where a hook asked to stop.
template <class T>
bool Trainer<T>::run_epoch(const DataView& data, Index batch_size, int threads, Poll& poll,
                           Epoch& epoch) {
  const Index rows = data.x.rows;
  if (settings_.shuffle) {
    random_permutation(settings_.seed, static_cast<std::uint64_t>(progress_.epochs), rows,
                       order_.data());
  }
  auto body = [&](const Team& team) noexcept {
    Index number = progress_.steps;
    for (Index first = 0; first < rows; first += batch_size) {
      const Step step = make_step(data, first, batch_size, ++number);
      by_columns_ ? step_columns(step, epoch, team) : step_rows(step, epoch, team);
      team.barrier();
      if (!epoch.finite) return;
      double loss = 0.0;
      if (team.rank() == 0) {
        for (Index r = 0; r < step.batch.rows; ++r) {
          loss += static_cast<double>(workspace_->row_loss[r]);
        }
        epoch.stop = poll.after(network_.flops_per_row() * static_cast<double>(step.batch.rows));
      }
      step_weights(step, team);
      team.barrier();
      if (team.rank() == 0) {
        loss *= settings_.loss_scale;
        for (const double penalty : penalties_) loss += penalty;
        epoch.loss_sum += loss * static_cast<double>(step.batch.rows);
        epoch.batches += 1;
        epoch.step_loss->push_back(loss);
      }
      if (epoch.stop) return;
    }
  };
  parallel(threads, body);
  progress_.steps += epoch.batches;
  return !epoch.stop;
}

template <class T>
typename Trainer<T>::Step Trainer<T>::make_step(const DataView& data, Index first, Index batch_size,
                                                Index number) const noexcept {
  Step step{};
  step.batch = {&data.x,
                &data.t,
                data.weight ? &data.weight : nullptr,
                settings_.shuffle ? order_.data() : nullptr,
                first,
                min_index(batch_size, data.x.rows - first)};
  step.weight_sum = total_weight(step.batch);
  step.masks = {settings_.seed, static_cast<std::uint64_t>(number)};
  step.loss = plan_loss(network_, settings_.loss);
  network_.kernels().prepare[static_cast<std::size_t>(settings_.optimizer)](
      progress_.rate, settings_.hyper, number, step.coefficients);
  step.penalty_scale = 1.0;
  if (settings_.penalty_per_sample) {
    step.penalty_scale = step.weight_sum > 0.0 ? 1.0 / step.weight_sum : 0.0;
  }
  return step;
}

template <class T>
void Trainer<T>::step_rows(const Step& step, Epoch& epoch, const Team& team) noexcept {
  const Range rows = share(step.batch.rows, row_grain(network_), team.rank(), team.size());
  if (!train_rows(network_, *workspace_, step.batch, step.weight_sum, step.loss, &step.masks, rows,
                  team.rank())) {
    epoch.finite = false;
  }
}

template <class T>
void Trainer<T>::step_columns(const Step& step, Epoch& epoch, const Team& team) noexcept {
  if (!train_columns(network_, *workspace_, step.batch, step.weight_sum, step.loss, &step.masks,
                     team)) {
    epoch.finite = false;
  }
}

/// The rows of w that are this thread's: the gradient by the layer's input, that by w, the update.
template <class T>
void Trainer<T>::update_layer(Index layer, const Step& step, const Team& team) noexcept {
  const PanelShape& shape = network_.layers()[static_cast<std::size_t>(layer)].shape;
  const Range tasks = layer_tasks_[static_cast<std::size_t>(layer)];
  const Range mine = share(tasks.size(), panel_count(shape), team.rank(), team.size());
  for (Index i = tasks.begin + mine.begin; i < tasks.begin + mine.end; ++i) {
    const WeightTask& task = tasks_[static_cast<std::size_t>(i)];
    if (task.panel == 0 && layer > 0 && !task.learned) {
      const Index end = min_index(task.row_end, shape.in);
      const Columns columns{task.row_begin, end, end == shape.in};
      backward_layer(network_, *workspace_, layer, {0, step.batch.rows}, columns, &step.masks,
                     team.rank());
    }
    // What is written to memory at the end of one task can be read for the next one meanwhile: 5 to
    // 9 % of a step of 1024-1024-1024-1024 with 32 rows. With more rows there is nothing to gain.
    const bool last = i + 1 == tasks.begin + mine.end;
    const Ahead<T> ahead = last ? Ahead<T>{} : rows_of(tasks_[static_cast<std::size_t>(i) + 1]);
    update_task(static_cast<std::size_t>(i), ahead, step, team.rank());
  }
}

template <class T>
void Trainer<T>::step_weights(const Step& step, const Team& team) noexcept {
  if (by_columns_) {
    for (Index layer = workspace_->layer_count() - 1; layer >= 0; --layer) {
      update_layer(layer, step, team);
      if (layer > 0) team.barrier();
    }
    return;
  }
  if (settings_.clip_norm > 0.0) return update_clipped(step, team);
  const Range mine = share_tasks(tasks_, team);
  for (Index i = mine.begin; i < mine.end; ++i) {
    update_task(static_cast<std::size_t>(i), {}, step, team.rank());
  }
}

template <class T>
Ahead<T> Trainer<T>::rows_of(const WeightTask& task) noexcept {
  Ahead<T> ahead{{network_.params() + task.at}, 1};
  for (int s = 0; s < slot_count(); ++s) ahead.rows[ahead.count++] = slots_[s].data() + task.at;
  return ahead;
}

template <class T>
void Trainer<T>::update_task(std::size_t index, const Ahead<T>& ahead, const Step& step,
                             int rank) noexcept {
  T* dw = workspace_->scratch(rank);
  weight_gradient(network_, *workspace_, tasks_[index], step.batch.rows, ahead, dw);
  apply(index, step, dw);
}

/// The optimizer on the parameters of one task; biases and learned parameters are not penalised.
template <class T>
void Trainer<T>::apply(std::size_t index, const Step& step, const T* gradient) noexcept {
  const WeightTask& task = tasks_[index];
  const DenseSpec& spec = network_.layers()[static_cast<std::size_t>(task.layer)].spec;
  const auto update = network_.kernels().update[static_cast<std::size_t>(settings_.optimizer)];
  UpdateArgs<T> args{};
  args.w = network_.params() + task.at;
  args.g = gradient;
  for (int s = 0; s < slot_count(); ++s) args.slot[s] = slots_[s].data() + task.at;
  args.n = task.size;
  args.coefficients = &step.coefficients;
  args.rate = progress_.rate;
  args.l1 = spec.l1 * step.penalty_scale;
  args.l2 = spec.l2 * step.penalty_scale;
  penalties_[index] = update(args);
  if (task.bias_size == 0) return;
  args.w += task.size;
  args.g += task.size;
  for (int s = 0; s < slot_count(); ++s) args.slot[s] += task.size;
  args.n = task.bias_size;
  args.l1 = args.l2 = 0.0;
  update(args);
}

/// Two passes over the tasks with a barrier in between: the norm is that of the whole gradient of
/// the loss. Penalties are left out of it, and act as ever.
template <class T>
void Trainer<T>::update_clipped(const Step& step, const Team& team) noexcept {
  const Range mine = share_tasks(tasks_, team);
  for (Index i = mine.begin; i < mine.end; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const WeightTask& task = tasks_[index];
    T* dw = gradient_.data() + task.at;
    weight_gradient(network_, *workspace_, task, step.batch.rows, {}, dw);
    squares_[index] = sum_of_squares(dw, task.size + task.bias_size);
  }
  team.barrier();
  DropoutArgs<T> args{};
  args.rows = 1;
  args.scale = clipped_scale();
  for (Index i = mine.begin; i < mine.end; ++i) {
    const auto index = static_cast<std::size_t>(i);
    T* dw = gradient_.data() + tasks_[index].at;
    args.x = args.y = dw;
    args.cols = args.ldx = args.ldy = tasks_[index].size + tasks_[index].bias_size;
    if (args.scale < 1.0) network_.kernels().scale(args);
    apply(index, step, dw);
  }
}

template <class T>
double Trainer<T>::clipped_scale() const noexcept {
  double sum = 0.0;
  for (const double square : squares_) sum += square;
  const double norm = std::sqrt(sum);
  return norm > settings_.clip_norm ? settings_.clip_norm / norm : 1.0;
}

template <class T>
typename Trainer<T>::Validation Trainer<T>::validate(const DataView* validation, int threads,
                                                     Hooks& hooks) {
  if (validation == nullptr) return {};
  const TableView* weight = validation->weight ? &validation->weight : nullptr;
  T* outputs = val_outputs_.data();
  predict(network_, validation->x, static_cast<const MaskKey*>(nullptr), threads, outputs);
  Validation result;
  result.loss =
      settings_.loss_scale * mean_loss(network_, outputs, validation->t, weight, settings_.loss);
  switch (settings_.monitor) {
    case Monitor::kHook:
      result.score = hooks.score();
      break;
    case Monitor::kAccuracy:
      // Outputs without a link of their own are margins, like those of hinge.
      result.score = accuracy(outputs, network_.n_outputs(), validation->t, weight,
                              row_of(settings_.loss.loss).link == Activation::identity ? 0.0 : 0.5);
      break;
    case Monitor::kR2:
      result.score = r2(outputs, network_.n_outputs(), validation->t, weight);
      break;
    default:
      result.score = -result.loss;
  }
  return result;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace fastmlp
