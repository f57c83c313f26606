// Optimizers. `prepare` turns rate, hyperparameters and step into coefficients, once a step; a
// functor made of these updates one vector: the new slots in place, the new parameter returned.
// `reach` is how far a gradient of one moves a parameter in the long run: the size of the proximal
// step for l1, so that l1 weighs against g as it does in the objective (ProxGen: Yun, Lozano and
// Yang, 2021).
// `kDecoupled` keeps the penalty's gradient out of g and its own: w moves by the plain rate.
// Square roots and divisions are by estimates where the target has them: with Adam, a step of
// 8-32-32-1 takes 3 % less time on Emerald Rapids for it. On Zen 4 they made no difference.
#pragma once

#include "kernels/kernel_table.h"
#include "simd/math.h"

namespace fastmlp::FASTMLP_TARGET {

/// v = momentum v - rate g; w += v, or with Nesterov's look-ahead w += momentum v - rate g.
template <class T>
struct Sgd {
  using V = Vec<T>;
  static constexpr bool kDecoupled = false;
  T rate, momentum, of_velocity, of_gradient;

  static void prepare(double rate, const double* h, Index, Coefficients& c) {
    const bool nesterov = h[hyper::sgd::nesterov] != 0.0;
    const double momentum = h[hyper::sgd::momentum];
    c = {{rate, momentum, nesterov ? momentum : 1.0, nesterov ? rate : 0.0}};
  }
  explicit FASTMLP_INLINE Sgd(const Coefficients& c)
      : rate(static_cast<T>(c.value[0])),
        momentum(static_cast<T>(c.value[1])),
        of_velocity(static_cast<T>(c.value[2])),
        of_gradient(static_cast<T>(c.value[3])) {}
  FASTMLP_INLINE V operator()(V w, V g, V (&slot)[kMaxSlots]) const {
    slot[0] = momentum * slot[0] - rate * g;
    return w + (of_velocity * slot[0] - of_gradient * g);
  }
  FASTMLP_INLINE V reach(const V (&)[kMaxSlots]) const { return broadcast<T>(rate); }
};

/// m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= rate_t m / (sqrt(v) + epsilon) with
/// rate_t = rate sqrt(1 - b2^t) / (1 - b1^t): the form at the end of section 2 of the paper.
template <class T>
struct Adam {
  using V = Vec<T>;
  static constexpr bool kDecoupled = false;
  T rate, beta_1, beta_2, epsilon, far, rest_1, rest_2;

  static void prepare(double rate, const double* h, Index step, Coefficients& c) {
    const double b1 = h[hyper::adam::beta_1];
    const double b2 = h[hyper::adam::beta_2];
    const auto t = static_cast<double>(step);
    const double reach = rate * __builtin_sqrt(1 - __builtin_pow(b2, t));
    c = {{reach / (1 - __builtin_pow(b1, t)), b1, b2, h[hyper::adam::epsilon], reach}};
  }
  explicit FASTMLP_INLINE Adam(const Coefficients& c)
      : rate(static_cast<T>(c.value[0])),
        beta_1(static_cast<T>(c.value[1])),
        beta_2(static_cast<T>(c.value[2])),
        epsilon(static_cast<T>(c.value[3])),
        far(static_cast<T>(c.value[4])),
        rest_1(static_cast<T>(1 - c.value[1])),
        rest_2(static_cast<T>(1 - c.value[2])) {}
  FASTMLP_INLINE V operator()(V w, V g, V (&slot)[kMaxSlots]) const {
    slot[0] = beta_1 * slot[0] + rest_1 * g;
    slot[1] = beta_2 * slot[1] + rest_2 * (g * g);
    return w - fast_divide<T>(rate * slot[0], fast_sqrt<T>(slot[1]) + epsilon);
  }
  FASTMLP_INLINE V reach(const V (&slot)[kMaxSlots]) const {
    return fast_divide<T>(broadcast<T>(far), fast_sqrt<T>(slot[1]) + epsilon);
  }
};

template <class T>
struct AdamW : Adam<T> {
  static constexpr bool kDecoupled = true;
  using Adam<T>::Adam;
};

/// Adam's moments with a look ahead: w -= rate (b1 m / (1 - b1^(t+1)) + (1 - b1) g / (1 - b1^t)) /
/// (sqrt(v / (1 - b2^t)) + epsilon).
template <class T>
struct NAdam {
  using V = Vec<T>;
  static constexpr bool kDecoupled = false;
  T of_moment, of_gradient, beta_1, beta_2, epsilon, correction, rate, rest_1, rest_2;

