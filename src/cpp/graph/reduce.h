// Sums and means. Every number has one order of summation, whatever the number of threads.
#pragma once

#include "graph/elementwise.h"

namespace fastmlp::graph {

/// Sum or mean over all elements, over rows (NumPy's axis 0 of a matrix) or over columns.
template <bool IsMean>
struct Reduce {
  template <class T>
  static Shape shape(const Node<T>& node) {
    const Shape& x = node.input(0).shape;
    const Axis axis = axis_of(node);
    const Shape kept{x.ndim, axis == Axis::kColumns ? x.rows : 1, axis == Axis::kRows ? x.cols : 1};
    if (node.attributes.keep_dims) return kept;
    if (axis == Axis::kAll) return {};
    return {x.ndim - 1, 1, kept.rows * kept.cols};
  }

  template <class T>
  static Work plan(Node<T>& node) {
    const Shape& x = node.input(0).shape;
    if (node.row_numbers.size() < x.rows) node.row_numbers = AlignedBuffer<T>(x.rows);
    return {kFlopsPerElement * x.size(), 0};
  }

  template <class T>
  static void forward(Node<T>& node, const Worker<T>& worker) {
    const View<T>& x = node.input(0).value.view();
    const T scale = factor(node);
    if (axis_of(node) == Axis::kRows) return sum_rows(x, scale, node.value.view().data, worker);
    const bool all = axis_of(node) == Axis::kAll;
    const Range rows = worker.share_of(x.rows);
    for (Index r = rows.begin; r < rows.end; ++r) {
      const double sum = sum_of(x.row(r), x.cols);
      *(all ? node.row_numbers.data() + r : at(node.value, r)) =
          static_cast<T>(all ? sum : sum * static_cast<double>(scale));
    }
    if (!all) return;
    worker.team.barrier();
    if (worker.team.rank() != 0) return;
    const double sum = sum_of(node.row_numbers.data(), x.rows);
    *node.value.view().data = static_cast<T>(sum * static_cast<double>(scale));
  }

  /// Every element of x has the gradient of the sum it is part of.
  template <class T>
  static void backward(Node<T>& node, Index, const View<T>& dx, const Worker<T>& worker) {
    const Axis axis = axis_of(node);
    const T scale = factor(node);
    const T* dy = node.grad.view().data;
    const Range rows = worker.share_of(dx.rows);
    for (Index r = rows.begin; r < rows.end; ++r) {
      const T of_row = scale * (axis == Axis::kColumns ? *at(node.grad, r) : *dy);
      T* to = dx.row(r);
      if (axis == Axis::kRows) {
        for (Index c = 0; c < dx.cols; ++c) to[c] = scale * dy[c];
      } else {
        for (Index c = 0; c < dx.cols; ++c) to[c] = of_row;
      }
    }
  }

 private:
  /// Throws where x has no such axis. The one axis of a vector are its columns.
  template <class T>
  static Axis axis_of(const Node<T>& node) {
    const int axis = node.attributes.axis;
    const int ndim = node.input(0).shape.ndim;
    if (axis == kAllAxes) return Axis::kAll;
    if (axis < 0 || axis >= ndim) {
      reject(node, "there is no axis " + std::to_string(axis) + " to sum over");
    }
    return axis + 1 == ndim ? Axis::kColumns : Axis::kRows;
  }

  /// The number of row r in a matrix of one column, or in the row that stands for it.
  template <class T>
  static T* at(const Matrix<T>& m, Index r) {
    return m.view().rows == 1 ? m.view().data + r : m.view().row(r);
  }

  template <class T>
  static T factor(const Node<T>& node) {
    return IsMean ? static_cast<T>(node.shape.size() / node.input(0).shape.size()) : T{1};
  }

  template <class T>
  static void sum_rows(const View<T>& x, T scale, T* to, const Worker<T>& worker) {
    const Range columns = worker.share_of(x.cols, 16);
    for (Index c = columns.begin; c < columns.end; ++c) to[c] = T{0};
    for (Index r = 0; r < x.rows; ++r) {
      const T* from = x.row(r);
      for (Index c = columns.begin; c < columns.end; ++c) to[c] += from[c];
    }
    for (Index c = columns.begin; c < columns.end; ++c) to[c] *= scale;
  }
};
struct Sum : Reduce<false> {};
struct Mean : Reduce<true> {};

}  // namespace fastmlp::graph
