// Activations. An element-wise one is a functor with `value` (of z) and `slope` (of what the
// catalog says is kept: y or z), each given the activation's parameter as well; a learned one also
// has `parameter_slope`. `kFused` says which of them run in the registers of the product's tile;
// the others run over the finished rows, a pass through the cache each, which saves an instance of
// every tile. A row-wise one has `forward_row`, `forward_columns` and `backward_row`.
#pragma once

#include "kernels/kernel_table.h"
#include "kernels/row_block.h"
#include "simd/math.h"

namespace fastmlp::FASTMLP_TARGET {

enum class Fused { kNone, kSlope, kBoth };

template <class T>
struct Identity {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kBoth;
  static FASTMLP_INLINE V value(V z, V) { return z; }
  static FASTMLP_INLINE V slope(V, V) { return broadcast<T>(T{1}); }
};

template <class T>
struct Logistic {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kSlope;
  static FASTMLP_INLINE V value(V z, V) { return T{1} / (T{1} + exp<T>(-z)); }
  static FASTMLP_INLINE V slope(V y, V) { return y * (T{1} - y); }
};

template <class T>
struct Tanh {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kSlope;
  static FASTMLP_INLINE V value(V z, V) { return tanh<T>(z); }
  static FASTMLP_INLINE V slope(V y, V) { return T{1} - y * y; }
};

template <class T>
struct Relu {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kBoth;
  static FASTMLP_INLINE V value(V z, V) { return max(V{}, z); }
  static FASTMLP_INLINE V slope(V y, V) { return y > T{0} ? broadcast<T>(T{1}) : V{}; }
};

template <class T>
struct LeakyRelu {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kBoth;
  static FASTMLP_INLINE V value(V z, V slope) { return z > T{0} ? z : slope * z; }
  static FASTMLP_INLINE V slope(V y, V slope) { return y > T{0} ? broadcast<T>(T{1}) : slope; }
};

/// He, Zhang, Ren and Sun, 2015.
template <class T>
struct PRelu {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kNone;
  static FASTMLP_INLINE V value(V z, V slope) { return z > T{0} ? z : slope * z; }
  static FASTMLP_INLINE V slope(V z, V slope) { return z > T{0} ? broadcast<T>(T{1}) : slope; }
  static FASTMLP_INLINE V parameter_slope(V z) { return z > T{0} ? V{} : z; }
};

/// The identity between two bounds, flat outside.
template <class T>
FASTMLP_INLINE Vec<T> slope_between(Vec<T> y, T low, T high, T slope) {
  return ((y > low) & (y < high)) ? broadcast<T>(slope) : Vec<T>{};
}

template <class T>
struct Relu6 {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kNone;
  static FASTMLP_INLINE V value(V z, V) { return clamp<T>(z, T{0}, T{6}); }
  static FASTMLP_INLINE V slope(V y, V) { return slope_between<T>(y, T{0}, T{6}, T{1}); }
};

template <class T>
struct HardTanh {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kNone;
  static FASTMLP_INLINE V value(V z, V) { return clamp<T>(z, T{-1}, T{1}); }
  static FASTMLP_INLINE V slope(V y, V) { return slope_between<T>(y, T{-1}, T{1}, T{1}); }
};

template <class T>
struct HardSigmoid {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kNone;
  static FASTMLP_INLINE V value(V z, V) { return clamp<T>((z + T{3}) / T{6}, T{0}, T{1}); }
  static FASTMLP_INLINE V slope(V y, V) { return slope_between<T>(y, T{0}, T{1}, T{1} / T{6}); }
};

/// Clevert, Unterthiner and Hochreiter, 2016.
template <class T>
struct Elu {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kNone;
  static FASTMLP_INLINE V value(V z, V alpha) { return z > T{0} ? z : alpha * expm1<T>(z); }
  static FASTMLP_INLINE V slope(V y, V alpha) { return y > T{0} ? broadcast<T>(T{1}) : y + alpha; }
};

/// Klambauer, Unterthiner, Mayr and Hochreiter, 2017: the fixed point has mean 0 and variance 1.
template <class T>
struct Selu {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kNone;
  static constexpr T kScale = static_cast<T>(1.0507009873554804934193349852946);
  static constexpr T kAlpha = static_cast<T>(1.6732632423543772848170429916717);
  static FASTMLP_INLINE V value(V z, V) { return kScale * (z > T{0} ? z : kAlpha * expm1<T>(z)); }
  static FASTMLP_INLINE V slope(V y, V) {
    return y > T{0} ? broadcast<T>(kScale) : y + kScale * kAlpha;
  }
};

/// `value`, of the size of z exp(z), where exp does not underflow.
template <class V>
FASTMLP_INLINE V zero_far_below(V z, V value) {
  using T = std::decay_t<decltype(z[0])>;
  return z < -MathConstants<T>::kMaxExp ? V{} : value;
}

/// Hendrycks and Gimpel, 2016, by the exact distribution function.
template <class T>
struct Gelu {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kNone;
  static FASTMLP_INLINE V value(V z, V) {
    const Normal<T> n = normal<T>(z);
    // In this order, so that nothing on the way is smaller than the result.
    const V left = (z * n.ratio) * n.bell;
    const V right = z * (T{1} - n.ratio * n.bell);
    return z < -MathConstants<T>::kNormalTailEnd ? V{} : z < T{0} ? left : right;
  }
  static FASTMLP_INLINE V slope(V z, V) {
    constexpr T density = static_cast<T>(0.39894228040143268);  // 1 / sqrt(2 pi)
    const Normal<T> n = normal<T>(z);
    const V tail = n.ratio * n.bell;
    return (z < T{0} ? tail : T{1} - tail) + (density * z) * n.bell;
  }
};

/// Elfwing, Uchibe and Doya, 2017; also known as swish.
template <class T>
struct Silu {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kNone;
  static FASTMLP_INLINE V value(V z, V) { return zero_far_below(z, z / (T{1} + exp<T>(-z))); }
  static FASTMLP_INLINE V slope(V z, V) {
    const V s = Logistic<T>::value(z, z);
    return s * (T{1} + z * (T{1} - s));
  }
};

template <class T>
struct Softplus {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kNone;
  static FASTMLP_INLINE V value(V z, V) { return max(V{}, z) + log1p<T>(exp<T>(-abs<T>(z))); }
  static FASTMLP_INLINE V slope(V z, V) { return Logistic<T>::value(z, z); }
};

/// Misra, 2019. With e = exp(z) and n = e (e + 2), tanh(log(1 + e)) = n / (n + 2).
template <class T>
struct Mish {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kNone;
  static FASTMLP_INLINE V exp_below_20(V z) {  // above, tanh is 1 and e^2 could overflow
    return exp<T>(min(broadcast<T>(T{20}), z));
  }
  static FASTMLP_INLINE V value(V z, V) {
    const V e = exp_below_20(z);
    const V n = e * (e + T{2});
    return zero_far_below(z, z * (n / (n + T{2})));
  }
  static FASTMLP_INLINE V slope(V z, V) {
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
  static constexpr Fused kFused = Fused::kNone;
  static FASTMLP_INLINE V value(V z, V) { return z / (T{1} + abs<T>(z)); }
  static FASTMLP_INLINE V slope(V y, V) {
    const V rest = T{1} - abs<T>(y);
    return rest * rest;
  }
};

template <class T>
struct Exp {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kNone;
  static FASTMLP_INLINE V value(V z, V) { return exp<T>(z); }
  static FASTMLP_INLINE V slope(V y, V) { return y; }
};

template <class T>
struct Softmax {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kNone;

