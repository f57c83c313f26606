#include "nn/layer.h"

#include <algorithm>
#include <cmath>

namespace fastmlp {

namespace {

template <class Enum>
std::size_t at(Enum value) {
  return static_cast<std::size_t>(value);
}

/// The dropout on layer `index`'s input, from x to y (forward) or on a gradient (backward). At test
/// time there is no mask: classic dropout scales, inverted dropout does nothing.
template <class T>
void apply_dropout(const Network<T>& network, Index index, Range rows, const Columns& columns,
                   const MaskKey* masks, const T* x, Index ldx, T* y, Index ldy) {
  const DenseLayer& layer = network.layers()[at(index)];
  DropoutArgs<T> args{};
  args.x = x + rows.begin * ldx + columns.begin;
  args.ldx = ldx;
  args.y = y + rows.begin * ldy + columns.begin;
  args.ldy = ldy;
  args.rows = rows.size();
  args.col_begin = columns.begin;
  args.cols = columns.end - columns.begin;
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

/// Whether dropout does anything to the layer's input.
bool drops_here(const DenseLayer& layer, const MaskKey* masks) {
  return masks ? layer.drops() : layer.scales_at_test_time();
}

/// The values that a layer's input is made of.
template <class T>
struct Source {
  const T* values;
  Index ld;
};
template <class T>
Source<T> input_below(const Workspace<T>& ws, Index index) {
  if (index == 0) return {ws.x, ws.ldx};
  return {ws.layer(index - 1).y, ws.layer(index - 1).ldy};
}

/// The normalisation of some rows of a layer's input, to y, or back from a gradient y.
template <class T>
NormArgs<T> norm_args(const Workspace<T>& ws, Index index, Range rows, const DenseLayer& layer,
                      T* y, Index ldy) {
  const Source<T> below = input_below(ws, index);
  return {below.values + rows.begin * below.ld,
          below.ld,
          y + rows.begin * ldy,
          ldy,
          rows.size(),
          layer.shape.in,
          static_cast<T>(layer.spec.norm_epsilon)};
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

/// Calls visit(part, its columns) for the parts of a layer that reach into `columns`.
template <class Visit>
void for_each_part(const DenseLayer& layer, const Columns& columns, Visit visit) {
  Index begin = 0;
  for (const ActivationPart& part : layer.spec.parts) {
    const Index end = begin + part.units;
    const Index from = begin > columns.begin ? begin : columns.begin;
    const Index to = min_index(end, columns.end);
    if (from < to) visit(part, Columns{from, to, to == layer.shape.out});
    begin = end;
  }
}

/// dz *= the slope of the layer's activation.
template <class T>
void slope_layer(const Network<T>& network, const DenseLayer& layer, const LayerBuffers<T>& buffers,
                 Range rows, const Columns& columns) {
  const Index offset = rows.begin * buffers.ldy;
  for_each_part(layer, columns, [&](const ActivationPart& part, const Columns& its) {
    network.kernels().slope[at(part.activation)](
        {kept_for(buffers, part.activation) + offset, buffers.ldy, buffers.dz + offset, buffers.ldy,
         rows.size(), its, parameter_of(network, layer, part)});
  });
}

/// dx = dz w^T for some columns of the first layer's input.
template <class T>
void multiply_back(const Network<T>& network, const Workspace<T>& ws, Range rows,
                   const Columns& columns, T* dx, Index lddx, int rank) {
  const DenseLayer& layer = network.layers().front();
  const LayerBuffers<T>& buffers = ws.layer(0);
  network.kernels().backward_input[at(Activation::identity)]({buffers.dz + rows.begin * buffers.ldy,
                                                              buffers.ldy,
                                                              network.params() + layer.offset,
                                                              dx,
                                                              lddx,
                                                              dx,
                                                              lddx,
                                                              ws.scratch(rank),
                                                              rows.size(),
                                                              layer.shape,
                                                              {},
                                                              columns});
}

template <class T>
EncoderTrace<T> trace_from(const Workspace<T>& ws, Index row) {
  EncoderTrace<T> trace = ws.trace;
  if (trace.turns) trace.turns += row * trace.ldturns;
  if (trace.plain) trace.plain += row * trace.ldplain;
  return trace;
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

}  // namespace

template <class T>
LossPlan plan_loss(const Network<T>& network, const LossChoice& choice) {
  const DenseLayer& last = network.layers().back();
  const bool meets = !last.mixes() && row_of(choice.loss).link == last.activation();
  return {choice, meets && choice.own == nullptr};
}

template <class T>
bool read_in_place(const Network<T>& network, Workspace<T>& ws, const TableView& x, Index first) {
  LayerBuffers<T>& input = ws.layer(0);
  if (input.changed || network.encoder()) return false;
  const PanelShape& shape = network.layers().front().shape;
  const bool reads_padding = shape.narrow && shape.in < padded_in(shape);
  const T* rows = reads_padding ? nullptr : in_place<T>(x);
  input.ldx = rows ? x.row_stride / static_cast<Index>(sizeof(T)) : ws.ldx;
  input.x = rows ? rows + first * input.ldx : ws.x;
  return rows != nullptr;
}

template <class T>
void gather_inputs(const Network<T>& network, Workspace<T>& ws, const TableView& x,
                   const Index* order, Index first, Range rows) {
  T* to = ws.x + rows.begin * ws.ldx;
  const Encoder<T>* encoder = network.encoder();
  if (encoder == nullptr) return gather_rows(x, order, first, rows.size(), to, ws.ldx);
  T* raw = ws.raw + rows.begin * ws.ldraw;
  gather_rows(x, order, first, rows.size(), raw, ws.ldraw);
  encoder->encode(network.kernels(), raw, ws.ldraw, rows.size(), network.encoding_params(),
                  trace_from(ws, rows.begin), to, ws.ldx);
}

template <class T>
void gather_batch(const Network<T>& network, Workspace<T>& ws, const Batch& batch,
                  double weight_sum, const LossPlan& plan, Range rows) {
  const Index ldt = ws.output().ldy;
  const Index first = batch.first + rows.begin;
  if (batch.x) gather_inputs(network, ws, *batch.x, batch.order, first, rows);
  gather_rows(*batch.t, batch.order, first, rows.size(), ws.t + rows.begin * ldt, ldt);
  smooth_labels(plan.choice, ws.t + rows.begin * ldt, ldt, rows.size(), batch.t->width());
  // In double precision: the sum may be far beyond what a weight of this type can be.
  const double scale = 1.0 / weight_sum;
  for_each_weight(batch, rows, [&](Index r, double weight) {
    ws.row_weight[r] = static_cast<T>(weight * scale);
  });
}

template <class T>
void change_input(const Network<T>& network, Workspace<T>& ws, Index index, Range rows,
                  const Columns& columns, const MaskKey* masks) {
  LayerBuffers<T>& buffers = ws.layer(index);
  if (buffers.changed == nullptr) return;
  const DenseLayer& layer = network.layers()[at(index)];
  const Source<T> below = input_below(ws, index);
  if (!layer.normalizes()) {
    return apply_dropout(network, index, rows, columns, masks, below.values, below.ld,
                         buffers.changed, buffers.ldchanged);
  }
  network.kernels().normalize(
      norm_args(ws, index, rows, layer, buffers.changed, buffers.ldchanged));
  if (drops_here(layer, masks)) {
    apply_dropout(network, index, rows, columns, masks, buffers.changed, buffers.ldchanged,
                  buffers.changed, buffers.ldchanged);
  }
}

template <class T>
void forward_layer(const Network<T>& network, const Workspace<T>& ws, Index index, Range rows,
                   const Columns& columns, bool logits) {
  const Kernels<T>& kernels = network.kernels();
  const DenseLayer& layer = network.layers()[at(index)];
  const LayerBuffers<T>& buffers = ws.layer(index);
  const Index offset = rows.begin * buffers.ldy;
  T* z = buffers.z ? buffers.z + offset : nullptr;
  T* y = buffers.y + offset;
  const bool mixes = layer.mixes() && !logits;
  const Activation activation = mixes || logits ? Activation::identity : layer.activation();
  kernels.forward[at(activation)](
      {buffers.x + rows.begin * buffers.ldx, buffers.ldx, network.params() + layer.offset,
       mixes ? nullptr : z, mixes && z ? z : y, buffers.ldy, rows.size(), layer.shape,
       parameter_of(network, layer, layer.spec.parts.front()), columns});
  if (!mixes) return;
  for_each_part(layer, columns, [&](const ActivationPart& part, const Columns& its) {
    kernels.activation[at(part.activation)](
        {z ? z : y, y, buffers.ldy, rows.size(), its, parameter_of(network, layer, part)});
  });
}

template <class T>
void activate_rows(const Network<T>& network, const Workspace<T>& ws, Index index, Range rows) {
  const DenseLayer& layer = network.layers()[at(index)];
  const LayerBuffers<T>& buffers = ws.layer(index);
  T* y = buffers.y + rows.begin * buffers.ldy;
  network.kernels().activation[at(layer.activation())](
      {y, y, buffers.ldy, rows.size(), whole_row(layer.shape.out),
       parameter_of(network, layer, layer.spec.parts.front())});
}

/// The caller's own loss of the rows, weighed.
template <class T>
void own_loss(const Network<T>& network, const Workspace<T>& ws, OwnLoss& loss, Range rows) {
  const LayerBuffers<T>& out = ws.output();
  const Index offset = rows.begin * out.ldy;
  T* row_loss = ws.row_loss + rows.begin;
  T* dy = out.dz + offset;
  loss.take(LossRows<T>{out.y + offset, ws.t + offset, row_loss, dy, out.ldy, rows.size(),
                        network.n_outputs()});
  for (Index r = 0; r < rows.size(); ++r) {
    const T weight = ws.row_weight[rows.begin + r];
    T* row = dy + r * out.ldy;
    const bool counts = weight != T{0};  // NaN of a row that doesn't is none of ours
    row_loss[r] = counts ? row_loss[r] * weight : T{0};
    for (Index c = 0; c < network.n_outputs(); ++c) row[c] = counts ? row[c] * weight : T{0};
    std::fill(row + network.n_outputs(), row + out.ldy, T{0});
  }
}

template <class T>
void output_loss(const Network<T>& network, const Workspace<T>& ws, const LossPlan& plan,
                 Range rows) {
  if (plan.choice.own) return own_loss(network, ws, *plan.choice.own, rows);
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
                         static_cast<T>(plan.choice.parameter),
                         plan.choice.parameters,
                         plan.choice.skips_missing};
  const auto& kernel = plan.on_logits ? kernels.loss_on_logits : kernels.loss_on_output;
  kernel[at(plan.choice.loss)](args);
}

template <class T>
void slope_output(const Network<T>& network, const Workspace<T>& ws, const LossPlan& plan,
                  Range rows) {
  if (plan.on_logits) return;
  const LayerBuffers<T>& out = ws.output();
  slope_layer(network, network.layers().back(), out, rows, whole_row(network.n_outputs()));
}

template <class T>
void backward_layer(const Network<T>& network, const Workspace<T>& ws, Index index, Range rows,
                    const Columns& columns, const MaskKey* masks, int rank) {
  const DenseLayer& layer = network.layers()[at(index)];
  const LayerBuffers<T>& buffers = ws.layer(index);
  const DenseLayer& layer_below = network.layers()[at(index - 1)];
  const LayerBuffers<T>& below = ws.layer(index - 1);
  const bool drops = buffers.changed && drops_here(layer, masks);
  // Where the slope is more than a factor of each number, the mask has to come first.
  const bool is_factor = !is_row_wise(layer_below.activation()) && layer_below.learned_size == 0;
  const bool apart = layer_below.mixes() || layer.normalizes() || (drops && !is_factor);
  const Activation activation = apart ? Activation::identity : layer_below.activation();
  const Index offset = rows.begin * below.ldy;
  network.kernels().backward_input[at(activation)](
      {buffers.dz + rows.begin * buffers.ldy, buffers.ldy, network.params() + layer.offset,
       kept_for(below, activation) + offset, below.ldy, below.dz + offset, below.ldy,
       ws.scratch(rank), rows.size(), layer.shape,
       parameter_of(network, layer_below, layer_below.spec.parts.front()), columns});
  if (drops) {
    apply_dropout(network, index, rows, columns, masks, below.dz, below.ldy, below.dz, below.ldy);
  }
  if (layer.normalizes()) {
    network.kernels().normalize_slope(norm_args(ws, index, rows, layer, below.dz, below.ldy));
  }
  if (apart) slope_layer(network, layer_below, below, rows, columns);
}

template <class T>
void begin_backward(const Network<T>& network, const Workspace<T>& ws, Index output, Range rows) {
  const LayerBuffers<T>& out = ws.output();
  for (Index r = rows.begin; r < rows.end; ++r) {
    T* row = out.dz + r * out.ldy;
    std::fill_n(row, out.ldy, T{0});
    row[output] = T{1};
  }
  slope_layer(network, network.layers().back(), out, rows, whole_row(network.n_outputs()));
}

template <class T>
void backward_input(const Network<T>& network, const Workspace<T>& ws, Range rows) {
  const DenseLayer& layer = network.layers().front();
  const Columns columns = whole_row(layer.shape.in);
  multiply_back(network, ws, rows, columns, ws.dinput + rows.begin * ws.lddinput, ws.lddinput, 0);
  if (drops_here(layer, nullptr)) {
    apply_dropout(network, 0, rows, columns, nullptr, ws.dinput, ws.lddinput, ws.dinput,
                  ws.lddinput);
  }
  if (layer.normalizes()) {
    network.kernels().normalize_slope(norm_args(ws, 0, rows, layer, ws.dinput, ws.lddinput));
  }
}

template <class T>
void backward_encoder(const Network<T>& network, Workspace<T>& ws, Range rows, const MaskKey* masks,
                      int rank) {
  const Encoder<T>& encoder = *network.encoder();
  const DenseLayer& layer = network.layers().front();
  const LayerBuffers<T>& buffers = ws.layer(0);
  const Index end = min_index(round_up(encoder.wanted_inputs(), layer.shape.width), layer.shape.in);
  const Columns columns{0, end, end == layer.shape.in};
  T* dx = ws.dencoding + encoder.gradient_place();
  multiply_back(network, ws, rows, columns, dx + rows.begin * ws.lddencoding, ws.lddencoding, rank);
  if (buffers.changed) {
    apply_dropout(network, 0, rows, columns, masks, dx, ws.lddencoding, dx, ws.lddencoding);
  }
  encoder.differentiate(network.kernels(), ws.raw + rows.begin * ws.ldraw, ws.ldraw, rows.size(),
                        network.encoding_params(), trace_from(ws, rows.begin),
                        ws.dencoding + rows.begin * ws.lddencoding, ws.lddencoding);
}

#define FASTMLP_INSTANTIATE(T)                                                                     \
  template LossPlan plan_loss<T>(const Network<T>&, const LossChoice&);                            \
  template bool read_in_place<T>(const Network<T>&, Workspace<T>&, const TableView&, Index);       \
  template void gather_inputs<T>(const Network<T>&, Workspace<T>&, const TableView&, const Index*, \
                                 Index, Range);                                                    \
  template void gather_batch<T>(const Network<T>&, Workspace<T>&, const Batch&, double,            \
                                const LossPlan&, Range);                                           \
  template void begin_backward<T>(const Network<T>&, const Workspace<T>&, Index, Range);           \
  template void backward_input<T>(const Network<T>&, const Workspace<T>&, Range);                  \
  template void backward_encoder<T>(const Network<T>&, Workspace<T>&, Range, const MaskKey*, int); \
  template void change_input<T>(const Network<T>&, Workspace<T>&, Index, Range, const Columns&,    \
                                const MaskKey*);                                                   \
  template void forward_layer<T>(const Network<T>&, const Workspace<T>&, Index, Range,             \
                                 const Columns&, bool);                                            \
  template void activate_rows<T>(const Network<T>&, const Workspace<T>&, Index, Range);            \
  template void output_loss<T>(const Network<T>&, const Workspace<T>&, const LossPlan&, Range);    \
  template void slope_output<T>(const Network<T>&, const Workspace<T>&, const LossPlan&, Range);   \
  template void backward_layer<T>(const Network<T>&, const Workspace<T>&, Index, Range,            \
                                  const Columns&, const MaskKey*, int);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
