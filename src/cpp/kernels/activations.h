// Activations. An element-wise one is a functor with `value` (of z) and `slope` (of what the
// catalog says is kept: y or z). `kFused` puts both into the registers of the product's tile; the
// others run over the finished rows, which costs two passes through L2 and saves an instance of
// every tile. A row-wise one has `forward_row` and `backward_row`.
#pragma once

#include "kernels/kernel_table.h"
#include "simd/math.h"

namespace fastmlp::FASTMLP_TARGET {

template <class T>
struct Identity {
  using V = Vec<T>;
  static constexpr bool kFused = true;
  static FASTMLP_INLINE V value(V z) { return z; }
  static FASTMLP_INLINE V slope(V) { return broadcast<T>(T{1}); }
};

template <class T>
struct Logistic {
  using V = Vec<T>;
  static constexpr bool kFused = false;
  static FASTMLP_INLINE V value(V z) { return T{1} / (T{1} + exp<T>(-z)); }
  static FASTMLP_INLINE V slope(V y) { return y * (T{1} - y); }
};

template <class T>
struct Tanh {
  using V = Vec<T>;
  static constexpr bool kFused = false;
  static FASTMLP_INLINE V value(V z) { return tanh<T>(z); }
  static FASTMLP_INLINE V slope(V y) { return T{1} - y * y; }
};

template <class T>
struct Relu {
  using V = Vec<T>;
  static constexpr bool kFused = true;
  static FASTMLP_INLINE V value(V z) { return max(V{}, z); }
  static FASTMLP_INLINE V slope(V y) { return y > T{0} ? broadcast<T>(T{1}) : V{}; }
};

template <class T>
struct LeakyRelu {
  using V = Vec<T>;
  static constexpr bool kFused = true;
  static FASTMLP_INLINE V value(V z) { return z > T{0} ? z : static_cast<T>(0.01) * z; }
  static FASTMLP_INLINE V slope(V y) {
    return y > T{0} ? broadcast<T>(T{1}) : broadcast<T>(static_cast<T>(0.01));
  }
};

/// The identity between two bounds, flat outside.
template <class T>
FASTMLP_INLINE Vec<T> slope_between(Vec<T> y, T low, T high, T slope) {
  return ((y > low) & (y < high)) ? broadcast<T>(slope) : Vec<T>{};
}

template <class T>
struct Relu6 {
  using V = Vec<T>;
  static constexpr bool kFused = false;
  static FASTMLP_INLINE V value(V z) { return clamp<T>(z, T{0}, T{6}); }
  static FASTMLP_INLINE V slope(V y) { return slope_between<T>(y, T{0}, T{6}, T{1}); }
};

template <class T>
struct HardTanh {
  using V = Vec<T>;
  static constexpr bool kFused = false;
  static FASTMLP_INLINE V value(V z) { return clamp<T>(z, T{-1}, T{1}); }
  static FASTMLP_INLINE V slope(V y) { return slope_between<T>(y, T{-1}, T{1}, T{1}); }
};

template <class T>
struct HardSigmoid {
  using V = Vec<T>;
  static constexpr bool kFused = false;
  static FASTMLP_INLINE V value(V z) { return clamp<T>((z + T{3}) / T{6}, T{0}, T{1}); }
  static FASTMLP_INLINE V slope(V y) { return slope_between<T>(y, T{0}, T{1}, T{1} / T{6}); }
};

/// Clevert, Unterthiner and Hochreiter, 2016.
template <class T>
struct Elu {
  using V = Vec<T>;
  static constexpr bool kFused = false;
  static FASTMLP_INLINE V value(V z) { return z > T{0} ? z : expm1<T>(z); }
  static FASTMLP_INLINE V slope(V y) { return y > T{0} ? broadcast<T>(T{1}) : y + T{1}; }
};

/// Klambauer, Unterthiner, Mayr and Hochreiter, 2017: the fixed point has mean 0 and variance 1.
template <class T>
struct Selu {
  using V = Vec<T>;
  static constexpr bool kFused = false;
  static constexpr T kScale = static_cast<T>(1.0507009873554804934193349852946);
  static constexpr T kAlpha = static_cast<T>(1.6732632423543772848170429916717);
  static FASTMLP_INLINE V value(V z) { return kScale * (z > T{0} ? z : kAlpha * expm1<T>(z)); }
  static FASTMLP_INLINE V slope(V y) {
    return y > T{0} ? broadcast<T>(kScale) : y + kScale * kAlpha;
  }
};

/// `value`, of the size of z exp(z), where exp does not underflow.
template <class V>
FASTMLP_INLINE V zero_far_below(V z, V value) {
  using T = std::decay_t<decltype(z[0])>;
  return z < -MathConstants<T>::kMaxExp ? V{} : value;
}

/// Hendrycks and Gimpel, 2016; also known as swish.
template <class T>
struct Silu {
  using V = Vec<T>;
  static constexpr bool kFused = false;
  static FASTMLP_INLINE V value(V z) { return zero_far_below(z, z / (T{1} + exp<T>(-z))); }
  static FASTMLP_INLINE V slope(V z) {
    const V s = Logistic<T>::value(z);
    return s * (T{1} + z * (T{1} - s));
  }
};

template <class T>
struct Softplus {
  using V = Vec<T>;
  static constexpr bool kFused = false;
  static FASTMLP_INLINE V value(V z) { return max(V{}, z) + log1p<T>(exp<T>(-abs<T>(z))); }
  static FASTMLP_INLINE V slope(V z) { return Logistic<T>::value(z); }
};

/// Misra, 2019. With e = exp(z) and n = e (e + 2), tanh(log(1 + e)) = n / (n + 2).
template <class T>
struct Mish {
  using V = Vec<T>;
  static constexpr bool kFused = false;
  static FASTMLP_INLINE V exp_below_20(V z) {  // above, tanh is 1 and e^2 could overflow
    return exp<T>(min(broadcast<T>(T{20}), z));
  }
  static FASTMLP_INLINE V value(V z) {
    const V e = exp_below_20(z);
    const V n = e * (e + T{2});
    return zero_far_below(z, z * (n / (n + T{2})));
  }
  static FASTMLP_INLINE V slope(V z) {
    const V e = exp_below_20(z);
    const V n = e * (e + T{2});
    const V w = n / (n + T{2});
    // The slope of tanh is (1 - w) (1 + w), that of log(1 + e) is e / (1 + e).
    return w + z * (T{2} / (n + T{2})) * (T{1} + w) * (e / (T{1} + e));
  }
};

template <class T>
struct Softsign {
  using V = Vec<T>;
  static constexpr bool kFused = false;
  static FASTMLP_INLINE V value(V z) { return z / (T{1} + abs<T>(z)); }
  static FASTMLP_INLINE V slope(V y) {
    const V rest = T{1} - abs<T>(y);
    return rest * rest;
  }
};

template <class T>
struct Softmax {
  using V = Vec<T>;
  static constexpr bool kFused = false;

