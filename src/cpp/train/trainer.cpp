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

/// One epoch in progress: what the team shares.
template <class T>
struct Trainer<T>::Epoch {
  std::atomic<bool> finite{true};  // written in first phases, read behind their barrier
  bool stop = false;               // written by rank 0 in second phases, read behind their barrier
  double loss_sum = 0.0;           // rank 0's: batch loss x rows of the steps so far
  Index batches = 0;               // rank 0's: steps so far
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
  for (int i = 0; i < slot_count(); ++i) slots_[i] = AlignedBuffer<T>(network.flat_size());
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
    const double val_score =
        validation ? score(*validation, threads) : std::numeric_limits<double>::quiet_NaN();
    const bool best = progress_.take(validation ? val_score : -loss, settings_.tol);
    if (validation && best) {
      keep_best();
      report.best_epoch = i + 1;
    }
    const Event event = progress_.end_epoch(settings_);
    report.epochs.push_back({i + 1, loss, val_score, rate, seconds_since(start), event});
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
      step_rows(step, epoch, team);
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
void Trainer<T>::step_weights(const Step& step, const Team& team) noexcept {
  const Range mine = share(static_cast<Index>(tasks_.size()), 1, team.rank(), team.size());
  for (Index i = mine.begin; i < mine.end; ++i) {
    update_task(static_cast<std::size_t>(i), step, team.rank());
  }
}

template <class T>
void Trainer<T>::update_task(std::size_t index, const Step& step, int rank) noexcept {
  const WeightTask& task = tasks_[index];
  const DenseSpec& spec = network_.layers()[static_cast<std::size_t>(task.layer)].spec;
  T* dw = workspace_->scratch(rank);
  weight_gradient(network_, *workspace_, task, step.batch.rows, dw);
  const auto update = network_.kernels().update[static_cast<std::size_t>(settings_.optimizer)];
  UpdateArgs<T> args{};
  args.w = network_.params() + task.at;
  args.g = dw;
  for (int s = 0; s < slot_count(); ++s) args.slot[s] = slots_[s].data() + task.at;
  args.n = task.size;
  args.coefficients = &step.coefficients;
  args.l1 = spec.l1 * step.penalty_scale;
  args.l2 = spec.l2 * step.penalty_scale;
  penalties_[index] = update(args);
  if (task.bias_size == 0) return;
  args.w += task.size;
  args.g += task.size;
  for (int s = 0; s < slot_count(); ++s) args.slot[s] += task.size;
  args.n = task.bias_size;
  args.l1 = args.l2 = 0.0;  // biases are not penalised
  update(args);
}

template <class T>
double Trainer<T>::score(const DataView& validation, int threads) {
  const TableView* weight = validation.weight ? &validation.weight : nullptr;
  T* outputs = val_outputs_.data();
  predict(network_, validation.x, static_cast<const MaskKey*>(nullptr), threads, outputs);
  switch (settings_.monitor) {
    case Monitor::kAccuracy:
      return accuracy(outputs, network_.n_outputs(), validation.t, weight);
    case Monitor::kR2:
      return r2(outputs, network_.n_outputs(), validation.t, weight);
    default:
      return -settings_.loss_scale *
             mean_loss(network_, outputs, validation.t, weight, settings_.loss);
  }
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace fastmlp