  /// As forward_row(), to the bit, for a row in each lane.
  static FASTMLP_INLINE void forward_columns(RowBlock<T>& z, Index cols) {
    const V largest = max_columns<T>(z, cols);
    for (Index c = 0; c < cols; ++c) z[c] = exp<T>(z[c] - largest);
    const V inverse = T{1} / sum_columns<T>(z, cols);
    for (Index c = 0; c < cols; ++c) z[c] *= inverse;
  }

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

template <class T>
struct LogSoftmax {
  using V = Vec<T>;
  static constexpr Fused kFused = Fused::kNone;

  /// As forward_row(), to the bit, for a row in each lane.
  static FASTMLP_INLINE void forward_columns(RowBlock<T>& z, Index cols) {
    const V largest = max_columns<T>(z, cols);
    RowBlock<T> exps;
    for (Index c = 0; c < cols; ++c) exps[c] = exp<T>(z[c] - largest);
    const V log_total = log<T>(sum_columns<T>(exps, cols));
    for (Index c = 0; c < cols; ++c) z[c] = (z[c] - largest) - log_total;
  }

  static FASTMLP_INLINE void forward_row(const T* z, T* y, Index cols) {
    const V largest = Softmax<T>::row_max(z, cols);
    V total{};
    for (Index c = 0; c < cols; c += kLanes<T>) {
      total += first_lanes<T>(cols - c) ? exp<T>(load(z + c) - largest) : V{};
    }
    const V log_total = log<T>(sum_lanes<T>(total));
    for (Index c = 0; c < cols; c += kLanes<T>) {
      store(y + c, first_lanes<T>(cols - c) ? (load(z + c) - largest) - log_total : V{});
    }
  }