  static void prepare(double rate, const double* h, Index step, Coefficients& c) {
    const double b1 = h[hyper::nadam::beta_1];
    const double b2 = h[hyper::nadam::beta_2];
    const auto t = static_cast<double>(step);
    c = {{rate * b1 / (1 - __builtin_pow(b1, t + 1)), rate * (1 - b1) / (1 - __builtin_pow(b1, t)),
          b1, b2, h[hyper::nadam::epsilon], 1 / __builtin_sqrt(1 - __builtin_pow(b2, t)), rate}};
  }
  explicit FASTMLP_INLINE NAdam(const Coefficients& c)
      : of_moment(static_cast<T>(c.value[0])),
        of_gradient(static_cast<T>(c.value[1])),
        beta_1(static_cast<T>(c.value[2])),
        beta_2(static_cast<T>(c.value[3])),
        epsilon(static_cast<T>(c.value[4])),
        correction(static_cast<T>(c.value[5])),
        rate(static_cast<T>(c.value[6])),
        rest_1(static_cast<T>(1 - c.value[2])),
        rest_2(static_cast<T>(1 - c.value[3])) {}
  FASTMLP_INLINE V operator()(V w, V g, V (&slot)[kMaxSlots]) const {
    slot[0] = beta_1 * slot[0] + rest_1 * g;
    slot[1] = beta_2 * slot[1] + rest_2 * (g * g);
    const V ahead = of_moment * slot[0] + of_gradient * g;
    return w - fast_divide<T>(ahead, correction * fast_sqrt<T>(slot[1]) + epsilon);
  }
  FASTMLP_INLINE V reach(const V (&slot)[kMaxSlots]) const {
    return fast_divide<T>(broadcast<T>(rate), correction * fast_sqrt<T>(slot[1]) + epsilon);
  }
};

/// v = rho v + (1 - rho) g^2; w -= rate g / (sqrt(v) + epsilon).
template <class T>
struct RmsProp {
  using V = Vec<T>;
  static constexpr bool kDecoupled = false;
  T rate, rho, epsilon, rest;

  static void prepare(double rate, const double* h, Index, Coefficients& c) {
    c = {{rate, h[hyper::rmsprop::rho], h[hyper::rmsprop::epsilon]}};
  }
  explicit FASTMLP_INLINE RmsProp(const Coefficients& c)
      : rate(static_cast<T>(c.value[0])),
        rho(static_cast<T>(c.value[1])),
        epsilon(static_cast<T>(c.value[2])),
        rest(static_cast<T>(1 - c.value[1])) {}
  FASTMLP_INLINE V operator()(V w, V g, V (&slot)[kMaxSlots]) const {
    slot[0] = rho * slot[0] + rest * (g * g);
    return w - fast_divide<T>(rate * g, fast_sqrt<T>(slot[0]) + epsilon);
  }
  FASTMLP_INLINE V reach(const V (&slot)[kMaxSlots]) const {
    return fast_divide<T>(broadcast<T>(rate), fast_sqrt<T>(slot[0]) + epsilon);
  }
};

/// s += g^2; w -= rate g / (sqrt(s) + epsilon).
template <class T>
struct AdaGrad {
  using V = Vec<T>;
  static constexpr bool kDecoupled = false;
  T rate, epsilon;

