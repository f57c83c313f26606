// Losses. A functor gives value and gradient of one target t against
//   an output y (`value`, `slope`), or
//   a logit z, the link of the catalog folded in (`link_value`, `link_slope`), which neither
//   overflows nor loses digits where y rounds to 0 or 1.
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

template <class T>
struct CrossEntropy {
  using V = Vec<T>;
  static FASTMLP_INLINE V value(V y, V t) { return -t * log_of_output<T>(y); }
  static FASTMLP_INLINE V slope(V y, V t) { return -t * inverse_of_output<T>(y); }

  /// With p = softmax(z): value sum_j t_j (log sum_k exp(z_k) - z_j), gradient p sum(t) - t.
  static FASTMLP_INLINE T link_row(const T* z, const T* t, T* dz, Index cols, T weight) {
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
    const V value = sum_lanes<T>(surprise) + targets * log<T>(total);
    return weight * value[0];
  }
};

template <class T>
struct BinaryCrossEntropy {
  using V = Vec<T>;
  static FASTMLP_INLINE V value(V y, V t) {
    return -(t * log_of_output<T>(y) + (T{1} - t) * log_of_output<T>(T{1} - y));
  }
  static FASTMLP_INLINE V slope(V y, V t) {
    return (T{1} - t) * inverse_of_output<T>(T{1} - y) - t * inverse_of_output<T>(y);
  }
  /// log(1 + exp(z)) - t z
  static FASTMLP_INLINE V link_value(V z, V t) {
    return max(V{}, z) - t * z + log1p<T>(exp<T>(-abs<T>(z)));
  }
  static FASTMLP_INLINE V link_slope(V z, V t) { return Logistic<T>::value(z) - t; }
};

/// For losses whose link is the identity: logits are outputs.
template <class T, template <class> class Self>
struct IdentityLink {
  using V = Vec<T>;
  static FASTMLP_INLINE V link_value(V z, V t) { return Self<T>::value(z, t); }
  static FASTMLP_INLINE V link_slope(V z, V t) { return Self<T>::slope(z, t); }
};

template <class T>
struct SquaredError : IdentityLink<T, SquaredError> {
  using V = Vec<T>;
  static FASTMLP_INLINE V value(V y, V t) { return T{0.5} * (y - t) * (y - t); }
  static FASTMLP_INLINE V slope(V y, V t) { return y - t; }
};

template <class T>
struct MeanSquaredError : IdentityLink<T, MeanSquaredError> {
  using V = Vec<T>;
  static FASTMLP_INLINE V value(V y, V t) { return (y - t) * (y - t); }
  static FASTMLP_INLINE V slope(V y, V t) { return T{2} * (y - t); }
};

template <class T>
struct MeanAbsoluteError : IdentityLink<T, MeanAbsoluteError> {
  using V = Vec<T>;
  static FASTMLP_INLINE V value(V y, V t) { return abs<T>(y - t); }
  /// The sign of y - t, 0 where they are equal.
  static FASTMLP_INLINE V slope(V y, V t) {
    const V one = broadcast<T>(T{1});
    return (y > t ? one : V{}) - (y < t ? one : V{});
  }
};

/// Which of a functor's two forms a kernel uses.
enum class On { kOutput, kLogits };

template <class T, template <class> class Functor, On Where>
FASTMLP_INLINE T elementwise_row(const T* y, const T* t, T* dy, Index cols, T weight) {
  using V = Vec<T>;
  V total{};
  for (Index c = 0; c < cols; c += kLanes<T>) {
    const Bits<T> inside = first_lanes<T>(cols - c);
    const V output = load(y + c);
    const V target = load(t + c);
    V value, slope;
    if constexpr (Where == On::kLogits) {
      value = Functor<T>::link_value(output, target);
      slope = Functor<T>::link_slope(output, target);
    } else {
      value = Functor<T>::value(output, target);
      slope = Functor<T>::slope(output, target);
    }
    total += inside ? value : V{};
    store(dy + c, inside ? weight * slope : V{});
  }
  return weight * sum_lanes<T>(total)[0];
}

template <class T, template <class> class Functor, Activation Link, Over Outputs, On Where>
void loss(const LossArgs<T>& a) {
  constexpr bool by_row =
      Where == On::kLogits && kActivations[static_cast<int>(Link)].keeps == Keep::kRow;
  for (Index r = 0; r < a.rows; ++r) {
    const T* y = a.y + r * a.ldy;
    const T* t = a.t + r * a.ldt;
    T* dy = a.dy + r * a.lddy;
    const T weight =
        Outputs == Over::kMean ? a.row_weight[r] / static_cast<T>(a.cols) : a.row_weight[r];
    if constexpr (by_row) {
      a.row_loss[r] = Functor<T>::link_row(y, t, dy, a.cols, weight);
    } else {
      a.row_loss[r] = elementwise_row<T, Functor, Where>(y, t, dy, a.cols, weight);
    }
  }
}

}  // namespace fastmlp::FASTMLP_TARGET
