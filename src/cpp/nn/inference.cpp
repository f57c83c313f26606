#include "nn/inference.h"

#include <atomic>
#include <cstring>
#include <memory>

#include "base/balance.h"

namespace fastmlp {

namespace {

/// Rows per block: 192 rows of 256 floats leave half of L2 to the weights. In a
/// prototype on Zen 5, 96 to 192 were best and layer by layer over all rows was 5 to 45 % slower.
constexpr Index kBlockRows = 192;

/// Where threads have several blocks each, these become smaller at the end, down to this, so that
/// threads end together.
constexpr Index kFewBlockRows = 32;

/// With so few rows, a network of so many parameters is read rather than computed: threads share
/// its columns, each of which then is read by one. 784-256-128-10 with one row took 8.8 us instead
/// of 12.5 on two threads of Zen 4 that were awake, 9.7 instead of 10.1 on Emerald Rapids, and
/// 28-5x300-1 16 instead of 20 there; 54-256-256-7, with fewer parameters, would take 6.9 instead
/// of 5.3. Where the caller gives the number of threads they may have to be woken, which takes
/// longer than reading half a megabyte, and is worth it for 4 MB.
constexpr Index kServedRows = 16;
constexpr Index kSharedParams = 1 << 17;
constexpr Index kSharedParamsOnDemand = 1 << 20;

/// Rows that a gradient over all rows takes at a time, so that its memory doesn't grow with them.
constexpr Index kGradientRows = 8192;

/// Copies cols of each row into a matrix without padding.
template <class T>
void unpad(const T* from, Index ld, Index rows, Index cols, T* to) {
  if (cols == 1) {  // for which calls of memcpy took 3 % of a prediction of 8-32-32-1
    for (Index r = 0; r < rows; ++r) to[r] = from[r * ld];
    return;
  }
  for (Index r = 0; r < rows; ++r) {
    std::memcpy(to + r * cols, from + r * ld, sizeof(T) * static_cast<std::size_t>(cols));
  }
}

/// Operations of one forward pass of so many rows.
template <class T>
double forward_flops(const Network<T>& network, Index rows) {
  return network.flops_per_row() * static_cast<double>(rows);
}

/// Lets the first layer read these rows, where they lie or gathered. Returns whether all numbers
/// are finite in the network's type.
template <class T>
bool take_in(const Network<T>& network, Workspace<T>& ws, const TableView& x, Range rows) {
  const bool in_place = read_in_place(network, ws, x, rows.begin);
  if (!in_place) gather_rows(x, nullptr, rows.begin, rows.size(), ws.x, ws.ldx);
  const T* input = in_place ? ws.layer(0).x : ws.x;
  const Index ld_input = in_place ? ws.layer(0).ldx : ws.ldx;
  return network.kernels().all_finite({input, ld_input, rows.size(), network.n_features()});
}

/// Calls visit(workspace, first row, rows) behind a forward pass of each block of rows, on up to
/// `threads` threads. Returns whether all inputs were finite in the network's type.
template <class T, class Visit>
bool forward_blocks(const Network<T>& network, const TableView& x, Pass pass, const MaskKey* masks,
                    int threads, Visit visit) {
  std::atomic<bool> finite{true};
  const auto team_size = static_cast<int>(min_index(threads, ceil_div(x.rows, 16)));
  const Index equal = min_index(x.rows, round_up(ceil_div(x.rows, team_size), kMaskRows));
  const Index block = min_index(equal, kBlockRows);
  const bool several = team_size > 1 && equal > block;
  Pieces pieces(x.rows, kMaskRows, several ? kFewBlockRows : block, block, team_size);
  const auto serve = [&](Workspace<T>& ws) noexcept {
    for (Range piece = pieces.next(); piece.size() > 0 && finite; piece = pieces.next()) {
      const Index first = piece.begin;
      const Index rows = piece.size();
      if (!take_in(network, ws, x, piece)) finite = false;
      const MaskKey key = masks ? MaskKey{masks->seed, masks->step, first} : MaskKey{};
      forward_rows(network, ws, {0, rows}, masks ? &key : nullptr, false);
      visit(ws, first, rows);
    }
  };

  if (team_size == 1) {
    Workspace<T> ws(network, pass, block, 1);
    auto body = [&](const Team&) noexcept { serve(ws); };
    parallel(1, body);
    return finite;
  }
  std::vector<std::unique_ptr<Workspace<T>>> workspaces;
  for (int i = 0; i < team_size; ++i) {
    workspaces.push_back(std::make_unique<Workspace<T>>(network, pass, block, 1));
  }
  auto body = [&](const Team& team) noexcept {
    serve(*workspaces[static_cast<std::size_t>(team.rank())]);
  };
  parallel(team_size, body);
  return finite;
}

/// How many threads find columns in every hidden layer; none where one of them takes whole rows.
template <class T>
Index shared_panels(const Network<T>& network) {
  Index fewest = network.flat_size();
  for (std::size_t i = 0; i + 1 < network.layers().size(); ++i) {
    const DenseLayer& layer = network.layers()[i];
    if (is_row_wise(layer.activation())) return 0;
    fewest = min_index(fewest, panel_count(layer.shape));
  }
  return network.layers().size() > 1 ? fewest : 0;
}

/// The outputs of a few rows, by a team that shares columns.
template <class T>
bool predict_few(const Network<T>& network, const TableView& x, int team_size, T* outputs) {
  Workspace<T> ws(network, Pass::kPredict, x.rows, 1);
  if (!take_in(network, ws, x, {0, x.rows})) return false;
  const MaskKey* masks = nullptr;
  drop_input(network, ws, 0, {0, x.rows}, whole_row(network.n_features()), masks);
  auto body = [&](const Team& team) noexcept {
    Turn turn(team);
    forward_columns(network, ws, x.rows, masks, false, turn, team);
  };
  parallel(team_size, body);
  unpad(ws.output().y, ws.output().ldy, x.rows, network.n_outputs(), outputs);
  return true;
}

}  // namespace

template <class T>
bool predict(const Network<T>& network, const TableView& x, const MaskKey* masks, int threads,
             T* outputs) {
  const Index cols = network.n_outputs();
  const double flops = forward_flops(network, x.rows);
  const CallThreads call(flops, flops, threads);
  const Index params = threads == 0 ? kSharedParams : kSharedParamsOnDemand;
  if (masks == nullptr && x.rows <= kServedRows && network.flat_size() >= params) {
    const auto sharers = static_cast<int>(min_index(call.count(), shared_panels(network)));
    if (sharers > 1) return predict_few(network, x, sharers, outputs);
  }
  return forward_blocks(network, x, masks ? Pass::kSample : Pass::kPredict, masks, call.count(),
                        [&](const Workspace<T>& ws, Index first, Index rows) {
                          unpad(ws.output().y, ws.output().ldy, rows, cols, outputs + first * cols);
                        });
}

template <class T>
void inspect(const Network<T>& network, const TableView& x, int threads, T* const* zs,
             T* const* ys) {
  const double flops = forward_flops(network, x.rows);
  const CallThreads call(flops, flops, threads);
  forward_blocks(network, x, Pass::kInspect, nullptr, call.count(),
                 [&](const Workspace<T>& ws, Index first, Index rows) {
                   for (Index i = 0; i < ws.layer_count(); ++i) {
                     const LayerBuffers<T>& buffers = ws.layer(i);
                     const Index cols = network.layers()[static_cast<std::size_t>(i)].shape.out;
                     unpad(buffers.z, buffers.ldy, rows, cols, zs[i] + first * cols);
                     unpad(buffers.y, buffers.ldy, rows, cols, ys[i] + first * cols);
                   }
                 });
}

template <class T>
double loss_and_gradient(const Network<T>& network, const TableView& x, const TableView& t,
                         const TableView* weight, const LossChoice& loss, int threads,
                         T* gradient) {
  const Batch all{&x, &t, weight, nullptr, 0, x.rows};
  const double weight_sum = total_weight(all);
  const LossPlan plan = plan_loss(network, loss);
  const std::vector<WeightTask> tasks =
      weight_tasks(network, min_index(x.rows, kGradientRows), TaskOrder::kRows);
  const double flops = 3 * forward_flops(network, x.rows);
  const CallThreads call(flops, flops, threads);
  const int team_size = call.count();
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
                 share(batch.rows, 1, equal_part(team)), team.rank());
      team.barrier();
      const Range rows{0, batch.rows};
      const WeightTask* copied = nullptr;
      for_each_task(network, ws, tasks, mine, rows, team.rank(), copied, [&](std::size_t i) {
        const WeightTask& task = tasks[i];
        T* total = gradient + task.at;
        T* dw = first == 0 ? total : ws.scratch(team.rank());
        weight_gradient(network, ws, task, rows, {}, team.rank(), dw);
        for (Index j = 0; first > 0 && j < task.size + task.bias_size; ++j) total[j] += dw[j];
      });
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
  parallel(team_size, body);

