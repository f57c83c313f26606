// Activations, dropout and losses: the kernels of nn, each thread on its share of the rows.
#pragma once

#include <cmath>
#include <cstring>

#include "graph/elementwise.h"

namespace fastmlp::graph {

/// What has the shape of its one input, and the cost of an element-wise operation.
struct SameShape {
  template <class T>
  static Shape shape(const Node<T>& node) {
    return node.input(0).shape;
  }
  template <class T>
  static Work plan(Node<T>& node) {
    return {kFlopsPerElement * node.shape.size(), 0};
  }
};

template <class T>
void copy_rows(const View<T>& from, const View<T>& to, Range rows) {
  for (Index r = rows.begin; r < rows.end; ++r) {
    std::memcpy(to.row(r), from.row(r), static_cast<std::size_t>(to.cols) * sizeof(T));
  }
}

struct Activate : SameShape {
  template <class T>
  static void forward(Node<T>& node, const Worker<T>& worker) {
    const View<T>& y = node.value.view();
    const Range rows = worker.share_of(y.rows);
    node.kernels->activation[static_cast<std::size_t>(node.attributes.activation)](
        {node.input(0).value.view().row(rows.begin), y.row(rows.begin), y.ld, rows.size(),
         whole_row(y.cols), parameter_of(node)});
  }

  template <class T>
  static void backward(Node<T>& node, Index, const View<T>& dx, const Worker<T>& worker) {
    const auto kind = static_cast<std::size_t>(node.attributes.activation);
    const bool from_input = kActivations[kind].keeps == Keep::kInput;
    const View<T>& kept = from_input ? node.input(0).value.view() : node.value.view();
    const Range rows = worker.share_of(dx.rows);
    copy_rows(node.grad.view(), dx, rows);
    node.kernels->slope[kind]({kept.row(rows.begin), kept.ld, dx.row(rows.begin), dx.ld,
                               rows.size(), whole_row(dx.cols), parameter_of(node)});
  }

 private:
  template <class T>
  static ActivationParameter<T> parameter_of(const Node<T>& node) {
    return {static_cast<T>(node.attributes.parameter), nullptr};
  }
};

/// Inverted dropout: what is kept grows by 1 / keep, so that without masks nothing is to be done.
/// Backward makes the mask again.
struct Dropout : SameShape {
  template <class T>
  static void forward(Node<T>& node, const Worker<T>& worker) {
    apply(node, node.input(0).value.view(), node.value.view(), worker);
  }
  template <class T>
  static void backward(Node<T>& node, Index, const View<T>& dx, const Worker<T>& worker) {
    apply(node, node.grad.view(), dx, worker);
  }

 private:
  template <class T>
  static void apply(const Node<T>& node, const View<T>& from, const View<T>& to,
                    const Worker<T>& worker) {
    const Range rows = worker.share_of(to.rows, 8);
    if (!node.masked) return copy_rows(from, to, rows);
    const double keep = 1.0 - node.attributes.rate;
    DropoutArgs<T> args{};
    args.x = from.row(rows.begin);
    args.ldx = from.ld;
    args.y = to.row(rows.begin);
    args.ldy = to.ld;
    args.row_begin = rows.begin;
    args.rows = rows.size();
    args.cols = to.cols;
    args.threshold = static_cast<std::uint32_t>(std::lround(keep * 65536.0));
    args.scale = 1.0 / keep;
    args.seed = node.attributes.seed;
    args.step = node.step;
    node.kernels->dropout(args);
  }
};

/// The kernel gives value and gradient at once; forward keeps the gradient for backward.
struct MeanLoss {
  template <class T>
  static Shape shape(const Node<T>& node) {
    const Shape& y = node.input(0).shape;
    if (!(y == node.input(1).shape)) reject(node, "outputs and targets must have the same shape");
    if (node.input(1).requires_grad) reject(node, "the targets must not depend on a variable");
    return {};
  }

  template <class T>
  static Work plan(Node<T>& node) {
    const Shape& y = node.input(0).shape;
    node.kept.resize(y.rows, y.cols);
    if (node.row_numbers.size() < 2 * y.rows) node.row_numbers = AlignedBuffer<T>(2 * y.rows);
    return {kFlopsPerElement * y.size(), 0};
  }

  template <class T>
  static void forward(Node<T>& node, const Worker<T>& worker) {
    const View<T>& y = node.input(0).value.view();
    const View<T>& t = node.input(1).value.view();
    const View<T>& dy = node.kept.view();
    const auto kind = static_cast<std::size_t>(node.attributes.loss);
    const auto kernel = (node.attributes.on_logits ? node.kernels->loss_on_logits
                                                   : node.kernels->loss_on_output)[kind];
    const Range rows = worker.share_of(y.rows);
    T* losses = node.row_numbers.data();
    T* weights = losses + y.rows;
    const T share_of_row = static_cast<T>(1.0 / static_cast<double>(y.rows));
    for (Index r = rows.begin; r < rows.end; ++r) weights[r] = share_of_row;
    kernel({y.row(rows.begin), y.ld, t.row(rows.begin), t.ld, weights + rows.begin,
            losses + rows.begin, dy.row(rows.begin), dy.ld, rows.size(), y.cols,
            static_cast<T>(node.attributes.parameter)});
    worker.team.barrier();
    if (worker.team.rank() == 0) *node.value.view().data = static_cast<T>(sum_of(losses, y.rows));
  }

  template <class T>
  static void backward(Node<T>& node, Index, const View<T>& dx, const Worker<T>& worker) {
    const Range rows = worker.share_of(dx.rows);
    DropoutArgs<T> args{};
    args.x = node.kept.view().row(rows.begin);
    args.ldx = node.kept.view().ld;
    args.y = dx.row(rows.begin);
    args.ldy = dx.ld;
    args.rows = rows.size();
    args.cols = dx.cols;
    args.scale = static_cast<double>(*node.grad.view().data);
    node.kernels->scale(args);
  }
};

}  // namespace fastmlp::graph
