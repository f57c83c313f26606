#include "nn/passes.h"

#include <cmath>

namespace fastmlp {

namespace {

/// Rows that go through all layers together: 256 rows of 256 floats are a quarter of L2, and the
/// transposed panels of backward_input, made once per block, cost a few percent of its products.
constexpr Index kRowBlock = 256;

template <class Enum>
std::size_t at(Enum value) {
  return static_cast<std::size_t>(value);
}

/// The dropout on layer `index`'s input, from x to y (forward) or on a gradient (backward). At test
/// time there is no mask: classic dropout scales, inverted dropout does nothing.
template <class T>
void apply_dropout(const Network<T>& network, Index index, Range rows, const MaskKey* masks,
                   const T* x, Index ldx, T* y, Index ldy) {
  const DenseLayer& layer = network.layers()[at(index)];
  DropoutArgs<T> args{};
  args.x = x;
  args.ldx = ldx;
  args.y = y;
  args.ldy = ldy;
  args.rows = rows.size();
  args.cols = layer.shape.in;
  if (masks == nullptr) {
    args.scale = layer.scales_at_test_time() ? layer.keep() : 1.0;
    return network.kernels().scale(args);
  }
  args.row_begin = masks->first_row + rows.begin;
  args.threshold = static_cast<std::uint32_t>(std::lround(layer.keep() * 65536.0));
  args.scale = layer.spec.dropout_mode == DropoutMode::kInverted ? 1.0 / layer.keep() : 1.0;
  args.seed = masks->seed;
  args.step = masks->step;
  args.layer = static_cast<std::uint32_t>(index);
  network.kernels().dropout(args);
}

/// Makes layer `index`'s input from what lies below it, where dropout changes it.
template <class T>
void drop_input(const Network<T>& network, Workspace<T>& ws, Index index, Range rows,
                const MaskKey* masks) {
  LayerBuffers<T>& buffers = ws.layer(index);
  if (buffers.dropped == nullptr) return;
  const T* below = index == 0 ? ws.x : ws.layer(index - 1).y;
  const Index ldbelow = index == 0 ? ws.ldx : ws.layer(index - 1).ldy;
  apply_dropout(network, index, rows, masks, below + rows.begin * ldbelow, ldbelow,
                buffers.dropped + rows.begin * buffers.lddropped, buffers.lddropped);
}

template <class T>
ActivationParameter<T> parameter_of(const Network<T>& network, const DenseLayer& layer,
                                    const ActivationPart& part) {
  return {static_cast<T>(part.parameter), network.params() + layer.learned_offset};
}

/// What the slope of an activation is computed from.
template <class T>
T* kept_for(const LayerBuffers<T>& buffers, Activation activation) {
  return row_of(activation).keeps == Keep::kInput ? buffers.z : buffers.y;
}

/// Calls visit(part, its columns) for the parts of a mixed layer.
template <class Visit>
void for_each_part(const DenseLayer& layer, Visit visit) {
  Index begin = 0;
  for (const ActivationPart& part : layer.spec.parts) {
    const Index end = begin + part.units;
    visit(part, Columns{begin, end, end == layer.shape.out});
    begin = end;
  }
}

template <class T>
void forward_layer(const Network<T>& network, const DenseLayer& layer,
                   const LayerBuffers<T>& buffers, Range rows, bool logits) {
  const Kernels<T>& kernels = network.kernels();
  const Index offset = rows.begin * buffers.ldy;
  T* z = buffers.z ? buffers.z + offset : nullptr;
  T* y = buffers.y + offset;
  const bool mixes = layer.mixes() && !logits;
  const Activation activation = mixes || logits ? Activation::identity : layer.activation();
  kernels.forward[at(activation)]({buffers.x + rows.begin * buffers.ldx, buffers.ldx,
                                   network.params() + layer.offset, mixes ? nullptr : z,
                                   mixes && z ? z : y, buffers.ldy, rows.size(), layer.shape,
                                   parameter_of(network, layer, layer.spec.parts.front())});
  if (!mixes) return;
  for_each_part(layer, [&](const ActivationPart& part, const Columns& columns) {
    kernels.activation[at(part.activation)](
        {z ? z : y, y, buffers.ldy, rows.size(), columns, parameter_of(network, layer, part)});
  });
}

/// dz *= the slope of the layer's activation.
template <class T>
void slope_layer(const Network<T>& network, const DenseLayer& layer, const LayerBuffers<T>& buffers,
                 Range rows) {
  const Index offset = rows.begin * buffers.ldy;
  for_each_part(layer, [&](const ActivationPart& part, const Columns& columns) {
    network.kernels().slope[at(part.activation)](
        {kept_for(buffers, part.activation) + offset, buffers.ldy, buffers.dz + offset, buffers.ldy,
         rows.size(), columns, parameter_of(network, layer, part)});
  });
}

template <class T>
void loss_rows(const Network<T>& network, Workspace<T>& ws, LossPlan plan, Range rows) {
  const Kernels<T>& kernels = network.kernels();
  const LayerBuffers<T>& out = ws.output();
  const Index offset = rows.begin * out.ldy;
  const LossArgs<T> args{out.y + offset,
                         out.ldy,
                         ws.t + offset,
                         out.ldy,
                         ws.row_weight + rows.begin,
                         ws.row_loss + rows.begin,
                         out.dz + offset,
                         out.ldy,
                         rows.size(),
                         network.n_outputs(),
                         static_cast<T>(plan.choice.parameter)};
  if (plan.on_logits) {
    kernels.loss_on_logits[at(plan.choice.loss)](args);
  } else {
    kernels.loss_on_output[at(plan.choice.loss)](args);
    slope_layer(network, network.layers().back(), out, rows);
  }
}

template <class T>
void backward_rows(const Network<T>& network, Workspace<T>& ws, Range rows, const MaskKey* masks,
                   int rank) {
  const Kernels<T>& kernels = network.kernels();
  for (Index i = ws.layer_count() - 1; i > 0; --i) {
    const DenseLayer& layer = network.layers()[at(i)];
    const LayerBuffers<T>& buffers = ws.layer(i);
    const DenseLayer& layer_below = network.layers()[at(i - 1)];
    const LayerBuffers<T>& below = ws.layer(i - 1);
    const Activation activation =
        layer_below.mixes() ? Activation::identity : layer_below.activation();
    T* dx = below.dz + rows.begin * below.ldy;
    kernels.backward_input[at(activation)](
        {buffers.dz + rows.begin * buffers.ldy, buffers.ldy, network.params() + layer.offset,
         kept_for(below, activation) + rows.begin * below.ldy, below.ldy, dx, below.ldy,
         ws.scratch(rank), rows.size(), layer.shape,
         parameter_of(network, layer_below, layer_below.spec.parts.front())});
    if (layer_below.mixes()) slope_layer(network, layer_below, below, rows);
    // The slope, already applied, and the mask are both factors of the same number.
    if (buffers.dropped) apply_dropout(network, i, rows, masks, dx, below.ldy, dx, below.ldy);
  }
}

template <class T>
void smooth_labels(const LossChoice& choice, T* t, Index ldt, Index rows, Index cols) {
  if (choice.label_smoothing == 0.0) return;
  const bool exclusive = row_of(row_of(choice.loss).link).keeps == Keep::kRow;
  const T scale = static_cast<T>(1.0 - choice.label_smoothing);
  const T shift =
      static_cast<T>(choice.label_smoothing / (exclusive ? static_cast<double>(cols) : 2.0));
  for (Index r = 0; r < rows; ++r) {
    for (Index c = 0; c < cols; ++c) t[r * ldt + c] = t[r * ldt + c] * scale + shift;
  }
}

template <class T>
void gather_batch(Workspace<T>& ws, const Batch& batch, double weight_sum, const LossPlan& plan,
                  Range rows) {
  const Index ldt = ws.output().ldy;
  const Index first = batch.first + rows.begin;
  gather_rows(*batch.x, batch.order, first, rows.size(), ws.x + rows.begin * ws.ldx, ws.ldx);
  gather_rows(*batch.t, batch.order, first, rows.size(), ws.t + rows.begin * ldt, ldt);
  T* weight = ws.row_weight + rows.begin;
  if (batch.weight) {
    gather_rows(*batch.weight, batch.order, first, rows.size(), weight, 1);
  } else {
    for (Index r = 0; r < rows.size(); ++r) weight[r] = T{1};
  }
  smooth_labels(plan.choice, ws.t + rows.begin * ldt, ldt, rows.size(), batch.t->width());
  // A batch whose weights are all zero has no loss and no gradient.
  const T scale = weight_sum > 0.0 ? static_cast<T>(1.0 / weight_sum) : T{0};
  for (Index r = 0; r < rows.size(); ++r) weight[r] *= scale;
}

}  // namespace

template <class T>
LossPlan plan_loss(const Network<T>& network, const LossChoice& choice) {
  const DenseLayer& last = network.layers().back();
  return {choice, !last.mixes() && row_of(choice.loss).link == last.activation()};
}

template <class T>
Index row_grain(const Network<T>& network) {
  for (const DenseLayer& layer : network.layers()) {
    if (layer.drops()) return 8;
  }
  return 1;
}

template <class T>
void forward_rows(const Network<T>& network, Workspace<T>& ws, Range rows, const MaskKey* masks,
                  bool logits) noexcept {
  for (Index i = 0; i < ws.layer_count(); ++i) {
    drop_input(network, ws, i, rows, masks);
    const bool last = i + 1 == ws.layer_count();
    forward_layer(network, network.layers()[at(i)], ws.layer(i), rows, last && logits);
  }
}

double total_weight(const Batch& batch) noexcept {
  if (batch.weight == nullptr) return static_cast<double>(batch.rows);
  double sum = 0.0;
  for (Index r = 0; r < batch.rows; ++r) {
    double weight;
    gather_rows(*batch.weight, batch.order, batch.first + r, 1, &weight, 1);
    sum += weight;
  }
  return sum;
}

template <class T>
bool train_rows(const Network<T>& network, Workspace<T>& ws, const Batch& batch, double weight_sum,
                LossPlan loss, const MaskKey* masks, Range rows, int rank) noexcept {
  T checked{0};
  for (Index begin = rows.begin; begin < rows.end; begin += kRowBlock) {
    const Range block{begin, min_index(begin + kRowBlock, rows.end)};
    gather_batch(ws, batch, weight_sum, loss, block);
    forward_rows(network, ws, block, masks, loss.on_logits);
    loss_rows(network, ws, loss, block);
    backward_rows(network, ws, block, masks, rank);
    for (Index r = block.begin; r < block.end; ++r) checked += ws.row_loss[r];
  }
  return std::isfinite(checked);
}

template <class T>
std::vector<WeightTask> weight_tasks(const Network<T>& network) {
  // Few large tasks would leave threads idle at the barrier: 12 rows fill every tile as well.
  Index count = 0;
  for (const DenseLayer& layer : network.layers()) {
    count += panel_count(layer.shape) * ceil_div(layer.shape.in, kTaskRows);
  }
  const Index task_rows = count < 48 ? 12 : kTaskRows;

  std::vector<WeightTask> tasks;
  for (std::size_t i = 0; i < network.layers().size(); ++i) {
    const DenseLayer& layer = network.layers()[i];
    // Panels inside, so that the columns of x stay in cache from task to task: the other way round
    // ran at half the speed on 2048 x 2048 weights with panels of 16 columns.
    for (Index row = 0; row < layer.shape.in; row += task_rows) {
      const Index end = min_index(row + task_rows, layer.shape.in);
      const bool last = end == layer.shape.in;
      for (Index p = 0; p < panel_count(layer.shape); ++p) {
        const Index width = panel_width(layer.shape, p);
        tasks.push_back({static_cast<Index>(i), p, row, last ? end + 1 : end,
                         layer.offset + panel_offset(layer.shape, p) + row * width,
                         (end - row) * width, last ? width : 0, false});
      }
    }
    for (Index p = 0; layer.learned_size > 0 && p < panel_count(layer.shape); ++p) {
      tasks.push_back({static_cast<Index>(i), p, layer.shape.in, layer.shape.in + 1,
                       layer.learned_offset + p * layer.shape.width, 0, panel_width(layer.shape, p),
                       true});
    }
  }
  return tasks;
}

Range share_tasks(const std::vector<WeightTask>& tasks, const Team& team) noexcept {
  Index total = 0;
  for (const WeightTask& task : tasks) total += task.cost();
  // A task belongs to the thread whose part of the total its middle falls into.
  const auto first_of = [&](Index rank) {
    Index before = 0;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const Index middle = before + tasks[i].cost() / 2;
      if (middle * team.size() >= total * rank) return static_cast<Index>(i);
      before += tasks[i].cost();
    }
    return static_cast<Index>(tasks.size());
  };
  return {first_of(team.rank()), first_of(team.rank() + 1)};
}

