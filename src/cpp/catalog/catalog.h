// Enums and rows made from the .def tables, the one place where an activation, a loss, an optimizer
// or a target is declared. Plain data: kernels, layers and bindings all read it.
#pragma once

#include "base/base.h"

namespace fastmlp {

/// What an activation's slope is computed from.
enum class Keep { kOutput, kInput, kRow };
/// How a loss combines the outputs of one row.
enum class Over { kSum, kMean };

enum class Activation {
#define ACTIVATION(name, functor, keeps, parameter, doc) name,
#include "catalog/activations.def"
#undef ACTIVATION
};

enum class Loss {
#define LOSS(name, functor, link, mean, parameter, doc) name,
#include "catalog/losses.def"
#undef LOSS
};

enum class Optimizer {
#define OPTIMIZER(name, functor, slots, hyperparameters, doc) name,
#include "catalog/optimizers.def"
#undef OPTIMIZER
};

/// The one number that an activation or a loss may depend on.
struct Parameter {
  enum Kind { kNone, kGiven, kLearned } kind;
  const char* name;
  double value;  // unless the user says otherwise; where it is learned, at the start
};

#define NONE {Parameter::kNone, nullptr, 0.0}
#define GIVEN(name, value) {Parameter::kGiven, #name, value}
#define LEARNED(name, value) {Parameter::kLearned, #name, value}

struct ActivationRow {
  const char* name;
  Keep keeps;
  Parameter parameter;
  const char* doc;
};
inline constexpr ActivationRow kActivations[] = {
#define ACTIVATION(name, functor, keeps, parameter, doc) {#name, Keep::keeps, parameter, doc},
#include "catalog/activations.def"
#undef ACTIVATION
};

struct LossRow {
  const char* name;
  Activation link;
  Over over;
  Parameter parameter;
  const char* doc;
};
inline constexpr LossRow kLosses[] = {
#define LOSS(name, functor, link, mean, parameter, doc) \
  {#name, Activation::link, Over::mean, parameter, doc},
#include "catalog/losses.def"
#undef LOSS
};

#undef NONE
#undef GIVEN
#undef LEARNED

inline constexpr int kMaxSlots = 2;
inline constexpr int kMaxHyperparameters = 4;

struct Hyperparameter {
  const char* name;
  double value;
};
struct OptimizerRow {
  const char* name;
  int slots;
  Hyperparameter hyperparameters[kMaxHyperparameters];  // the unused ones have no name
  const char* doc;
};
inline constexpr OptimizerRow kOptimizers[] = {
#define HYPER(name, value) {#name, value},
#define OPTIMIZER(name, functor, slots, hyperparameters, doc) \
  {#name, slots, {hyperparameters}, doc},
#include "catalog/optimizers.def"
#undef OPTIMIZER
#undef HYPER
};

/// Positions of an optimizer's hyperparameters: hyper::adam::beta_1 and so on.
namespace hyper {
#define HYPER(name, value) name,
#define OPTIMIZER(name, functor, slots, hyperparameters, doc) \
  namespace name {                                            \
  enum Position { hyperparameters };                          \
  }
#include "catalog/optimizers.def"
#undef OPTIMIZER
#undef HYPER
}  // namespace hyper

FASTMLP_INLINE constexpr const ActivationRow& row_of(Activation a) {
  return kActivations[static_cast<int>(a)];
}
FASTMLP_INLINE constexpr const LossRow& row_of(Loss loss) {
  return kLosses[static_cast<int>(loss)];
}

template <class Row, std::size_t N>
FASTMLP_INLINE constexpr Index row_count(const Row (&)[N]) {
  return static_cast<Index>(N);
}
inline constexpr Index kActivationCount = row_count(kActivations);
inline constexpr Index kLossCount = row_count(kLosses);
inline constexpr Index kOptimizerCount = row_count(kOptimizers);

}  // namespace fastmlp
