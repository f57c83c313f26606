// Losses. A functor gives value and gradient of one target t against
//   an output y (`value`, `slope`), or
//   a logit z, the link of the catalog folded in (`link_value`, `link_slope`), which neither
//   overflows nor loses digits where y rounds to 0 or 1;
// each given the loss's parameter as well.
// A loss whose link is row-wise (softmax) does a whole row of logits at once (`link_row`).
#pragma once

#include "kernels/activations.h"

namespace fastmlp::FASTMLP_TARGET {

/// log(y) needs y > 0: outputs are raised to the smallest normal number.
template <class T>
FASTMLP_INLINE Vec<T> log_of_output(Vec<T> y) {
  return log<T>(max(broadcast<T>(MathConstants<T>::kMinNormal), y));
}
template <class T>
FASTMLP_INLINE Vec<T> inverse_of_output(Vec<T> y) {
  return T{1} / max(broadcast<T>(MathConstants<T>::kMinNormal), y);
}

/// The loss of a row without its weight: value + mass log(total). The logarithm is left for many
/// rows at once.
template <class T>
struct RowLoss {
  T value;
  T mass;
  T total;
};

template <class T>
struct CrossEntropy {
  using V = Vec<T>;
  static FASTMLP_INLINE V value(V y, V t, V) { return -t * log_of_output<T>(y); }
  static FASTMLP_INLINE V slope(V y, V t, V) { return -t * inverse_of_output<T>(y); }

  /// With p = softmax(z): value sum_j t_j (log sum_k exp(z_k) - z_j), gradient p sum(t) - t.
  static FASTMLP_INLINE RowLoss<T> link_row(const T* z, const T* t, T* dz, Index cols, T weight,
                                            T) {
    const V largest = Softmax<T>::row_max(z, cols);
    V exps{}, mass{}, surprise{};
    for (Index c = 0; c < cols; c += kLanes<T>) {
      const Bits<T> inside = first_lanes<T>(cols - c);
      const V below = inside ? load(z + c) - largest : V{};
      const V target = inside ? load(t + c) : V{};
      const V e = inside ? exp<T>(below) : V{};
      store(dz + c, e);
      exps += e;
      mass += target;
      surprise -= target * below;
    }
    const V total = sum_lanes<T>(exps);
    const V targets = sum_lanes<T>(mass);
    const V factor = weight * targets / total;
    for (Index c = 0; c < cols; c += kLanes<T>) {
      const V target = first_lanes<T>(cols - c) ? load(t + c) : V{};
      store(dz + c, load(dz + c) * factor - weight * target);
    }
    return {sum_lanes<T>(surprise)[0], targets[0], total[0]};
  }