  /// dz = dy - exp(y) sum(dy)
  static FASTMLP_INLINE void backward_row(const T* y, T* dy, Index cols) {
    V sum{};
    for (Index c = 0; c < cols; c += kLanes<T>) {
      sum += first_lanes<T>(cols - c) ? load(dy + c) : V{};
    }
    sum = sum_lanes<T>(sum);
    for (Index c = 0; c < cols; c += kLanes<T>) {
      const V dz = load(dy + c) - exp<T>(load(y + c)) * sum;
      store(dy + c, first_lanes<T>(cols - c) ? dz : V{});
    }
  }
};

/// What the catalog says of a functor: kRowOf<Relu>.keeps and so on.
template <template <class> class Functor>
inline constexpr ActivationRow kRowOf{};
#define ACTIVATION(name, functor, keeps, outputs, parameter, doc) \
  template <>                                                     \
  inline constexpr ActivationRow kRowOf<functor> = row_of(Activation::name);
#include "catalog/activations.def"
#undef ACTIVATION

template <template <class> class Functor>
inline constexpr bool kLearns = kRowOf<Functor>.parameter.kind == Parameter::kLearned;

/// The parameter of the units in a vector of columns.
template <class T, template <class> class Functor>
FASTMLP_INLINE Vec<T> parameter_at(const ActivationParameter<T>& parameter, Index column) {
  if constexpr (kLearns<Functor>) {
    return load(parameter.learned + column);
  } else {
    return broadcast<T>(parameter.given);
  }
}

/// to = value, where a vector at column c reaches beyond [begin, end) in those columns only; the
/// padding behind the last column of the row is free to take any finite value.
template <class T>
FASTMLP_INLINE void store_columns(T* to, Vec<T> value, Index c, const Columns& columns) {
  const bool whole = columns.begin <= c && (c + kLanes<T> <= columns.end || columns.ends_row);
  if (!whole) {
    const Bits<T> inside = first_lanes<T>(columns.end - c) & ~first_lanes<T>(columns.begin - c);
    value = inside ? value : load(to);
  }
  store(to, value);
}

/// Whole blocks of rows by columns where those are few, then one row at a time.
template <class T, template <class> class Functor>
FASTMLP_INLINE void forward_rows_of(const ActivationArgs<T>& a) {
  const Index cols = a.columns.end;
  Index r = 0;
  if (cols <= kFewColumns) {
    for (; r + kLanes<T> <= a.rows; r += kLanes<T>) {
      RowBlock<T> block;
      load_transposed<T>(a.z + r * a.ld, a.ld, kLanes<T>, cols, block);
      Functor<T>::forward_columns(block, cols);
      store_transposed<T>(block, a.y + r * a.ld, a.ld, kLanes<T>, cols);
    }
  }
  for (; r < a.rows; ++r) Functor<T>::forward_row(a.z + r * a.ld, a.y + r * a.ld, cols);
}

template <class T, template <class> class Functor>
void activation_forward(const ActivationArgs<T>& a) {
  if constexpr (kRowOf<Functor>.keeps == Keep::kRow) {
    forward_rows_of<T, Functor>(a);
  } else {
    const Columns columns = a.columns;
    for (Index r = 0; r < a.rows; ++r) {
      const T* z = a.z + r * a.ld;
      T* y = a.y + r * a.ld;
      for (Index c = round_down(columns.begin, kLanes<T>); c < columns.end; c += kLanes<T>) {
        const Vec<T> parameter = parameter_at<T, Functor>(a.parameter, c);
        store_columns<T>(y + c, Functor<T>::value(load(z + c), parameter), c, columns);
      }
    }
  }
}

template <class T, template <class> class Functor>
void activation_slope(const SlopeArgs<T>& a) {
  const Columns columns = a.columns;
  for (Index r = 0; r < a.rows; ++r) {
    T* kept = a.kept + r * a.ldkept;
    T* dy = a.dy + r * a.lddy;
    if constexpr (kRowOf<Functor>.keeps == Keep::kRow) {
      Functor<T>::backward_row(kept, dy, columns.end);
    } else {
      for (Index c = round_down(columns.begin, kLanes<T>); c < columns.end; c += kLanes<T>) {
        const Vec<T> parameter = parameter_at<T, Functor>(a.parameter, c);
        const Vec<T> gradient = load(dy + c);
        const Vec<T> from = load(kept + c);
        if constexpr (kLearns<Functor>) {
          store_columns<T>(kept + c, gradient * Functor<T>::parameter_slope(from), c, columns);
        }
        store_columns<T>(dy + c, gradient * Functor<T>::slope(from, parameter), c, columns);
      }
    }
  }
}

}  // namespace fastmlp::FASTMLP_TARGET
