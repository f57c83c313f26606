#include "train/trainer.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <stdexcept>

#include "nn/objective.h"
#include "nn/rules.h"
#include "train/metrics.h"

namespace fastmlp {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kLookNow = 1e9;  // multiplications
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The accuracy on what evaluate() has given as logits: they are outputs where the loss doesn't
/// meet its link. Those without a link of their own are margins, like those of hinge.
template <class T>
double accuracy_of(const Network<T>& network, const LossChoice& loss, const T* outputs,
                   const TableView& t, const TableView* weight) {
  const Activation link = row_of(loss.loss).link;
  const bool probable = !plan_loss(network, loss).on_logits && link != Activation::identity;
  const bool exclusive = row_of(link).keeps == Keep::kRow && network.n_outputs() > 1;
  return accuracy(outputs, network.n_outputs(), t, weight, exclusive, probable ? 0.5 : 0.0);
}

const TrainSettings& checked(const TrainSettings& settings) {
  settings.check();
  return settings;
}

/// Makes room for `more`, and at least for twice as many as there was: asked for an exact number,
/// `reserve` copied all losses in every epoch (10,000 epochs of 64 steps: 17.5 us a step, not 4.3).
void make_room(std::vector<double>& losses, Index more) {
  const std::size_t wanted = losses.size() + static_cast<std::size_t>(more);
  if (wanted > losses.capacity()) losses.reserve(std::max(wanted, 2 * losses.capacity()));
}

}  // namespace

template <class T>
Trainer<T>::Trainer(Network<T>& network, const TrainSettings& settings)
    : network_(network),
      settings_(checked(settings)),
      progress_(settings_),
      update_(network, settings_) {}

template <class T>
void Trainer<T>::run(RowSource& source, const DataView* validation, Index epochs, int threads,
                     Hooks& hooks, RunReport& report, const SharedRows* shared) {
  if (epochs < 1) {
    throw std::invalid_argument("epochs must be at least 1, got " + std::to_string(epochs));
  }
  const bool awake = threads_awake();
  const Index rows = shared ? shared->count : source.rows();
  Plan plan{rows, epochs, min_index(settings_.batch_size, rows), {}, threads};
  const double row_flops = 3 * network_.flops_per_row();
  const Waking waking(row_flops * static_cast<double>(plan.batch),
                      row_flops * static_cast<double>(rows) * static_cast<double>(epochs), threads);
  plan.batch_threads = waking.threads();
  int& most = plan.batch_threads.count;
  struct Unshare {  // on every way out
    Trainer* trainer;
    ~Unshare() {
      if (trainer == nullptr) return;
      trainer->schedule_.reset();  // which looks at it
      trainer->sharing_.reset();
    }
  } unshare{shared ? this : nullptr};
  if (shared) {
    schedule_.reset();
    sharing_ = std::make_unique<Sharing>(*shared, network_, plan.batch);
  }
  plan_run(plan.batch, most);
  most = std::min(most, schedule_->most_threads());
  if (validation) {
    val_outputs_ = AlignedBuffer<T>(checked_mul(validation->x.rows, network_.n_outputs()));
  }
  if (kept_params_.size() == 0) keep_params(plan.batch_threads);
  struct End {  // on every way out, exceptions of the hooks included
    Trainer& trainer;
    RowSource& source;
    bool validated;
    bool failed;
    ~End() {
      source.close();
      const bool kept = validated && trainer.progress_.kept > Progress::kNone;
      if (kept || failed) trainer.put_back_params();
      trainer.kept_params_ = {};  // whoever reads the weights out of giant layers finds the room
      trainer.update_.end_run();
    }
  } end{*this, source, validation != nullptr, false};
  const bool fixed = threads > 0 || most == 1 || shared;
  const Work work = fixed ? Work{} : work_of(plan);
  TeamSize team_size(most, plan.batch, fixed);
  if (!fixed) team_size = recall_team_size(work, team_size, awake);
  report.stopped = run_epochs(source, validation, plan, team_size, hooks, report);
  if (!fixed) remember_team_size(work, team_size);
  if (report.stopped != Stopped::kNonFinite && !network_.is_finite()) {
    report.stopped = Stopped::kNonFinite;  // only the next loss would have shown it
    report.failed_epoch = static_cast<Index>(report.epochs.size());
    report.failed_batch = report.batches;
  }
  end.failed = report.stopped == Stopped::kNonFinite;
}

