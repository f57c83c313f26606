#include "nn/inference.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>

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
template <class T, class Out>
void unpad(const T* from, Index ld, Index rows, Index cols, Out* to) {
  if (cols == 1) {  // for which calls of memcpy took 3 % of a prediction of 8-32-32-1
    for (Index r = 0; r < rows; ++r) to[r] = static_cast<Out>(from[r * ld]);
    return;
  }
  for (Index r = 0; r < rows; ++r) {
    if constexpr (std::is_same_v<T, Out>) {
      std::memcpy(to + r * cols, from + r * ld, sizeof(T) * static_cast<std::size_t>(cols));
    } else {
      for (Index c = 0; c < cols; ++c) to[r * cols + c] = static_cast<Out>(from[r * ld + c]);
    }
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

/// Rows per block of a network with so many operations a row: as many as pass between two questions
/// whether to stop.
inline Index block_rows(double row_flops) {
  const double most = kFlopsBetweenPolls / row_flops;
  return most < static_cast<double>(kBlockRows)
             ? std::max(kMaskRows, round_down(static_cast<Index>(most), kMaskRows))
             : kBlockRows;
}

/// Calls visit(workspace, first row, rows) behind a forward pass of each block of rows, on up to
/// `threads` threads; it returns false where what it finds is not finite. With `logits` the last
/// activation is left out.
template <class T, class Visit>
Outcome forward_blocks(const Network<T>& network, const TableView& x, Pass pass,
                       const MaskKey* masks, bool logits, int threads, Poll& poll, Visit visit) {
  std::atomic<Outcome> outcome{Outcome::kDone};
  const auto team_size = static_cast<int>(min_index(threads, ceil_div(x.rows, 16)));
  const Index equal = min_index(x.rows, round_up(ceil_div(x.rows, team_size), kMaskRows));
  const double row_flops = network.flops_per_row();
  const Index block = min_index(equal, block_rows(row_flops));
  const bool several = team_size > 1 && equal > block;
  Pieces pieces(x.rows, kMaskRows, several ? min_index(kFewBlockRows, block) : block, block,
                team_size);
  const auto serve = [&](Workspace<T>& ws, int rank) noexcept {
    Index before = 0;
    for (Range piece = pieces.next(); piece.size() > 0; piece = pieces.next()) {
      if (before > 0 && poll.after(row_flops * static_cast<double>(before), rank)) {
        outcome = Outcome::kStopped;
      }
      if (outcome != Outcome::kDone) return;
      const Index first = piece.begin;
      const Index rows = before = piece.size();
      if (!take_in(network, ws, x, piece)) outcome = Outcome::kInputNotFinite;
      const MaskKey key = masks ? MaskKey{masks->seed, masks->step, first} : MaskKey{};
      forward_rows(network, ws, {0, rows}, masks ? &key : nullptr, logits);
      if (!visit(ws, first, rows) && outcome == Outcome::kDone) {
        outcome = Outcome::kOutputNotFinite;
      }
    }
  };

  if (team_size == 1) {
    Workspace<T> ws(network, pass, block, 1);
    auto body = [&](const Team& team) noexcept { serve(ws, team.rank()); };
    parallel(1, body);
    return outcome;
  }
  std::vector<std::unique_ptr<Workspace<T>>> workspaces;
  for (int i = 0; i < team_size; ++i) {
    workspaces.push_back(std::make_unique<Workspace<T>>(network, pass, block, 1));
  }
  auto body = [&](const Team& team) noexcept {
    serve(*workspaces[static_cast<std::size_t>(team.rank())], team.rank());
  };
  parallel(team_size, body);
  return outcome;
}

/// Whether no number is NaN or infinite: by the bits of the exponents, where GCC can look at
/// several numbers at once.
template <class Out>
bool are_finite(const Out* x, Index n) {
  using Bits = std::conditional_t<sizeof(Out) == 4, std::uint32_t, std::uint64_t>;
  constexpr Bits exponent = sizeof(Out) == 4 ? Bits{0x7F800000u} : Bits(0x7FF0000000000000u);
  Bits found = 0;
  for (Index i = 0; i < n; ++i) {
    Bits bits;
    std::memcpy(&bits, x + i, sizeof(bits));
    found |= (bits & exponent) == exponent ? Bits{1} : Bits{0};
  }
  return found == 0;
}

/// How the output layer ends in a prediction with results of type Out.
template <class T, class Out>
class Finish {
 public:
  Finish(const Network<T>& network, Give give)
      : network_(network),
        give_(give),
        cols_(width_of(network, give)),
        both_(cols_ > network.n_outputs()),
        widens_(!std::is_same_v<T, Out> && give != Give::kLogits && ends_plainly(network)) {}

  Pass pass() const { return widens_ ? Pass::kWiden : Pass::kPredict; }
  /// Whether to leave the last activation to operator().
  bool wants_logits() const { return give_ == Give::kLogits || both_ || widens_; }

  /// Takes what forward_rows() has left of some rows to where it belongs; returns whether it is
  /// finite.
  bool operator()(Workspace<T>& ws, Index first, Index rows, Out* to) const {
    const Index ld = ws.output().ldy;
    to += first * cols_;
    if (both_ || widens_) {
      Out* values = values_of(ws);
      activate(ws.output().y, ld, rows, values);
      unpad(values, ld, rows, cols_, to);
    } else {
      unpad(ws.output().y, ld, rows, cols_, to);
    }
    if (give_ == Give::kProbabilities) {
      constexpr Out least = std::numeric_limits<Out>::min();
      for (Index i = 0; i < rows * cols_; ++i) to[i] = to[i] < least ? least : to[i];
    }
    return are_finite(to, rows * cols_);
  }

 private:
  /// In one activation without a parameter, which is not the identity.
  static bool ends_plainly(const Network<T>& network) {
    const DenseLayer& last = network.layers().back();
    return !last.mixes() && last.activation() != Activation::identity &&
           row_of(last.activation()).parameter.kind == Parameter::kNone;
  }

  /// y = f(z), or f(-z) and f(z).
  void activate(const T* z, Index ld, Index rows, Out* y) const {
    for (Index r = 0; r < rows; ++r) {
      const T* from = z + r * ld;
      Out* row = y + r * ld;
      if (both_) {
        const auto logit = static_cast<Out>(from[0]);
        row[0] = -logit;
        row[1] = logit;
      } else {
        for (Index c = 0; c < cols_; ++c) row[c] = static_cast<Out>(from[c]);
      }
    }
    const auto activation = static_cast<std::size_t>(network_.layers().back().activation());
    kernels().activation[activation]({y, y, ld, rows, whole_row(cols_), {}});
  }

  const Kernels<Out>& kernels() const {
    if constexpr (std::is_same_v<T, Out>) {
      return network_.kernels();
    } else {
      return network_.wide_kernels();
    }
  }
  static Out* values_of(Workspace<T>& ws) {
    if constexpr (std::is_same_v<T, Out>) {
      return ws.output().y;
    } else {
      return ws.wide;
    }
  }

  const Network<T>& network_;
  Give give_;
  Index cols_;
  bool both_;
  bool widens_;
};

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

/// What is wanted of a few rows, by a team that shares columns.
template <class T, class Out>
Outcome predict_few(const Network<T>& network, const TableView& x, Give give, int team_size,
                    Out* to) {
  const Finish<T, Out> finish(network, give);
  Workspace<T> ws(network, finish.pass(), x.rows, 1);
  if (!take_in(network, ws, x, {0, x.rows})) return Outcome::kInputNotFinite;
  const MaskKey* masks = nullptr;
  drop_input(network, ws, 0, {0, x.rows}, whole_row(network.n_features()), masks);
  auto body = [&](const Team& team) noexcept {
    Turn turn(team);
    forward_columns(network, ws, x.rows, masks, finish.wants_logits(), turn, team);
  };
  parallel(team_size, body);
  return finish(ws, 0, x.rows, to) ? Outcome::kDone : Outcome::kOutputNotFinite;
}

}  // namespace

template <class T, class Out>
Outcome predict(const Network<T>& network, const TableView& x, const MaskKey* masks, Give give,
                int threads, Poll& poll, Out* to) {
  const double flops = forward_flops(network, x.rows);
  const CallThreads call(flops, flops, threads);
  const Index params = threads == 0 ? kSharedParams : kSharedParamsOnDemand;
  if (masks == nullptr && x.rows <= kServedRows && network.flat_size() >= params) {
    const auto sharers = static_cast<int>(min_index(call.count(), shared_panels(network)));
    if (sharers > 1) return predict_few(network, x, give, sharers, to);
  }
  const Finish<T, Out> finish(network, give);
  const Pass pass = masks ? Pass::kSample : finish.pass();
  return forward_blocks(
      network, x, pass, masks, finish.wants_logits(), call.count(), poll,
      [&](Workspace<T>& ws, Index first, Index rows) { return finish(ws, first, rows, to); });
}

template <class T>
Outcome inspect(const Network<T>& network, const TableView& x, int threads, Poll& poll,
                T* const* zs, T* const* ys) {
  const double flops = forward_flops(network, x.rows);
  const CallThreads call(flops, flops, threads);
  return forward_blocks(network, x, Pass::kInspect, nullptr, false, call.count(), poll,
                        [&](const Workspace<T>& ws, Index first, Index rows) {
                          for (Index i = 0; i < ws.layer_count(); ++i) {
                            const LayerBuffers<T>& buffers = ws.layer(i);
                            const Index cols =
                                network.layers()[static_cast<std::size_t>(i)].shape.out;
                            unpad(buffers.z, buffers.ldy, rows, cols, zs[i] + first * cols);
                            unpad(buffers.y, buffers.ldy, rows, cols, ys[i] + first * cols);
                          }
                          return true;
                        });
}

template <class T>
Outcome evaluate(const Network<T>& network, const TableView& x, const TableView& t,
                 const TableView* weight, const LossChoice& loss, int threads, Poll& poll,
                 double& mean_loss, Give give, T* to) {
  LossPlan plan = plan_loss(network, loss);
  plan.choice.label_smoothing = 0.0;
  const Batch all{nullptr, &t, nullptr, nullptr, 0, x.rows};
  const double flops = forward_flops(network, x.rows);
  const CallThreads call(flops, flops, threads);
  AlignedBuffer<T> losses(x.rows);
  const auto visit = [&](Workspace<T>& ws, Index first, Index rows) {
    Batch block = all;
    block.first = first;
    block.rows = rows;
    gather_batch(ws, block, 1.0, plan, {0, rows});
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
                                         call.count(), poll, visit);
  // By the order of the rows, and in double precision, where the sum of the weights stays finite.
  const Batch weights{nullptr, nullptr, weight, nullptr, 0, x.rows};
  double sum = 0.0, total = 0.0;
  for_each_weight(weights, {0, x.rows}, [&](Index r, double w) {
    if (w == 0.0) return;
    sum += w * static_cast<double>(losses.data()[r]);
    total += w;
  });
  mean_loss = sum / total;
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
                 share(batch.rows, 1, equal_part(team)), &poll, team.rank());
      team.barrier();
      const Range rows{0, batch.rows};
      const WeightTask* copied = nullptr;
      for_each_task(network, ws, tasks, mine, rows, team.rank(), copied, [&](std::size_t i) {
        const WeightTask& task = tasks[i];
        if (poll.after(2.0 * static_cast<double>(task.cost() * batch.rows), team.rank())) return;
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
  value = sum;
  return poll.stopped() ? Outcome::kStopped : Outcome::kDone;
}

#define FASTMLP_INSTANTIATE_PREDICT(T, Out)                                                        \
  template Outcome predict<T, Out>(const Network<T>&, const TableView&, const MaskKey*, Give, int, \
                                   Poll&, Out*);
#define FASTMLP_INSTANTIATE(T)                                                                    \
  template Outcome inspect<T>(const Network<T>&, const TableView&, int, Poll&, T* const*,         \
                              T* const*);                                                         \
  template Outcome evaluate<T>(const Network<T>&, const TableView&, const TableView&,             \
                               const TableView*, const LossChoice&, int, Poll&, double&, Give,    \
                               T*);                                                               \
  template Outcome loss_and_gradient<T>(const Network<T>&, const TableView&, const TableView&,    \
                                        const TableView*, const LossChoice&, int, Poll&, double&, \
                                        T*);
FASTMLP_INSTANTIATE_PREDICT(float, float)
FASTMLP_INSTANTIATE_PREDICT(float, double)
FASTMLP_INSTANTIATE_PREDICT(double, double)
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE
#undef FASTMLP_INSTANTIATE_PREDICT

}  // namespace fastmlp
