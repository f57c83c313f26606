// Element-wise operations with NumPy's broadcasting. An operation states `value` and the slope by
// each input; here are the loops. The gradient by an input that was stretched is the sum over the
// rows, the columns or both along which it was.
#pragma once

#include "graph/module.h"

// Tells GCC that no step of the loop reads what another wrote; Clang checks that for itself.
#if defined(__clang__)
#define FASTMLP_INDEPENDENT_STEPS
#else
#define FASTMLP_INDEPENDENT_STEPS _Pragma("GCC ivdep")
#endif

namespace fastmlp::graph {

/// One input as if it had the result's shape: strides are 0 along stretched axes.
template <class T>
struct Operand {
  const T* data;
  Index row_stride;
  Index col_stride;

  Operand(const View<T>& input, const Shape& to)
      : data(input.data),
        row_stride(input.rows == to.rows ? input.ld : 0),
        col_stride(input.cols == to.cols ? 1 : 0) {}
  const T* row(Index r) const { return data + r * row_stride; }
};

/// Calls f(c, x of c, y of c) for the columns, with strides that the compiler knows.
template <Index XStride, Index YStride, class T, class F>
void each_column(const T* x, const T* y, Range columns, F f) {
  FASTMLP_INDEPENDENT_STEPS
  for (Index c = columns.begin; c < columns.end; ++c) {
    f(c, x[c * XStride], y[c * YStride]);
  }
}

template <class T, class F>
void each_column(const Operand<T>& x, const Operand<T>& y, Index row, Range columns, F f) {
  if (x.col_stride == 1 && y.col_stride == 1) {
    each_column<1, 1>(x.row(row), y.row(row), columns, f);
  } else if (x.col_stride == 1) {
    each_column<1, 0>(x.row(row), y.row(row), columns, f);
  } else if (y.col_stride == 1) {
    each_column<0, 1>(x.row(row), y.row(row), columns, f);
  } else {
    each_column<0, 0>(x.row(row), y.row(row), columns, f);
  }
}

/// The sum of n numbers, in eight chains of double precision.
template <class T>
double sum_of(const T* x, Index n) {
  double chain[8] = {};
  Index i = 0;
  for (; i + 8 <= n; i += 8) {
    for (Index k = 0; k < 8; ++k) chain[k] += static_cast<double>(x[i + k]);
  }
  for (; i < n; ++i) chain[0] += static_cast<double>(x[i]);
  return ((chain[0] + chain[1]) + (chain[2] + chain[3])) +
         ((chain[4] + chain[5]) + (chain[6] + chain[7]));
}

/// Self has `value` and, with one input, `slope`(x, value); with two, `slope_x` and
/// `slope_y`(x, y, value).
template <class Self, int Arity>
struct Elementwise {
  template <class T>
  static Shape shape(const Node<T>& node) {
    const Shape& x = node.input(0).shape;
    const Shape& y = node.input(Arity - 1).shape;
    const bool rows_fit = x.rows == y.rows || x.rows == 1 || y.rows == 1;
    const bool cols_fit = x.cols == y.cols || x.cols == 1 || y.cols == 1;
    if (!rows_fit || !cols_fit) reject(node, "the shapes can't be broadcast together");
    return {x.ndim > y.ndim ? x.ndim : y.ndim, x.rows > y.rows ? x.rows : y.rows,
            x.cols > y.cols ? x.cols : y.cols};
  }

  template <class T>
  static Work plan(Node<T>& node) {
    return {kFlopsPerElement * node.shape.size(), node.shape.cols};
  }

  template <class T>
  static void forward(Node<T>& node, const Worker<T>& worker) {
    const Operand<T> x(node.input(0).value.view(), node.shape);
    const Operand<T> y(node.input(Arity - 1).value.view(), node.shape);
    const Range rows = worker.share_of(node.shape.rows);
    for (Index r = rows.begin; r < rows.end; ++r) {
      T* to = node.value.view().row(r);
      each_column(x, y, r, {0, node.shape.cols}, [to](Index c, T a, T b) {
        if constexpr (Arity == 1) {
          to[c] = Self::value(a);
        } else {
          to[c] = Self::value(a, b);
        }
      });
    }
  }

  template <class T>
  static void backward(Node<T>& node, Index input, const View<T>& dx, const Worker<T>& worker) {
    if (Arity == 1 || input == 0) {
      backward_by<0>(node, dx, worker);
    } else {
      backward_by<1>(node, dx, worker);
    }
  }

 private:
  /// to[c] = gradient by the value * slope by one input, as if it had the result's shape.
  template <int Input, class T>
  static void chain_rule(const Node<T>& node, Index row, Range columns, T* to) {
    const Operand<T> x(node.input(0).value.view(), node.shape);
    const Operand<T> y(node.input(Arity - 1).value.view(), node.shape);
    const T* value = node.value.view().row(row);
    const T* dy = node.grad.view().row(row);
    each_column(x, y, row, columns, [=](Index c, T a, T b) {
      if constexpr (Arity == 1) {
        to[c] = dy[c] * Self::slope(a, value[c]);
      } else if constexpr (Input == 0) {
        to[c] = dy[c] * Self::slope_x(a, b, value[c]);
      } else {
        to[c] = dy[c] * Self::slope_y(a, b, value[c]);
      }
    });
  }

  template <int Input, class T>
  static void backward_by(const Node<T>& node, const View<T>& dx, const Worker<T>& worker) {
    const Index rows = node.shape.rows;
    const Index cols = node.shape.cols;
    const bool over_rows = dx.rows < rows;
    const bool over_cols = dx.cols < cols;
    if (over_rows && !over_cols) {
      const Range mine = worker.share_of(cols, 16);
      for (Index c = mine.begin; c < mine.end; ++c) dx.data[c] = T{0};
      for (Index r = 0; r < rows; ++r) {
        chain_rule<Input>(node, r, mine, worker.scratch);
        for (Index c = mine.begin; c < mine.end; ++c) dx.data[c] += worker.scratch[c];
      }
      return;
    }
    // One number has one order of summation, so one thread makes it.
    const Range mine =
        over_rows ? Range{0, worker.team.rank() == 0 ? rows : 0} : worker.share_of(rows);
    double total = 0.0;
    for (Index r = mine.begin; r < mine.end; ++r) {
      T* to = over_cols ? worker.scratch : dx.row(r);
      chain_rule<Input>(node, r, {0, cols}, to);
      if (!over_cols) continue;
      const double sum = sum_of(worker.scratch, cols);
      if (over_rows) {
        total += sum;
      } else {
        *dx.row(r) = static_cast<T>(sum);
      }
    }
    if (over_rows && worker.team.rank() == 0) *dx.data = static_cast<T>(total);
  }
};

}  // namespace fastmlp::graph
