#include "perceptron/perceptron.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/buffer.h"
#include "base/rng.h"

namespace fastmlp {

namespace {

/// Four chains hide the latency of the additions; sums of integers are exact in any order.
double dot(const double* a, const double* b, Index n) {
  double sum[4] = {};
  Index i = 0;
  for (; i + 4 <= n; i += 4) {
    FASTMLP_UNROLL
    for (Index j = 0; j < 4; ++j) sum[j] += a[i + j] * b[i + j];
  }
  for (; i < n; ++i) sum[0] += a[i] * b[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/// One run: the rows of a window, the hyperplanes and what they share from row to row.
class Run {
 public:
  Run(double eta0, const Hyperplanes& planes)
      : eta0_(eta0),
        planes_(planes),
        features_(planes.features),
        targets_(planes.outputs),
        mistakes_(static_cast<std::size_t>(planes.outputs)),
        learning_(static_cast<std::size_t>(planes.outputs), true) {}

  void begin(const DataView& window) {
    x_ = window.x;
    t_ = window.t;
    x_in_place_ = in_place<double>(x_);
  }

  void learn(Index row) {
    const double* x = features_of(row);
    gather_rows(t_, nullptr, row, 1, targets_.data(), planes_.outputs);
    for (Index o = 0; o < planes_.outputs; ++o) {
      if (learning_[static_cast<std::size_t>(o)]) {
        learn_output(o, x, targets_.data()[o] > 0.5 ? 1.0 : -1.0);
      }
    }
  }

  /// Returns the mistakes since the last call. An output that got a whole epoch right is not looked
  /// at again: with the same weights it would be right forever.
  Index end_epoch() {
    const Index total = std::accumulate(mistakes_.begin(), mistakes_.end(), Index{0});
    for (std::size_t o = 0; o < mistakes_.size(); ++o) learning_[o] = mistakes_[o] > 0;
    std::fill(mistakes_.begin(), mistakes_.end(), 0);
    return total;
  }

 private:
  const double* features_of(Index row) {
    if (x_in_place_) return x_in_place_ + row * (x_.row_stride / Index{sizeof(double)});
    gather_rows(x_, nullptr, row, 1, features_.data(), planes_.features);
    return features_.data();
  }

  /// Right is on the side of the target. A row on the hyperplane is on neither side, or zero
  /// weights would never learn; and a NaN is wrong, or it would pass for convergence.
  void learn_output(Index o, const double* x, double side) {
    double* w = planes_.w + o * planes_.features;
    const double z = dot(w, x, planes_.features) + planes_.b[o];
    if (side * z > 0.0) return;
    const double step = eta0_ * side;
    for (Index i = 0; i < planes_.features; ++i) w[i] += step * x[i];
    planes_.b[o] += step;
    mistakes_[static_cast<std::size_t>(o)] += 1;
  }

  TableView x_;
  TableView t_;
  const double* x_in_place_ = nullptr;
  const double eta0_;
  const Hyperplanes planes_;
  AlignedBuffer<double> features_;
  AlignedBuffer<double> targets_;
  std::vector<Index> mistakes_;  // one per output
  std::vector<bool> learning_;   // whether the output made a mistake in the epoch before
};

/// An infinite weight never becomes finite again, so a look behind each epoch is enough.
bool finite(const Hyperplanes& planes) {
  const auto is_finite = [](double value) { return std::isfinite(value); };
  return std::all_of(planes.w, planes.w + planes.outputs * planes.features, is_finite) &&
         std::all_of(planes.b, planes.b + planes.outputs, is_finite);
}

/// Returns false where the caller asked to stop.
bool learn_window(const DataView& data, const Index* order, Run& run, Poll& poll, double work) {
  run.begin(data);
  for (Index i = 0; i < data.x.rows; ++i) {
    run.learn(order ? order[i] : i);
    if (poll.after(work)) return false;
  }
  return true;
}

}  // namespace

bool train_perceptron(RowSource& source, const PerceptronSettings& settings,
                      const Hyperplanes& planes, Caller& caller, PerceptronReport& report) {
  struct End {  // on every way out
    RowSource& source;
    ~End() { source.close(); }
  } end{source};
  Run run(settings.eta0, planes);
  Poll poll(caller);
  const auto work = static_cast<double>(planes.outputs * (planes.features + 1));
  std::vector<Index> order;
  for (Index i = 0; i < settings.epochs; ++i) {
    const Index epoch = settings.first_epoch + i;
    for (Index number = 0; const DataView* data = source.window(epoch, number); ++number) {
      if (settings.shuffle) {
        order.resize(static_cast<std::size_t>(data->x.rows));
        random_permutation(settings.seed, epoch, number, data->x.rows, order.data());
      }
      const Index* rows = settings.shuffle ? order.data() : nullptr;
      if (!learn_window(*data, rows, run, poll, work)) return false;
    }
    report.mistakes.push_back(run.end_epoch());
    if (!finite(planes)) {
      report.failed_epoch = i + 1;
      return true;
    }
    if (report.mistakes.back() == 0) return true;
  }
  return true;
}

}  // namespace fastmlp