template <class T>
Work Trainer<T>::work_of(const Plan& plan) const {
  Work work{sizeof(T),
            network_.kernels().lanes,
            plan.batch_threads.count,
            plan.batch,
            static_cast<Index>(settings_.optimizer),
            static_cast<Index>(settings_.clip_norm > 0.0),
            static_cast<Index>(settings_.loss.own != nullptr)};
  for (const DenseLayer& layer : network_.layers()) {
    work.insert(work.end(),
                {layer.shape.in, layer.shape.out, static_cast<Index>(layer.activation()),
                 static_cast<Index>(layer.drops()) + 2 * static_cast<Index>(layer.normalizes())});
  }
  return work;
}

/// Returns why it ended.
template <class T>
Stopped Trainer<T>::run_epochs(RowSource& source, const DataView* validation, const Plan& plan,
                               TeamSize& team_size, Hooks& hooks, RunReport& report) {
  Poll poll(hooks);
  report.kept = progress_.kept;
  report.fewest_threads = plan.batch_threads.count;
  for (Index i = 0; i < plan.epochs; ++i) {
    const Clock::time_point start = Clock::now();
    Epoch epoch{};
    progress_.rate = hooks.rate(i, progress_.rate);
    const double rate = progress_.rate;
    epoch.step_loss = &report.step_loss;
    epoch.fewest_threads = report.fewest_threads;
    const bool whole = run_epoch(source, plan, team_size, poll, epoch);
    report.batches = epoch.batches;
    report.fewest_threads = std::min(report.fewest_threads, epoch.fewest_threads);
    // Before any way out, which not all processes may take for the same reason.
    const bool shared = !sharing_ || update_.share_state();
    if (has_own_loss_stopped()) return Stopped::kCallback;
    if (!epoch.finite && whole) {
      report.failed_epoch = i + 1;
      report.failed_batch = epoch.batches + 1;
      return Stopped::kNonFinite;
    }
    if (!whole || !shared) return Stopped::kCallback;
    progress_.epochs += 1;
    progress_.rows_seen += plan.rows;
    const double loss = epoch.loss_sum / static_cast<double>(epoch.rows);
    if (settings_.monitor == Monitor::kHook && !network_.is_finite()) {  // nothing to score
      report.failed_epoch = i + 1;
      report.failed_batch = epoch.batches;
      return Stopped::kNonFinite;
    }
    report.epochs.push_back({i + 1, loss, kUnknown, kUnknown, rate, 0.0, Event::kNone});
    const Validation validated = validate(validation, plan.threads, poll, hooks);
    EpochReport& end = report.epochs.back();
    end.val_loss = validated.loss;
    end.val_score = validated.score;
    if (anybody_stops(poll.stopped() ||
                      has_own_loss_stopped())) {  // in the validation: this epoch has no score
      report.epochs.pop_back();
      return Stopped::kCallback;
    }
    if (validation && progress_.keeps(validated.score)) {
      keep_params(plan.batch_threads);
      report.best_epoch = i + 1;
      report.kept = progress_.kept;
    }
    const bool by_score = validation && settings_.stops_by_score;
    progress_.count(by_score ? validated.score : -loss, settings_.tol);
    end.event = progress_.end_epoch(settings_);
    end.seconds = seconds_since(start);
    const Event event = end.event;
    const bool asked_to_stop = hooks.epoch_end(end);
    if (event == Event::kNoImprovement) return Stopped::kNoImprovement;
    if (event == Event::kRateTooSmall) return Stopped::kRateTooSmall;
    if (asked_to_stop) return Stopped::kCallback;
  }
  return Stopped::kMaxEpochs;
}

template <class T>
void Trainer<T>::keep_params(Threads threads) {
  const Index size = network_.flat_size();
  if (kept_params_.size() == 0) kept_params_ = AlignedBuffer<T>(size);
  const T* from = network_.params();
  auto body = [&](const Team& team) noexcept {
    const Range mine = share(size, kAlignment, equal_part(team));
    std::copy(from + mine.begin, from + mine.end, kept_params_.data() + mine.begin);
  };
  if (!is_copied_by_team(size)) threads.count = 1;
  parallel(threads, body);
}

template <class T>
void Trainer<T>::put_back_params() {
  std::copy_n(kept_params_.data(), network_.flat_size(), network_.params());
}

template <class T>
void Trainer<T>::plan_run(Index batch, int threads) {
  balances_.clear();
  if (sharing_) {
    schedule_ = std::make_unique<ByShards<T>>(network_, batch, sharing_->epoch.held(), threads,
                                              sharing_->reduction);
    planned_ = {};
    return update_.begin_run(schedule_->tasks(), true, &sharing_->reduction);
  }
  const double flops = 3 * network_.flops_per_row() * static_cast<double>(batch);
  const bool whole =
      settings_.clip_norm > 0.0 || (!suits_chunks(network_, batch) && is_long_step(flops));
  if (!schedule_ || planned_.batch != batch || planned_.threads < threads ||
      planned_.whole != whole) {
    schedule_.reset();  // its memory may be wanted again
    schedule_ =
        make_schedule(network_, batch, threads, settings_.loss.own != nullptr, whole, slot_count());
    planned_ = {batch, threads, whole};
  }
  update_.begin_run(schedule_->tasks(), whole, nullptr);
}