  /// The same for a row in each lane: gives the losses, and turns z into the gradient.
  static FASTMLP_INLINE V link_columns(RowBlock<T>& z, const RowBlock<T>& t, Index cols, V weight) {
    const V largest = max_columns<T>(z, cols);
    V mass{}, surprise{};
    for (Index c = 0; c < cols; ++c) {
      const V below = z[c] - largest;
      z[c] = exp<T>(below);
      mass += t[c];
      surprise -= t[c] * below;
    }
    const V total = sum_columns<T>(z, cols);
    const V factor = weight * mass / total;
    for (Index c = 0; c < cols; ++c) z[c] = z[c] * factor - weight * t[c];
    return weight * (surprise + mass * log<T>(total));
  }
};

/// Cross-entropy for outputs that are logarithms already.
template <class T>
struct NegativeLogLikelihood : CrossEntropy<T> {
  using V = Vec<T>;
  static FASTMLP_INLINE V value(V y, V t, V) { return -t * y; }
  static FASTMLP_INLINE V slope(V, V t, V) { return -t; }
};

template <class T>
struct BinaryCrossEntropy {
  using V = Vec<T>;
  static FASTMLP_INLINE V value(V y, V t, V) {
    return -(t * log_of_output<T>(y) + (T{1} - t) * log_of_output<T>(T{1} - y));
  }
  static FASTMLP_INLINE V slope(V y, V t, V) {
    return (T{1} - t) * inverse_of_output<T>(T{1} - y) - t * inverse_of_output<T>(y);
  }
  /// log(1 + exp(z)) - t z
  static FASTMLP_INLINE V link_value(V z, V t, V) {
    return max(V{}, z) - t * z + log1p<T>(exp<T>(-abs<T>(z)));
  }
  static FASTMLP_INLINE V link_slope(V z, V t, V) { return Logistic<T>::value(z, z) - t; }
};

/// Lin, Goyal, Girshick, He and Dollar, 2017: cross-entropy times (1 - y)^gamma, which turns from
/// what is right already to what is wrong.
template <class T>
struct Focal {
  using V = Vec<T>;
  static FASTMLP_INLINE V power(V base, V exponent) {
    return exp<T>(exponent * log_of_output<T>(base));
  }
  static FASTMLP_INLINE V value(V y, V t, V gamma) {
    return -t * power(T{1} - y, gamma) * log_of_output<T>(y);
  }
  static FASTMLP_INLINE V slope(V y, V t, V gamma) {
    return t * times_output(y, log_of_output<T>(y), gamma) * inverse_of_output<T>(y);
  }
  /// y times the derivative of -(1 - y)^gamma log(y).
  static FASTMLP_INLINE V times_output(V y, V log_y, V gamma) {
    const V rest = T{1} - y;
    const V bent = gamma * y * log_y * power(rest, gamma) * inverse_of_output<T>(rest);
    return (log_y == T{0} ? V{} : bent) - power(rest, gamma);
  }