  for (const double penalty : penalties) sum += penalty;
  return sum;
}

template <class T>
double mean_loss(const Network<T>& network, const T* outputs, const TableView& t,
                 const TableView* weight, const LossChoice& loss) {
  const Batch batch{nullptr, &t, weight, nullptr, 0, t.rows};
  const double weight_sum = total_weight(batch);
  const Index cols = network.n_outputs();
  Workspace<T> ws(network, Pass::kTrain, min_index(t.rows, kBlockRows), 1);
  const LayerBuffers<T>& out = ws.output();
  double sum = 0.0;
  for (Index first = 0; first < t.rows; first += kBlockRows) {
    const Index rows = min_index(kBlockRows, t.rows - first);
    gather_rows(t, nullptr, first, rows, ws.t, out.ldy);
    for (Index r = 0; r < rows; ++r) {
      std::memcpy(out.y + r * out.ldy, outputs + (first + r) * cols,
                  sizeof(T) * static_cast<std::size_t>(cols));
      ws.row_weight[r] = T{1};
    }
    if (weight) gather_rows(*weight, nullptr, first, rows, ws.row_weight, 1);
    network.kernels().loss_on_output[static_cast<std::size_t>(loss.loss)](
        {out.y, out.ldy, ws.t, out.ldy, ws.row_weight, ws.row_loss, out.dz, out.ldy, rows, cols,
         static_cast<T>(loss.parameter)});
    for (Index r = 0; r < rows; ++r) sum += static_cast<double>(ws.row_loss[r]);
  }
  return sum / weight_sum;
}

#define FASTMLP_INSTANTIATE(T)                                                                  \
  template bool predict<T>(const Network<T>&, const TableView&, const MaskKey*, int, T*);       \
  template void inspect<T>(const Network<T>&, const TableView&, int, T* const*, T* const*);     \
  template double loss_and_gradient<T>(const Network<T>&, const TableView&, const TableView&,   \
                                       const TableView*, const LossChoice&, int, T*);           \
  template double mean_loss<T>(const Network<T>&, const T*, const TableView&, const TableView*, \
                               const LossChoice&);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