template <class T>
typename Trainer<T>::Balances& Trainer<T>::balances_of(Index batch, int threads) {
  const double flops = 3 * network_.flops_per_row() * static_cast<double>(batch);
  const bool fixed = threads == 1 || schedule_->replicates() || !is_worth_timing(flops, threads);
  Balances equal{Balance(threads, fixed), Balance(threads, fixed)};
  return balances_.try_emplace(threads, std::move(equal)).first->second;
}

template <class T>
Batch Trainer<T>::make_batch(const DataView& data, Index first, Index batch_size) const noexcept {
  const TableView* weight = data.weight ? &data.weight : nullptr;
  if (sharing_) {
    const Range part = sharing_->epoch.part(first / batch_size);
    return {&data.x, &data.t, weight, sharing_->epoch.order(), part.begin, part.size()};
  }
  return {&data.x, &data.t,
          weight,  settings_.shuffle ? order_.data() : nullptr,
          first,   min_index(batch_size, data.x.rows - first)};
}

template <class T>
double Trainer<T>::weight_of(const Batch& batch, Index first, Index batch_size) const noexcept {
  return sharing_ ? sharing_->epoch.weight_sum(first / batch_size) : total_weight(batch);
}

/// What the processes find in the first phase of a step, and its loss. Returns false where it ends
/// there.
template <class T>
bool Trainer<T>::agree(const Step& step, Epoch& epoch, double& loss) noexcept {
  Tally tally{epoch.finite, epoch.stop, 0.0};
  static_cast<const ByShards<T>&>(*schedule_).take_losses(step, sharing_->losses);
  const bool told = sharing_->reduction.agree(tally, sharing_->losses);
  epoch.finite = tally.finite;
  epoch.stop = tally.stop || !told;
  loss = tally.loss;
  return epoch.finite && !epoch.stop;
}

/// Whether one of the processes does.
template <class T>
bool Trainer<T>::anybody_stops(bool stops) noexcept {
  if (!sharing_) return stops;
  Tally tally{true, stops, 0.0};
  std::fill(sharing_->losses.begin(), sharing_->losses.end(), 0.0);
  return !sharing_->reduction.agree(tally, sharing_->losses) || tally.stop;
}

template <class T>
Step Trainer<T>::make_step(const Batch& batch, double weight_sum, Index number) const noexcept {
  Step step{};
  step.number = number;
  step.batch = batch;
  step.weight_sum = weight_sum;
  step.masks = {settings_.seed, static_cast<std::uint64_t>(number)};
  step.loss = plan_loss(network_, settings_.loss);
  step.rate = progress_.rate;
  network_.kernels().prepare[static_cast<std::size_t>(settings_.optimizer)](
      progress_.rate, settings_.hyper, number, step.coefficients);
  step.penalty_scale = settings_.penalty_per_sample ? 1.0 / weight_sum : 1.0;
  return step;
}

/// Returns false where a hook asked to stop.
template <class T>
bool Trainer<T>::run_epoch(RowSource& source, const Plan& plan, TeamSize& team_size, Poll& poll,
                           Epoch& epoch) {
  struct End {  // on every way out, exceptions of the source included
    Progress& progress;
    const Epoch& epoch;
    ~End() { progress.steps += epoch.batches; }
  } end{progress_, epoch};
  for (Index number = 0; epoch.finite && !epoch.stop; ++number) {
    const DataView* data = source.window(progress_.epochs, number);
    if (data == nullptr) break;
    epoch.stop = number > 0 && poll.after(kLookNow);  // windows may take long, and have few rows
    if (epoch.stop) break;
    run_window(*data, number, plan, team_size, poll, epoch);
  }
  return !epoch.stop;
}

template <class T>
void Trainer<T>::run_window(const DataView& data, Index number, const Plan& plan,
                            TeamSize& team_size, Poll& poll, Epoch& epoch) {
  const Index rows = sharing_ ? plan.rows : data.x.rows;
  make_room(*epoch.step_loss, ceil_div(rows, plan.batch));
  if (settings_.shuffle) {
    order_.resize(static_cast<std::size_t>(rows));
    random_permutation(settings_.seed, progress_.epochs, number, rows, order_.data());
  }
  if (sharing_) sharing_->epoch.lay_out(settings_.shuffle ? order_.data() : nullptr);
  const double row_flops = 3 * network_.flops_per_row();
  for (Index first = 0; first < rows && epoch.finite && !epoch.stop;) {
    const Index end = first + team_size.rows_ahead(rows - first);
    Threads threads = plan.batch_threads;
    threads.count = team_size.threads();
    Stint stint(row_flops * static_cast<double>(end - first), threads, true);
    const Clock::time_point start = Clock::now();
    const Index reached = run_steps(data, {first, end}, plan.batch, stint.threads(), poll, epoch);
    stint.did(row_flops * static_cast<double>(reached - first), epoch.team_size);
    if (epoch.team_size == threads.count && reached == end)
      team_size.took(end - first, seconds_since(start));
    first = reached;
  }
}

