#include "nn/objective.h"

#include <limits>

#include "nn/gradient.h"
#include "nn/predict.h"

namespace fastmlp {

namespace {

/// By the order of the rows, and in double precision, where the sum of the weights stays finite.
template <class T>
double weighted_mean(const T* losses, const TableView* weight, Index rows) {
  const Batch weights{nullptr, nullptr, weight, nullptr, 0, rows};
  double sum = 0.0, total = 0.0;
  for_each_weight(weights, {0, rows}, [&](Index r, double w) {
    if (w == 0.0) return;
    sum += w * static_cast<double>(losses[r]);
    total += w;
  });
  return sum / total;
}

/// The caller's own loss of all rows, taken at once.
template <class T>
void own_losses(const Network<T>& network, OwnLoss& own, const T* outputs, const TableView& t,
                T* losses) {
  const Index cols = network.n_outputs();
  AlignedBuffer<T> targets(checked_mul(t.rows, cols)), gradients(checked_mul(t.rows, cols));
  gather_rows(t, nullptr, 0, t.rows, targets.data(), cols);
  own.take(LossRows<T>{outputs, targets.data(), losses, gradients.data(), cols, t.rows, cols});
}

}  // namespace

template <class T>
Outcome evaluate(const Network<T>& network, const TableView& x, const TableView& t,
                 const TableView* weight, const LossChoice& loss, int threads, Poll& poll,
                 double& mean_loss, Give give, T* to) {
  LossPlan plan = plan_loss(network, loss);
  plan.choice.label_smoothing = 0.0;
  const Batch all{nullptr, &t, nullptr, nullptr, 0, x.rows};
  const double flops = forward_flops(network, x.rows);
  const Call call(flops, flops, threads);
  AlignedBuffer<T> losses(x.rows);
  if (plan.choice.own) {
    AlignedBuffer<T> outputs(to == nullptr ? checked_mul(x.rows, network.n_outputs()) : 0);
    T* all_outputs = to == nullptr ? outputs.data() : to;
    const Outcome outcome =
        predict(network, x, nullptr, Give::kOutputs, threads, poll, all_outputs);
    mean_loss = std::numeric_limits<double>::quiet_NaN();
    if (outcome != Outcome::kDone) return outcome;
    own_losses(network, *plan.choice.own, all_outputs, t, losses.data());
    mean_loss = weighted_mean(losses.data(), weight, x.rows);
    return outcome;
  }
  const auto visit = [&](Workspace<T>& ws, Index first, Index rows) {
    Batch block = all;
    block.first = first;
    block.rows = rows;
    gather_batch(network, ws, block, 1.0, plan, {0, rows});
    output_loss(network, ws, plan, {0, rows});
    std::copy_n(ws.row_loss, rows, losses.data() + first);
    if (to == nullptr) return true;
    if (plan.on_logits && give == Give::kOutputs) {
      activate_rows(network, ws, ws.layer_count() - 1, {0, rows});
    }
    const LayerBuffers<T>& out = ws.output();
    unpad(out.y, out.ldy, rows, network.n_outputs(), to + first * network.n_outputs());
    return true;  // the loss tells whether they are finite
  };
  const Outcome outcome = forward_blocks(network, x, Pass::kEvaluate, nullptr, plan.on_logits,
                                         call.threads().count, poll, visit);
  mean_loss = weighted_mean(losses.data(), weight, x.rows);
  return outcome;
}

template <class T>
Outcome loss_and_gradient(const Network<T>& network, const TableView& x, const TableView& t,
                          const TableView* weight, const LossChoice& loss, int threads, Poll& poll,
                          double& value, T* gradient) {
  const Batch all{&x, &t, weight, nullptr, 0, x.rows};
  const double weight_sum = total_weight(all);
  const LossPlan plan = plan_loss(network, loss);
  const std::vector<WeightTask> tasks =
      weight_tasks(network, min_index(x.rows, kGradientRows), TaskOrder::kRows);
  const double flops = 3 * forward_flops(network, x.rows);
  const Call call(flops, flops, threads);
  const int team_size = call.threads().count;
  Workspace<T> ws(network, Pass::kTrain, min_index(x.rows, kGradientRows), team_size);

  // The whole gradient of the test-time network: classic dropout scales, inverted does nothing.
  std::vector<double> penalties(tasks.size(), 0.0);
  double sum = 0.0;
  auto body = [&](const Team& team) noexcept {
    const Range mine = share_tasks(tasks, all_of(tasks), equal_part(team));
    for (Index first = 0; first < x.rows; first += kGradientRows) {
      Batch batch = all;
      batch.first = first;
      batch.rows = min_index(kGradientRows, x.rows - first);
      train_rows(network, ws, batch, weight_sum, plan, nullptr,
                 share(batch.rows, 1, equal_part(team)), &poll, team.rank());
      team.barrier();
      const Range rows{0, batch.rows};
      const WeightTask* copied = nullptr;
      for (Index i = mine.begin; i < mine.end; ++i) {
        const WeightTask& task = tasks[static_cast<std::size_t>(i)];
        if (poll.after(2.0 * static_cast<double>(task.cost() * batch.rows), team.rank())) break;
        T* total = gradient + task.at;
        T* dw = first == 0 ? total : ws.scratch(team.rank());
        task_gradient(network, ws, task, rows, {}, team.rank(), copied, dw);
        for (Index j = 0; first > 0 && j < task.size + task.bias_size; ++j) total[j] += dw[j];
      }
      if (team.rank() == 0) {
        for (Index r = 0; r < batch.rows; ++r) sum += static_cast<double>(ws.row_loss[r]);
      }
      team.barrier();
    }
    for (Index i = mine.begin; i < mine.end; ++i) {
      const WeightTask& task = tasks[static_cast<std::size_t>(i)];
      const DenseSpec& spec = network.layers()[static_cast<std::size_t>(task.layer)].spec;
      penalties[static_cast<std::size_t>(i)] = network.kernels().add_penalty(
          {network.params() + task.at, gradient + task.at, task.size, spec.l1, spec.l2});
    }
  };
  parallel(call.threads(), body);

  for (const double penalty : penalties) sum += penalty;
  value = sum;
  return poll.stopped() ? Outcome::kStopped : Outcome::kDone;
}

#define FASTMLP_INSTANTIATE(T)                                                                    \
  template Outcome evaluate<T>(const Network<T>&, const TableView&, const TableView&,             \
                               const TableView*, const LossChoice&, int, Poll&, double&, Give,    \
                               T*);                                                               \
  template Outcome loss_and_gradient<T>(const Network<T>&, const TableView&, const TableView&,    \
                                        const TableView*, const LossChoice&, int, Poll&, double&, \
                                        T*);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
