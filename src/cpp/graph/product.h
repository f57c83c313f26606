// Matrix products by the kernels of dense layers. One factor, `left`, is read in rows as it lies;
// the other is packed into panels (kernels/panels.h) whenever it is younger than the panels. That
// costs a few percent of a training step, and lets weights be plain matrices everywhere else: for
// element-wise operations and optimizers too.
//
// A vector on the right is a column, stored as a row. Then the factors change places: x w is
// computed as w x^T, whose result is a row as well, with x packed by columns.
#pragma once

#include <cstring>

#include "graph/module.h"

namespace fastmlp::graph {

/// Which input is which factor, and whether the packed one is transposed on the way.
struct Factors {
  Index left;
  Index packed;
  bool transposed;
};

template <class T>
Factors factors_of(const Node<T>& node) {
  return node.input(1).shape.ndim == 1 ? Factors{1, 0, true} : Factors{0, 1, false};
}

/// Calls visit(panel, number in the panels, first column, columns) for row `row` of every panel.
template <class Visit>
void each_panel_row(const PanelShape& shape, Index row, Visit visit) {
  for (Index p = 0; p < panel_count(shape); ++p) {
    const Index width = panel_width(shape, p);
    const Index first = p * shape.width;
    visit(panel_offset(shape, p) + row * width, first, min_index(width, shape.out - first));
  }
}

/// Copies `count` numbers of row `row` of a factor from column `first` on, or back.
template <class T>
void copy_from(const View<T>& m, bool transposed, Index row, Index first, Index count, T* to) {
  if (!transposed) {
    std::memcpy(to, m.row(row) + first, static_cast<std::size_t>(count) * sizeof(T));
    return;
  }
  for (Index c = 0; c < count; ++c) to[c] = m.row(first + c)[row];
}
template <class T>
void copy_to(const View<T>& m, bool transposed, Index row, Index first, Index count,
             const T* from) {
  if (!transposed) {
    std::memcpy(m.row(row) + first, from, static_cast<std::size_t>(count) * sizeof(T));
    return;
  }
  for (Index c = 0; c < count; ++c) m.row(first + c)[row] = from[c];
}

/// x w, or with a bias x w + b.
template <bool Bias>
struct Product {
  template <class T>
  static Shape shape(const Node<T>& node) {
    const Shape& x = node.input(0).shape;
    const Shape& w = node.input(1).shape;
    if (x.ndim == 0 || w.ndim == 0) reject(node, "a product of matrices takes no scalars; use *");
    if (Bias && w.ndim != 2) reject(node, "w must have shape (inputs, outputs)");
    if (x.cols != (w.ndim == 1 ? w.cols : w.rows)) {
      reject(node, "the columns of the first must be as many as the rows of the second");
    }
    if constexpr (Bias) {
      const Shape& b = node.input(2).shape;
      if (b.ndim != 1 || b.cols != w.cols) {
        reject(node, "b must have shape " + to_string({1, 1, w.cols}));
      }
    }
    // Rows of x and columns of w; an axis that is not there has left no trace.
    const int ndim = x.ndim + w.ndim - 2;
    if (ndim == 2) return {2, x.rows, w.cols};
    return {ndim, 1, x.ndim == 2 ? x.rows : w.ndim == 2 ? w.cols : 1};
  }

  template <class T>
  static Work plan(Node<T>& node) {
    const Factors factors = factors_of(node);
    const Shape& left = node.input(factors.left).shape;
    const Shape& packed = node.input(factors.packed).shape;
    const Index lanes = node.kernels->lanes;
    const PanelShape shape{left.cols, factors.transposed ? packed.rows : packed.cols,
                           node.kernels->panel_vectors * lanes, lanes};
    PanelShape& before = node.panels.shape;
    if (before.in != shape.in || before.out != shape.out) {
      checked_mul(shape.in + 1, round_up(shape.out, lanes));
      node.panels.data = AlignedBuffer<T>(param_size(shape));
      node.panels.stamp = 0;
      before = shape;
    }
    const double flops = 2.0 * left.size() * static_cast<double>(shape.out);
    const Index tile = kTaskRows * shape.width;
    const Index transposed_panel = backward_scratch_size(shape);
    return {flops, transposed_panel > tile ? transposed_panel : tile};
  }

  template <class T>
  static void forward(Node<T>& node, const Worker<T>& worker) {
    const Factors factors = factors_of(node);
    // The pass moves the stamp of the panels when every thread is through.
    if (node.panels.stamp < node.input(factors.packed).stamp ||
        (Bias && node.panels.stamp < node.input(2).stamp)) {
      pack(node, factors, worker);
      worker.team.barrier();
    }
    const View<T>& left = node.input(factors.left).value.view();
    const View<T>& y = node.value.view();
    worker.for_each_piece(left.rows, flops_per_row(node), [&](Range rows) {
      node.kernels->forward[static_cast<std::size_t>(Activation::identity)](
          {left.row(rows.begin),
           left.ld,
           node.panels.data.data(),
           nullptr,
           y.row(rows.begin),
           y.ld,
           rows.size(),
           node.panels.shape,
           {},
           whole_row(node.panels.shape.out)});
    });
  }