/// The steps on these rows of the epoch's order, which begin with a multiple of the batch. Returns
/// the row that they came to: fewer where another team is to go on.
template <class T>
Index Trainer<T>::run_steps(const DataView& data, Range rows, Index batch_size, Threads threads,
                            Poll& poll, Epoch& epoch) {
  Schedule<T>& schedule = *schedule_;
  schedule.prepare(threads.count);
  Balances& balances = balances_of(batch_size, threads.count);
  epoch.last = std::numeric_limits<Index>::max();
  Index reached = rows.end;
  const Index before = progress_.steps + epoch.batches;
  auto body = [&](const Team& team) noexcept {
    const bool leads = team.rank() == 0;
    const bool balanced = team.size() == balances.first.threads();
    if (leads) {
      epoch.team_size = team.size();
      epoch.fewest_threads = std::min(epoch.fewest_threads, team.size());
    }
    schedule.begin(team, update_);
    Index number = before;
    for (Index first = rows.begin; first < rows.end; first += batch_size) {
      const Batch batch = make_batch(data, first, batch_size);
      const double weight_sum = weight_of(batch, first, batch_size);
      if (!(weight_sum > 0.0)) continue;  // as if its rows were not there
      Step step = make_step(batch, weight_sum, ++number);
      if (sharing_) step.shards = sharing_->epoch.shards(first / batch_size);
      const Index rows_of_all = sharing_ ? min_index(batch_size, rows.end - first) : batch.rows;
      const bool full = rows_of_all == batch_size;  // rows of a short batch cost more
      Turn forth(balances.first, team);
      if (!schedule.first_phase(step, forth, team, poll)) {
        epoch.finite = false;
        epoch.end = number;
      }
      if (leads && poll.after(network_.flops_per_row() * static_cast<double>(batch.rows))) {
        epoch.stop = true;
        epoch.end = number;
      }
      if (leads && team.is_outdated()) {
        epoch.last = number;
        reached = min_index(first + batch_size, rows.end);
      }
      team.barrier();
      double loss = 0.0;
      if (sharing_) {
        if (leads && !agree(step, epoch, loss)) epoch.end = number;
        team.barrier();
      }
      if (epoch.end <= number) {
        if (leads) reached = first;
        return;
      }
      if (leads) {
        if (full && balanced) balances.first.adjust();
        if (!sharing_) loss = schedule.loss(step);
      }
      if (!update_.is_whole()) {
        Turn back(balances.second, team);
        schedule.second_phase(step, update_, back, team);
      } else if (!update_.whole(schedule, step, team, poll, epoch.given_up)) {
        if (leads) {
          epoch.stop = true;
          reached = first;
        }
        return;
      }
      if (!schedule.replicates()) team.barrier();
      if (leads) {
        if (full && balanced) balances.second.adjust();
        loss *= settings_.loss_scale;
        epoch.add(update_.with_penalties(loss), rows_of_all);
      }
      if (epoch.last <= number) return;
    }
  };
  parallel(threads, body);
  return reached;
}

template <class T>
typename Trainer<T>::Validation Trainer<T>::validate(const DataView* validation, int threads,
                                                     Poll& poll, Hooks& hooks) {
  if (validation == nullptr) return {};
  const TableView* weight = validation->weight ? &validation->weight : nullptr;
  const bool scores = settings_.monitor == Monitor::kAccuracy || settings_.monitor == Monitor::kR2;
  T* outputs = scores ? val_outputs_.data() : nullptr;
  Validation result;
  // Logits tell sides and the largest apart where outputs have rounded to the same.
  const bool logits = settings_.monitor == Monitor::kAccuracy;
  evaluate(network_, validation->x, validation->t, weight, settings_.loss, threads, poll,
           result.loss, logits ? Give::kLogits : Give::kOutputs, outputs);
  result.loss *= settings_.loss_scale;
  if (poll.stopped() && !sharing_) return result;  // the others are scoring
  switch (settings_.monitor) {
    case Monitor::kHook:
      result.score = hooks.score();
      break;
    case Monitor::kAccuracy:
      result.score = accuracy_of(network_, settings_.loss, outputs, validation->t, weight);
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