template <class T>
void weight_gradient(const Network<T>& network, const Workspace<T>& ws, const WeightTask& task,
                     Index batch, T* dw) noexcept {
  const DenseLayer& layer = network.layers()[at(task.layer)];
  const LayerBuffers<T>& buffers = ws.layer(task.layer);
  // The gradient of learned parameters is a sum over rows like that of biases, of what the slope
  // left in z.
  const T* dz = task.learned ? buffers.z : buffers.dz;
  network.kernels().backward_weights({buffers.x, buffers.ldx, dz, buffers.ldy, dw, batch,
                                      task.panel, task.row_begin, task.row_end, layer.shape});
}

#define FASTMLP_INSTANTIATE(T)                                                                  \
  template LossPlan plan_loss<T>(const Network<T>&, const LossChoice&);                         \
  template Index row_grain<T>(const Network<T>&);                                               \
  template void forward_rows<T>(const Network<T>&, Workspace<T>&, Range, const MaskKey*,        \
                                bool) noexcept;                                                 \
  template bool train_rows<T>(const Network<T>&, Workspace<T>&, const Batch&, double, LossPlan, \
                              const MaskKey*, Range, int) noexcept;                             \
  template std::vector<WeightTask> weight_tasks<T>(const Network<T>&);                          \
  template void weight_gradient<T>(const Network<T>&, const Workspace<T>&, const WeightTask&,   \
                                   Index, T*) noexcept;
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