  static void prepare(double rate, const double* h, Index, Coefficients& c) {
    c = {{rate, h[hyper::adagrad::epsilon]}};
  }
  explicit FASTMLP_INLINE AdaGrad(const Coefficients& c)
      : rate(static_cast<T>(c.value[0])), epsilon(static_cast<T>(c.value[1])) {}
  FASTMLP_INLINE V operator()(V w, V g, V (&slot)[kMaxSlots]) const {
    slot[0] += g * g;
    return w - fast_divide<T>(rate * g, fast_sqrt<T>(slot[0]) + epsilon);
  }
  FASTMLP_INLINE V reach(const V (&slot)[kMaxSlots]) const {
    return fast_divide<T>(broadcast<T>(rate), fast_sqrt<T>(slot[0]) + epsilon);
  }
};

/// |w|_1 and |w|_2^2 of the vectors added.
template <class T>
struct Penalty {
  Vec<T> absolute{}, square{};

  FASTMLP_INLINE void add(Vec<T> w) {
    absolute += abs<T>(w);
    square += w * w;
  }
  FASTMLP_INLINE double value(T l1, T l2) const {
    return static_cast<double>(l1) * static_cast<double>(sum_lanes<T>(absolute)[0]) +
           static_cast<double>(l2) * static_cast<double>(sum_lanes<T>(square)[0]);
  }
};

/// sign(w) max(|w| - distance, 0)
template <class T>
FASTMLP_INLINE Vec<T> soft_threshold(Vec<T> w, Vec<T> distance) {
  return copy_sign<T>(max(Vec<T>{}, abs<T>(w) - distance), w);
}

/// The arguments are a copy, because the stores could change what a reference refers to.
template <class T, template <class> class Functor, int Slots, bool Squared, bool Absolute>
FASTMLP_INLINE double update_all(const UpdateArgs<T> a) {
  constexpr bool decoupled = Functor<T>::kDecoupled;
  const Functor<T> step(*a.coefficients);
  const T rate = static_cast<T>(a.rate);
  const T l1 = static_cast<T>(a.l1);
  const T l2 = static_cast<T>(a.l2);
  Penalty<T> penalty;
  for (Index i = 0; i < a.n; i += kLanes<T>) {
    Vec<T> w = load(a.w + i);
    Vec<T> g = load(a.g + i);
    if constexpr (Squared || Absolute) penalty.add(w);
    if constexpr (Squared && decoupled) w -= rate * T{2} * l2 * w;
    if constexpr (Squared && !decoupled) g += T{2} * l2 * w;
    Vec<T> slot[kMaxSlots];
    for (int s = 0; s < Slots; ++s) slot[s] = load(a.slot[s] + i);
    w = step(w, g, slot);
    if constexpr (Absolute) {
      w = soft_threshold<T>(w, l1 * (decoupled ? broadcast<T>(rate) : step.reach(slot)));
    }
    store(a.w + i, w);
    for (int s = 0; s < Slots; ++s) store(a.slot[s] + i, slot[s]);
  }
  return penalty.value(l1, l2);
}

template <class T, template <class> class Functor, int Slots>
double update(const UpdateArgs<T>& a) {
  if (a.l1 != 0.0) return update_all<T, Functor, Slots, true, true>(a);
  if (a.l2 != 0.0) return update_all<T, Functor, Slots, true, false>(a);
  return update_all<T, Functor, Slots, false, false>(a);
}

template <class T>
void sum_parts(const SumArgs<T>& a) {
  for (Index i = 0; i < a.n; i += kLanes<T>) {
    Vec<T> sum = load(a.parts + i);
    for (Index k = 1; k < a.count; ++k) sum += load(a.parts + k * a.stride + i);
    store(a.sum + i, sum);
  }
}

template <class T>
double add_penalty(const PenaltyArgs<T>& a) {
  const T l1 = static_cast<T>(a.l1);
  const T l2 = static_cast<T>(a.l2);
  const Vec<T> one = broadcast<T>(T{1});
  Penalty<T> penalty;
  for (Index i = 0; i < a.n; i += kLanes<T>) {
    const Vec<T> w = load(a.w + i);
    const Vec<T> sign = (w > T{0} ? one : Vec<T>{}) - (w < T{0} ? one : Vec<T>{});
    penalty.add(w);
    store(a.g + i, load(a.g + i) + (T{2} * l2 * w + l1 * sign));
  }
  return penalty.value(l1, l2);
}

}  // namespace fastmlp::FASTMLP_TARGET
