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

/// The logits behind a loss's outputs, where these are made by the activation that the loss belongs
/// to; else null. Value and gradient come from them: outputs that have rounded to 0 or 1 have
/// forgotten what they were.
template <class T>
Node<T>* logits_behind(const Node<T>& loss) {
  if (loss.op != Op::loss || loss.attributes.on_logits) return nullptr;
  Node<T>& y = loss.input(0);
  const Activation link = row_of(loss.attributes.loss).link;
  const bool is_link = (y.op == Op::activation && y.attributes.activation == link) ||
                       (y.op == Op::exp && link == Activation::exp);
  return is_link && link != Activation::identity ? &y.input(0) : nullptr;
}

/// Whether a number may be an output that such values are asked of: rounding may have taken it a
/// little out of its range, and NaN is what becomes of what is not finite.
inline bool is_output_of(Values values, double y) {
  constexpr double slack = 1e-5;
  const bool low = values == Values::kReal || values == Values::kLogSimplex || !(y < -slack);
  const bool high = values == Values::kReal || values == Values::kNonNegative ||
                    values == Values::kPositive ||
                    !(y > (values == Values::kLogSimplex ? 0.0 : 1.0) + slack);
  return low && high;
}

/// dx = kept * the gradient by the loss.
template <class T>
void scale_kept(const Node<T>& loss, const Matrix<T>& kept, const View<T>& dx,
                const Worker<T>& worker) {
  const Range rows = worker.share_of(dx.rows);
  DropoutArgs<T> args{};
  args.x = kept.view().row(rows.begin);
  args.ldx = kept.view().ld;
  args.y = dx.row(rows.begin);
  args.ldy = dx.ld;
  args.rows = rows.size();
  args.cols = dx.cols;
  args.scale = static_cast<double>(*loss.grad.view().data);
  loss.kernels->scale(args);
}
template <class T>
void gradient_by_logits(const Node<T>& loss, const View<T>& dz, const Worker<T>& worker) {
  scale_kept(loss, loss.kept_logits, dz, worker);
}

/// The kernel gives value and gradient at once; forward keeps the gradient for backward.
struct MeanLoss {
  template <class T>
  static Shape shape(const Node<T>& node) {
    const Shape& y = node.input(0).shape;
    const Index targets = target_count(node.attributes.loss, y.cols);
    const bool pairs = targets != y.cols;
    if (pairs && y.cols % 2 != 0) reject(node, "there must be two outputs for each target");
    if (!(Shape{y.ndim, y.rows, targets} == node.input(1).shape)) {
      reject(node, pairs ? "there must be half as many targets as outputs, in as many rows"
                         : "outputs and targets must have the same shape");
    }
    if (node.input(1).requires_grad) reject(node, "the targets must not depend on a variable");
    check_pair(node);
    return {};
  }

  template <class T>
  static Work plan(Node<T>& node) {
    const Shape& y = node.input(0).shape;
    node.kept.resize(y.rows, y.cols);
    if (logits_behind(node)) node.kept_logits.resize(y.rows, y.cols);
    if (node.row_numbers.size() < 2 * y.rows) node.row_numbers = AlignedBuffer<T>(2 * y.rows);
    return {kFlopsPerElement * y.size(), 0};
  }

  template <class T>
  static void forward(Node<T>& node, const Worker<T>& worker) {
    const View<T>& y = node.input(0).value.view();
    const Range rows = worker.share_of(y.rows);
    if (worker.team.rank() == 0) node.fault = Fault::kNone;
    worker.team.barrier();
    find_fault(node, rows);
    T* losses = node.row_numbers.data();
    T* weights = losses + y.rows;
    const T share_of_row = static_cast<T>(1.0 / static_cast<double>(y.rows));
    for (Index r = rows.begin; r < rows.end; ++r) weights[r] = share_of_row;
    run(node, y, node.attributes.on_logits, node.kept.view(), rows);
    if (const Node<T>* z = logits_behind(node)) {
      run(node, z->value.view(), true, node.kept_logits.view(), rows);
    }
    worker.team.barrier();
    if (worker.team.rank() == 0) *node.value.view().data = static_cast<T>(sum_of(losses, y.rows));
  }

  template <class T>
  static void backward(Node<T>& node, Index, const View<T>& dx, const Worker<T>& worker) {
    scale_kept(node, node.kept, dx, worker);
  }

 private:
  /// The losses of the rows, and their gradient by `y`, which are outputs or logits.
  template <class T>
  static void run(Node<T>& node, const View<T>& y, bool on_logits, const View<T>& dy, Range rows) {
    const auto kind = static_cast<std::size_t>(node.attributes.loss);
    const auto kernel =
        (on_logits ? node.kernels->loss_on_logits : node.kernels->loss_on_output)[kind];
    const View<T>& t = node.input(1).value.view();
    T* losses = node.row_numbers.data();
    const T* weights = losses + y.rows;
    kernel({y.row(rows.begin), y.ld, t.row(rows.begin), t.ld, weights + rows.begin,
            losses + rows.begin, dy.row(rows.begin), dy.ld, rows.size(), y.cols,
            static_cast<T>(node.attributes.parameter)});
  }

  /// An activation whose outputs the loss is not one of.
  template <class T>
  static void check_pair(const Node<T>& node) {
    const Node<T>& y = node.input(0);
    if (node.attributes.on_logits || y.op != Op::activation) return;
    const LossRow& loss = row_of(node.attributes.loss);
    const ActivationRow& activation = row_of(y.attributes.activation);
    if (within(activation.outputs, loss.outputs)) return;
    reject(node, std::string("the loss '") + loss.name + "' takes " + words(loss.outputs) +
                     ", such as those of the activation '" + row_of(loss.link).name +
                     "'; got those of '" + activation.name + "'");
  }

  /// Looks for targets, and for outputs that are not logits, out of the range of the loss.
  template <class T>
  static void find_fault(Node<T>& node, Range rows) {
    const LossRow& loss = row_of(node.attributes.loss);
    const View<T>& y = node.input(0).value.view();
    const View<T>& t = node.input(1).value.view();
    const bool looks_at_y = !node.attributes.on_logits && loss.outputs != Values::kReal;
    for (Index r = rows.begin; r < rows.end; ++r) {
      for (Index c = 0; c < y.cols; ++c) {
        if (loss.targets != Values::kReal &&
            !allows(loss.targets, static_cast<double>(t.row(r)[c]))) {
          node.fault = Fault::kTargets;
        } else if (looks_at_y && !is_output_of(loss.outputs, static_cast<double>(y.row(r)[c]))) {
          node.fault = Fault::kOutputs;
        }
      }
    }
  }
};

}  // namespace fastmlp::graph