  static FASTMLP_INLINE void forward_row(const T* z, T* y, Index cols) {
    const V largest = row_max(z, cols);
    V total{};
    for (Index c = 0; c < cols; c += kLanes<T>) {
      const V e = exp<T>(load(z + c) - largest);
      const V kept = first_lanes<T>(cols - c) ? e : V{};
      store(y + c, kept);
      total += kept;
    }
    const V inverse = T{1} / sum_lanes<T>(total);
    for (Index c = 0; c < cols; c += kLanes<T>) store(y + c, load(y + c) * inverse);
  }

  /// dz = y * (dy - sum(dy * y))
  static FASTMLP_INLINE void backward_row(const T* y, T* dy, Index cols) {
    V dot{};
    for (Index c = 0; c < cols; c += kLanes<T>) {
      dot += first_lanes<T>(cols - c) ? load(y + c) * load(dy + c) : V{};
    }
    dot = sum_lanes<T>(dot);
    for (Index c = 0; c < cols; c += kLanes<T>) {
      const V dz = load(y + c) * (load(dy + c) - dot);
      store(dy + c, first_lanes<T>(cols - c) ? dz : V{});
    }
  }

  static FASTMLP_INLINE V row_max(const T* z, Index cols) {
    const V lowest = broadcast<T>(static_cast<T>(-__builtin_huge_val()));
    V largest = lowest;
    for (Index c = 0; c < cols; c += kLanes<T>) {
      largest = max(largest, first_lanes<T>(cols - c) ? load(z + c) : lowest);
    }
    return max_lanes<T>(largest);
  }
};

/// What the catalog says of a functor: kKeep<Relu> and so on.
template <template <class> class Functor>
inline constexpr Keep kKeep = Keep::kOutput;
#define ACTIVATION(name, functor, keeps, doc) \
  template <>                                 \
  inline constexpr Keep kKeep<functor> = Keep::keeps;
#include "catalog/activations.def"
#undef ACTIVATION

template <class T, template <class> class Functor>
void activation_forward(const ActivationArgs<T>& a) {
  for (Index r = 0; r < a.rows; ++r) {
    const T* z = a.z + r * a.ld;
    T* y = a.y + r * a.ld;
    if constexpr (kKeep<Functor> == Keep::kRow) {
      Functor<T>::forward_row(z, y, a.cols);
    } else {
      for (Index c = 0; c < a.cols; c += kLanes<T>) store(y + c, Functor<T>::value(load(z + c)));
    }
  }
}

template <class T, template <class> class Functor>
void activation_slope(const SlopeArgs<T>& a) {
  for (Index r = 0; r < a.rows; ++r) {
    const T* kept = a.kept + r * a.ldkept;
    T* dy = a.dy + r * a.lddy;
    if constexpr (kKeep<Functor> == Keep::kRow) {
      Functor<T>::backward_row(kept, dy, a.cols);
    } else {
      for (Index c = 0; c < a.cols; c += kLanes<T>) {
        store(dy + c, load(dy + c) * Functor<T>::slope(load(kept + c)));
      }
    }
  }
}

}  // namespace fastmlp::FASTMLP_TARGET
