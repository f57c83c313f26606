#include "nn/gradient.h"

#include <algorithm>

#include "nn/rules.h"

namespace fastmlp {

namespace {

/// The task's rows without that of the biases.
Index weight_rows(const WeightTask& task, const PanelShape& shape) {
  return min_index(task.row_end, shape.in) - task.row_begin;
}

/// Copies the columns of x that belong to a task, and to its neighbours of the same rows, where
/// weight_gradient() reads them from a copy.
template <class T>
void copy_columns(const Network<T>& network, const Workspace<T>& ws, const WeightTask& task,
                  Range rows, int rank) noexcept {
  const PanelShape& shape = network.layers()[static_cast<std::size_t>(task.layer)].shape;
  if (task.learned || task.encoding || !copies_columns(shape, ws.rows())) return;
  const LayerBuffers<T>& buffers = ws.layer(task.layer);
  const T* from = buffers.x + rows.begin * buffers.ldx + task.row_begin;
  T* to = ws.columns(rank);
  const Index count = weight_rows(task, shape);
  for (Index r = 0; r < rows.size(); ++r) {
    std::copy_n(from + r * buffers.ldx, count, to + r * count);
  }
}

/// From the columns that this rank copied last, of the rows `within`.
template <class T>
void weight_gradient(const Network<T>& network, const Workspace<T>& ws, const WeightTask& task,
                     Range rows, Range within, const Ahead<T>& ahead, int rank, T* dw) noexcept {
  if (task.encoding) {
    const T* parts = ws.dencoding + rows.begin * ws.lddencoding;
    return network.kernels().backward_weights({nullptr, 0, parts, ws.lddencoding, dw, rows.size(),
                                               task.panel, task.row_begin, task.row_end,
                                               network.encoding_shape(), ahead});
  }
  const DenseLayer& layer = network.layers()[static_cast<std::size_t>(task.layer)];
  const LayerBuffers<T>& buffers = ws.layer(task.layer);
  // The gradient of learned parameters is a sum over rows like that of biases, of what the slope
  // left in z.
  const T* dz = (task.learned ? buffers.z : buffers.dz) + rows.begin * buffers.ldy;
  const bool copied = copies_columns(layer.shape, ws.rows());
  const Index ldx = copied ? weight_rows(task, layer.shape) : buffers.ldx;
  const T* x = copied ? ws.columns(rank) + (rows.begin - within.begin) * ldx
                      : buffers.x + rows.begin * ldx + task.row_begin;
  network.kernels().backward_weights({x, ldx, dz, buffers.ldy, dw, rows.size(), task.panel,
                                      task.row_begin, task.row_end, layer.shape, ahead});
}

}  // namespace

template <class T>
std::vector<WeightTask> weight_tasks(const Network<T>& network, Index rows, TaskOrder order) {
  const bool many = has_many_tasks(network);
  std::vector<WeightTask> tasks;
  for (std::size_t i = 0; i < network.layers().size(); ++i) {
    const DenseLayer& layer = network.layers()[i];
    const PanelShape& shape = layer.shape;
    const Index rows_at_once = shape.narrow                    ? shape.width
                               : order == TaskOrder::kUnshared ? kMostTaskRows
                               : many                          ? task_rows<T>(shape, rows)
                                                               : kFewTaskRows;
    const auto add = [&](Index panel, Index row) {
      const Index width = panel_width(shape, panel);
      const Index end = min_index(row + rows_at_once, shape.in);
      const bool last = end == shape.in;
      const Index size = shape.narrow ? shape.out * narrow_width(shape, row) : (end - row) * width;
      tasks.push_back({static_cast<Index>(i), panel, row, last ? end + 1 : end,
                       layer.offset + row_offset(shape, panel, row), size, last ? width : 0, false,
                       false, 0});
    };
    if (i == 0 && order == TaskOrder::kFirstLayerPanels && !copies_columns(shape, rows)) {
      for (Index p = 0; p < panel_count(shape); ++p) {
        for (Index row = 0; row < shape.in; row += rows_at_once) add(p, row);
      }
    } else {
      for (Index row = 0; row < shape.in; row += rows_at_once) {
        for (Index p = 0; p < panel_count(shape); ++p) add(p, row);
      }
    }
    for (Index p = 0; layer.learned_size > 0 && p < panel_count(shape); ++p) {
      tasks.push_back({static_cast<Index>(i), p, shape.in, shape.in + 1,
                       layer.learned_offset + p * shape.width, 0, panel_width(shape, p), true,
                       false, 0});
    }
  }
  const PanelShape& encoding = network.encoding_shape();
  for (Index p = 0; network.learns_encoding() && p < panel_count(encoding); ++p) {
    tasks.push_back({0, p, 0, 1, network.encoding_offset() + p * encoding.width, 0,
                     panel_width(encoding, p), false, true, 0});
  }
  Index cost = 0;
  for (WeightTask& task : tasks) {
    task.cost_before = cost;
    cost += task.cost();
  }
  return tasks;
}

Index cost_of(const std::vector<WeightTask>& tasks, Range range) noexcept {
  const auto before = [&](Index i) {
    if (i == 0) return Index{0};
    const WeightTask& last = tasks[static_cast<std::size_t>(i) - 1];
    return last.cost_before + last.cost();
  };
  return before(range.end) - before(range.begin);
}

Range share_tasks(const std::vector<WeightTask>& tasks, Range within, Part part) noexcept {
  const Index before = cost_of(tasks, {0, within.begin});
  const auto total = static_cast<double>(cost_of(tasks, within));
  // A task belongs to the thread into whose part its middle falls.
  const auto first_behind = [&](double cut) {
    const auto first = std::partition_point(
        tasks.begin() + within.begin, tasks.begin() + within.end, [&](const WeightTask& task) {
          return static_cast<double>(task.cost_before - before + task.cost() / 2) < cut * total;
        });
    return first - tasks.begin();
  };
  return {first_behind(part.begin), first_behind(part.end)};
}

template <class T>
void task_gradient(const Network<T>& network, const Workspace<T>& ws, const WeightTask& task,
                   Range rows, Range within, const Ahead<T>& ahead, int rank,
                   const WeightTask*& copied, T* dw) noexcept {
  if (copied == nullptr || !task.has_rows_of(*copied)) {
    copy_columns(network, ws, task, within, rank);
    copied = &task;
  }
  weight_gradient(network, ws, task, rows, within, ahead, rank, dw);
}

#define FASTMLP_INSTANTIATE(T)                                                                     \
  template std::vector<WeightTask> weight_tasks<T>(const Network<T>&, Index, TaskOrder);           \
  template void task_gradient<T>(const Network<T>&, const Workspace<T>&, const WeightTask&, Range, \
                                 Range, const Ahead<T>&, int, const WeightTask*&, T*) noexcept;
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp
