#include "nn/predict.h"

#include <limits>

#include "nn/column_pass.h"

namespace fastmlp {

namespace {

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

/// What is wanted of a few rows, by a team that shares columns.
template <class T, class Out>
Outcome predict_few(const Network<T>& network, const TableView& x, Give give, Threads threads,
                    Out* to) {
  const Finish<T, Out> finish(network, give);
  Workspace<T> ws(network, finish.pass(), x.rows, 1);
  if (!take_in(network, ws, x, {0, x.rows})) return Outcome::kInputNotFinite;
  const MaskKey* masks = nullptr;
  change_input(network, ws, 0, {0, x.rows}, whole_row(network.n_features()), masks);
  auto body = [&](const Team& team) noexcept {
    Turn turn(team);
    forward_columns(network, ws, x.rows, masks, finish.wants_logits(), turn, team);
  };
  parallel(threads, body);
  return finish(ws, 0, x.rows, to) ? Outcome::kDone : Outcome::kOutputNotFinite;
}

}  // namespace

template <class T, class Out>
Outcome predict(const Network<T>& network, const TableView& x, const MaskKey* masks, Give give,
                int threads, Poll& poll, Out* to) {
  const double flops = forward_flops(network, x.rows);
  const Call call(flops, flops, threads);
  if (masks == nullptr && suits_shared_columns(network, x.rows, threads > 0)) {
    Threads sharers = call.threads();
    sharers.count = static_cast<int>(min_index(sharers.count, shared_panels(network)));
    if (sharers.count > 1) return predict_few(network, x, give, sharers, to);
  }
  const Finish<T, Out> finish(network, give);
  const Pass pass = masks ? Pass::kSample : finish.pass();
  return forward_blocks(
      network, x, pass, masks, finish.wants_logits(), call.threads().count, poll,
      [&](Workspace<T>& ws, Index first, Index rows) { return finish(ws, first, rows, to); });
}

template <class T>
Outcome inspect(const Network<T>& network, const TableView& x, int threads, Poll& poll,
                T* const* zs, T* const* ys) {
  const double flops = forward_flops(network, x.rows);
  const Call call(flops, flops, threads);
  return forward_blocks(network, x, Pass::kInspect, nullptr, false, call.threads().count, poll,
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

#define FASTMLP_INSTANTIATE_PREDICT(T, Out)                                                        \
  template Outcome predict<T, Out>(const Network<T>&, const TableView&, const MaskKey*, Give, int, \
                                   Poll&, Out*);
#define FASTMLP_INSTANTIATE(T)                                                            \
  template Outcome inspect<T>(const Network<T>&, const TableView&, int, Poll&, T* const*, \
                              T* const*);
FASTMLP_INSTANTIATE_PREDICT(float, float)
FASTMLP_INSTANTIATE_PREDICT(float, double)
FASTMLP_INSTANTIATE_PREDICT(double, double)
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE
#undef FASTMLP_INSTANTIATE_PREDICT

}  // namespace fastmlp