  template <class T>
  static void backward(Node<T>& node, Index input, const View<T>& dx, const Worker<T>& worker) {
    const Factors factors = factors_of(node);
    if (input == factors.left) {
      left_gradient(node, dx, worker);
    } else if (input == factors.packed) {
      packed_gradient(node, factors, dx, worker);
    } else {
      bias_gradient(node, dx, worker);
    }
  }

 private:
  template <class T>
  static double flops_per_row(const Node<T>& node) {
    return 2.0 * static_cast<double>(param_size(node.panels.shape));
  }

  template <class T>
  static void pack(Node<T>& node, const Factors& factors, const Worker<T>& worker) {
    const View<T>& from = node.input(factors.packed).value.view();
    const PanelShape& shape = node.panels.shape;
    T* panels = node.panels.data.data();
    const Range rows = worker.share_of(shape.in);
    for (Index r = rows.begin; r < rows.end; ++r) {
      each_panel_row(shape, r, [&](Index at, Index first, Index count) {
        copy_from(from, factors.transposed, r, first, count, panels + at);
      });
    }
    if (!Bias || worker.team.rank() != 0) return;  // without a bias its row stays zero
    each_panel_row(shape, shape.in, [&](Index at, Index first, Index count) {
      copy_from(node.input(2).value.view(), false, 0, first, count, panels + at);
    });
  }

  template <class T>
  static void left_gradient(Node<T>& node, const View<T>& dx, const Worker<T>& worker) {
    const View<T>& dy = node.grad.view();
    worker.for_each_piece(dx.rows, flops_per_row(node), [&](Range rows) {
      T* to = dx.row(rows.begin);
      node.kernels->backward_input[static_cast<std::size_t>(Activation::identity)](
          {dy.row(rows.begin),
           dy.ld,
           node.panels.data.data(),
           to,
           dx.ld,
           to,
           dx.ld,
           worker.scratch,
           rows.size(),
           node.panels.shape,
           {},
           whole_row(node.panels.shape.in)});
    });
  }

  template <class T>
  static void packed_gradient(Node<T>& node, const Factors& factors, const View<T>& dw,
                              const Worker<T>& worker) {
    const View<T>& left = node.input(factors.left).value.view();
    const View<T>& dy = node.grad.view();
    const PanelShape& shape = node.panels.shape;
    const Index task_rows =
        panel_count(shape) * ceil_div(shape.in, kTaskRows) < 16 ? kFewTaskRows : kTaskRows;
    const Index per_panel = ceil_div(shape.in, task_rows);
    const Range tasks = worker.share_of(panel_count(shape) * per_panel);
    for (Index task = tasks.begin; task < tasks.end; ++task) {
      const Index panel = task / per_panel;
      const Index begin = task % per_panel * task_rows;
      const Index end = min_index(begin + task_rows, shape.in);
      node.kernels->backward_weights({left.data + begin,
                                      left.ld,
                                      dy.data,
                                      dy.ld,
                                      worker.scratch,
                                      left.rows,
                                      panel,
                                      begin,
                                      end,
                                      shape,
                                      {}});
      const Index width = panel_width(shape, panel);
      const Index first = panel * shape.width;
      const Index count = min_index(width, shape.out - first);
      for (Index r = begin; r < end; ++r) {
        const T* tile_row = worker.scratch + (r - begin) * width;
        copy_to(dw, factors.transposed, r, first, count, tile_row);
      }
      if (worker.leaves(2.0 * static_cast<double>((end - begin) * width * left.rows))) return;
    }
  }

  /// The kernel's row behind the last one: the column sums of dy.
  template <class T>
  static void bias_gradient(Node<T>& node, const View<T>& db, const Worker<T>& worker) {
    const View<T>& dy = node.grad.view();
    const View<T>& x = node.input(0).value.view();
    const PanelShape& shape = node.panels.shape;
    const Range panels = worker.share_of(panel_count(shape));
    for (Index p = panels.begin; p < panels.end; ++p) {
      node.kernels->backward_weights({x.data,
                                      x.ld,
                                      dy.data,
                                      dy.ld,
                                      worker.scratch,
                                      x.rows,
                                      p,
                                      shape.in,
                                      shape.in + 1,
                                      shape,
                                      {}});
      const Index first = p * shape.width;
      const Index count = min_index(panel_width(shape, p), shape.out - first);
      copy_to(db, false, 0, first, count, worker.scratch);
    }
  }
};

}  // namespace fastmlp::graph