  /// With p = softmax(z) and g_j = t_j p_j times the derivative by p_j: gradient g - p sum(g).
  static FASTMLP_INLINE RowLoss<T> link_row(const T* z, const T* t, T* dz, Index cols, T weight,
                                            T gamma) {
    const V largest = Softmax<T>::row_max(z, cols);
    const V exponent = broadcast<T>(gamma);
    V exps{};
    for (Index c = 0; c < cols; c += kLanes<T>) {
      exps += first_lanes<T>(cols - c) ? exp<T>(load(z + c) - largest) : V{};
    }
    const V log_total = log<T>(sum_lanes<T>(exps));
    V value{}, sum{};
    for (Index c = 0; c < cols; c += kLanes<T>) {
      const Bits<T> inside = first_lanes<T>(cols - c);
      const V log_p = (load(z + c) - largest) - log_total;
      const V p = exp<T>(log_p);
      const V target = inside ? load(t + c) : V{};
      value -= inside ? target * power(T{1} - p, exponent) * log_p : V{};
      sum += inside ? target * times_output(p, log_p, exponent) : V{};
    }
    sum = sum_lanes<T>(sum);
    for (Index c = 0; c < cols; c += kLanes<T>) {
      const V log_p = (load(z + c) - largest) - log_total;
      const V p = exp<T>(log_p);
      const V gradient = load(t + c) * times_output(p, log_p, exponent) - p * sum;
      store(dz + c, first_lanes<T>(cols - c) ? weight * gradient : V{});
    }
    return {sum_lanes<T>(value)[0], T{0}, T{1}};
  }
};

template <class T>
struct BinaryFocal {
  using V = Vec<T>;
  static FASTMLP_INLINE V value(V y, V t, V gamma) {
    return Focal<T>::value(y, t, gamma) + Focal<T>::value(T{1} - y, T{1} - t, gamma);
  }
  static FASTMLP_INLINE V slope(V y, V t, V gamma) {
    return Focal<T>::slope(y, t, gamma) - Focal<T>::slope(T{1} - y, T{1} - t, gamma);
  }
  /// -log(logistic(z)) is softplus(-z), -log(1 - logistic(z)) is softplus(z).
  static FASTMLP_INLINE V one_side(V z, V gamma) {
    return exp<T>(-gamma * Softplus<T>::value(z, z)) * Softplus<T>::value(-z, z);
  }
  static FASTMLP_INLINE V one_slope(V z, V gamma) {
    const V p = Logistic<T>::value(z, z);
    const V bent = gamma * p * Softplus<T>::value(-z, z) + Logistic<T>::value(-z, z);
    return -exp<T>(-gamma * Softplus<T>::value(z, z)) * bent;
  }
  static FASTMLP_INLINE V link_value(V z, V t, V gamma) {
    return t * one_side(z, gamma) + (T{1} - t) * one_side(-z, gamma);
  }
  static FASTMLP_INLINE V link_slope(V z, V t, V gamma) {
    return t * one_slope(z, gamma) - (T{1} - t) * one_slope(-z, gamma);
  }
};

/// Half the deviance, as scikit-learn has it: with t log(t), which no weight changes.
template <class T>
struct Poisson {
  using V = Vec<T>;
  static FASTMLP_INLINE V constant(V t) { return t * log_of_output<T>(t) - t; }
  static FASTMLP_INLINE V value(V y, V t, V) { return constant(t) - t * log_of_output<T>(y) + y; }
  static FASTMLP_INLINE V slope(V y, V t, V) { return T{1} - t * inverse_of_output<T>(y); }
  static FASTMLP_INLINE V link_value(V z, V t, V) { return constant(t) - t * z + exp<T>(z); }
  static FASTMLP_INLINE V link_slope(V z, V t, V) { return exp<T>(z) - t; }
};

/// For losses whose link is the identity: logits are outputs.
template <class T, template <class> class Self>
struct IdentityLink {
  using V = Vec<T>;
  static FASTMLP_INLINE V link_value(V z, V t, V p) { return Self<T>::value(z, t, p); }
  static FASTMLP_INLINE V link_slope(V z, V t, V p) { return Self<T>::slope(z, t, p); }
};

template <class T>
struct SquaredError : IdentityLink<T, SquaredError> {
  using V = Vec<T>;
  static FASTMLP_INLINE V value(V y, V t, V) { return T{0.5} * (y - t) * (y - t); }
  static FASTMLP_INLINE V slope(V y, V t, V) { return y - t; }
};

template <class T>
struct MeanSquaredError : IdentityLink<T, MeanSquaredError> {
  using V = Vec<T>;
  static FASTMLP_INLINE V value(V y, V t, V) { return (y - t) * (y - t); }
  static FASTMLP_INLINE V slope(V y, V t, V) { return T{2} * (y - t); }
};

template <class T>
struct MeanAbsoluteError : IdentityLink<T, MeanAbsoluteError> {
  using V = Vec<T>;
  static FASTMLP_INLINE V value(V y, V t, V) { return abs<T>(y - t); }
  /// The sign of y - t, 0 where they are equal.
  static FASTMLP_INLINE V slope(V y, V t, V) {
    const V one = broadcast<T>(T{1});
    return (y > t ? one : V{}) - (y < t ? one : V{});
  }
};

/// For targets of 0 and 1, or of -1 and 1; the output should be above 1 or below -1.
template <class T>
struct Hinge : IdentityLink<T, Hinge> {
  using V = Vec<T>;
  static FASTMLP_INLINE V side(V t) {
    const V one = broadcast<T>(T{1});
    return t > T{0} ? one : -one;
  }
  static FASTMLP_INLINE V value(V y, V t, V) { return max(V{}, T{1} - side(t) * y); }
  static FASTMLP_INLINE V slope(V y, V t, V) { return side(t) * y < T{1} ? -side(t) : V{}; }
};

/// Huber, 1964.
template <class T>
struct Huber : IdentityLink<T, Huber> {
  using V = Vec<T>;
  static FASTMLP_INLINE V value(V y, V t, V delta) {
    const V r = abs<T>(y - t);
    return r <= delta ? T{0.5} * r * r : delta * (r - T{0.5} * delta);
  }
  static FASTMLP_INLINE V slope(V y, V t, V delta) { return min(delta, max(-delta, y - t)); }
};

/// Koenker and Bassett, 1978.
template <class T>
struct Quantile : IdentityLink<T, Quantile> {
  using V = Vec<T>;
  static FASTMLP_INLINE V value(V y, V t, V quantile) {
    return t > y ? quantile * (t - y) : (T{1} - quantile) * (y - t);
  }
  /// 0 where they are equal.
  static FASTMLP_INLINE V slope(V y, V t, V quantile) {
    return (y > t ? T{1} - quantile : V{}) - (y < t ? quantile : V{});
  }
};

/// Nix and Weigend, 1994: minus the logarithm of the normal density of the target, given its mean y
/// and the logarithm s of its variance.
template <class T>
struct Gaussian {
  using V = Vec<T>;
  /// exp(-s), which stays finite.
  static FASTMLP_INLINE V precision(V s) { return exp<T>(min(broadcast<T>(T{40}), -s)); }
  static FASTMLP_INLINE V value(V y, V s, V t) {
    const V off = y - t;
    return T{0.5} *
           (s + precision(s) * off * off + static_cast<T>(1.8378770664093453));  // log(2 pi)
  }
  static FASTMLP_INLINE V slope(V y, V s, V t) { return precision(s) * (y - t); }
  static FASTMLP_INLINE V slope_of_spread(V y, V s, V t) {
    const V off = y - t;
    return T{0.5} * (T{1} - precision(s) * off * off);
  }
};

/// Which of a functor's two forms a kernel uses.
enum class On { kOutput, kLogits };

/// Those of the lanes `inside` the row whose target counts.
template <class T>
FASTMLP_INLINE Bits<T> counting(Bits<T> inside, Vec<T> target, const LossArgs<T>& a) {
  return a.skips_missing ? inside & (target == target) : inside;
}

/// The parameters of the outputs from column `first` on.
template <class T>
FASTMLP_INLINE Vec<T> parameters_of(const LossArgs<T>& a, Index first) {
  if (a.parameters == nullptr) return broadcast<T>(a.parameter);
  T each[kLanes<T>] = {};
  for (Index i = 0; i < min_index(kLanes<T>, a.cols - first); ++i) {
    each[i] = static_cast<T>(a.parameters[first + i]);
  }
  return load(each);
}

template <class T, template <class> class Functor, On Where>
FASTMLP_INLINE T elementwise_row(const LossArgs<T>& a, Index row, T weight) {
  using V = Vec<T>;
  const T *y = a.y + row * a.ldy, *t = a.t + row * a.ldt;
  T* dy = a.dy + row * a.lddy;
  V total{};
  for (Index c = 0; c < a.cols; c += kLanes<T>) {
    const V output = load(y + c);
    const V target = load(t + c);
    const V parameter = parameters_of(a, c);
    V value, slope;
    if constexpr (Where == On::kLogits) {
      value = Functor<T>::link_value(output, target, parameter);
      slope = Functor<T>::link_slope(output, target, parameter);
    } else {
      value = Functor<T>::value(output, target, parameter);
      slope = Functor<T>::slope(output, target, parameter);
    }
    const Bits<T> counts = counting(first_lanes<T>(a.cols - c), target, a);
    total += counts ? value : V{};
    store(dy + c, counts ? weight * slope : V{});
  }
  return weight * sum_lanes<T>(total)[0];
}

/// Where a target has two outputs, of which the second ones begin anywhere in the row.
template <class T, template <class> class Functor>
FASTMLP_INLINE T row_of_pairs(const LossArgs<T>& a, Index row, T weight) {
  using V = Vec<T>;
  constexpr Index lanes = kLanes<T>;
  const Index pairs = a.cols / 2;
  const T *y = a.y + row * a.ldy, *t = a.t + row * a.ldt;
  T* dy = a.dy + row * a.lddy;
  V total{};
  for (Index c = 0; c < pairs; c += lanes) {
    const Index count = min_index(lanes, pairs - c);
    T seconds[lanes] = {}, firsts[lanes];
    for (Index i = 0; i < count; ++i) seconds[i] = y[pairs + c + i];
    const V first = load(y + c), second = load(seconds), target = load(t + c);
    const Bits<T> counts = counting(first_lanes<T>(count), target, a);
    total += counts ? Functor<T>::value(first, second, target) : V{};
    store(firsts, counts ? weight * Functor<T>::slope(first, second, target) : V{});
    store(seconds, counts ? weight * Functor<T>::slope_of_spread(first, second, target) : V{});
    for (Index i = 0; i < count; ++i) {
      dy[c + i] = firsts[i];
      dy[pairs + c + i] = seconds[i];
    }
  }
  for (Index c = a.cols; c < round_up(a.cols, lanes); ++c) dy[c] = T{0};
  return weight * sum_lanes<T>(total)[0];
}

/// As many rows as there are lanes, or fewer, from row `first` on.
template <class T, template <class> class Functor>
FASTMLP_INLINE void link_rows(const LossArgs<T>& a, Index first) {
  constexpr Index lanes = kLanes<T>;
  const Index rows = min_index(lanes, a.rows - first);
  Vec<T> value{}, mass{}, total = broadcast<T>(T{1});
  for (Index i = 0; i < rows; ++i) {
    const Index r = first + i;
    const RowLoss<T> row = Functor<T>::link_row(a.y + r * a.ldy, a.t + r * a.ldt, a.dy + r * a.lddy,
                                                a.cols, a.row_weight[r], a.parameter);
    value[i] = row.value;
    mass[i] = row.mass;
    total[i] = row.total;
  }
  const Vec<T> losses = value + mass * log<T>(total);
  for (Index i = 0; i < rows; ++i) a.row_loss[first + i] = a.row_weight[first + i] * losses[i];
}

/// The same by columns.
template <class T, template <class> class Functor>
FASTMLP_INLINE void link_columns(const LossArgs<T>& a, Index first) {
  constexpr Index lanes = kLanes<T>;
  const Index rows = min_index(lanes, a.rows - first);
  RowBlock<T> z, t;
  load_transposed<T>(a.y + first * a.ldy, a.ldy, rows, a.cols, z);
  load_transposed<T>(a.t + first * a.ldt, a.ldt, rows, a.cols, t);
  T weights[lanes] = {}, losses[lanes];
  for (Index i = 0; i < rows; ++i) weights[i] = a.row_weight[first + i];
  store(losses, Functor<T>::link_columns(z, t, a.cols, load(weights)));
  for (Index i = 0; i < rows; ++i) a.row_loss[first + i] = losses[i];
  store_transposed<T>(z, a.dy + first * a.lddy, a.lddy, rows, a.cols);
}

template <class T, template <class> class Functor>
FASTMLP_INLINE void link_loss(const LossArgs<T>& a) {
  constexpr bool has_columns = std::is_base_of_v<CrossEntropy<T>, Functor<T>>;
  for (Index r = 0; r < a.rows; r += kLanes<T>) {
    if constexpr (has_columns) {
      if (a.cols <= kFewColumns) {
        link_columns<T, Functor>(a, r);
        continue;
      }
    }
    link_rows<T, Functor>(a, r);
  }
}

template <class T, template <class> class Functor, Activation Link, Over Outputs, On Where>
void loss(const LossArgs<T>& a) {
  constexpr bool by_row = Where == On::kLogits && row_of(Link).keeps == Keep::kRow;
  if constexpr (by_row) {
    static_assert(Outputs == Over::kSum, "a row-wise link has one loss for all outputs");
    link_loss<T, Functor>(a);
  } else {
    constexpr bool pairs = Outputs == Over::kPairs;
    const Index parts = pairs ? a.cols / 2 : a.cols;
    const T share = Outputs == Over::kSum ? T{1} : T{1} / static_cast<T>(parts);
    for (Index r = 0; r < a.rows; ++r) {
      const T weight = a.row_weight[r] * share;
      if constexpr (pairs) {
        a.row_loss[r] = row_of_pairs<T, Functor>(a, r, weight);
      } else {
        a.row_loss[r] = elementwise_row<T, Functor, Where>(a, r, weight);
      }
    }
  }
}

}  // namespace fastmlp::FASTMLP_TARGET
