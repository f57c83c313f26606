// Enums and rows made from the .def tables, the one place where an activation, a loss, an optimizer
// or a target is declared. Plain data: kernels, layers and bindings all read it.
#pragma once

#include "base/base.h"

namespace fastmlp {

/// What an activation's slope is computed from.
enum class Keep { kOutput, kInput, kRow };
/// How a loss combines the outputs of one row.
enum class Over {
  kSum,
  kMean,
  kPairs,  // a target has two, in the two halves of the row; the mean over the pairs
};

/// Ranges of the numbers of a row: what an activation gives, and what a loss takes.
enum class Values {
  kReal,
  kNonNegative,
  kPositive,
  kUnit,        // from 0 to 1
  kSimplex,     // from 0 to 1, and they add up to 1
  kLogSimplex,  // the logarithms of such
  kSides,       // 0 and 1, or -1 and 1
};

/// Whether all that lies in `narrow` lies in `wide`.
FASTMLP_INLINE constexpr bool within(Values narrow, Values wide) {
  switch (wide) {
    case Values::kReal:
      return true;
    case Values::kNonNegative:
      return narrow == Values::kNonNegative || within(narrow, Values::kPositive);
    case Values::kPositive:  // a probability is 0 only where it was rounded
      return narrow == Values::kPositive || within(narrow, Values::kUnit);
    case Values::kUnit:
      return narrow == Values::kUnit || narrow == Values::kSimplex;
    default:
      return narrow == wide;
  }
}

/// Whether one number, looked at alone, may be among such values. NaN may not.
FASTMLP_INLINE constexpr bool allows(Values values, double x) {
  switch (values) {
    case Values::kReal:
      return x == x;
    case Values::kNonNegative:
    case Values::kPositive:  // what has been rounded included
      return x >= 0.0;
    case Values::kLogSimplex:
      return x <= 0.0;
    case Values::kSides:
      return x == 0.0 || x == 1.0 || x == -1.0;
    default:
      return x >= 0.0 && x <= 1.0;
  }
}

/// What allows() allows, in words.
FASTMLP_INLINE constexpr const char* words(Values values) {
  switch (values) {
    case Values::kReal:
      return "numbers";
    case Values::kNonNegative:
      return "numbers of at least 0";
    case Values::kPositive:
      return "numbers above 0";
    case Values::kUnit:
      return "numbers from 0 to 1";
    case Values::kSimplex:
      return "probabilities, from 0 to 1";
    case Values::kLogSimplex:
      return "logarithms of probabilities, at most 0";
    case Values::kSides:
      return "0 and 1, or -1 and 1";
  }
  return "";
}

enum class Activation {
#define ACTIVATION(name, functor, keeps, outputs, parameter, doc) name,
#include "catalog/activations.def"
#undef ACTIVATION
};

enum class Loss {
#define LOSS(name, functor, link, outputs, targets, mean, parameter, doc) name,
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
  Values outputs;
  Parameter parameter;
  const char* doc;
};
inline constexpr ActivationRow kActivations[] = {
#define ACTIVATION(name, functor, keeps, outputs, parameter, doc) \
  {#name, Keep::keeps, Values::outputs, parameter, doc},
#include "catalog/activations.def"
#undef ACTIVATION
};

struct LossRow {
  const char* name;
  Activation link;
  Values outputs;
  Values targets;
  Over over;
  Parameter parameter;
  const char* doc;
};
inline constexpr LossRow kLosses[] = {
#define LOSS(name, functor, link, outputs, targets, mean, parameter, doc) \
  {#name, Activation::link, Values::outputs, Values::targets, Over::mean, parameter, doc},
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

/// The targets of a row of so many outputs.
FASTMLP_INLINE constexpr Index target_count(Loss loss, Index outputs) {
  return row_of(loss).over == Over::kPairs ? outputs / 2 : outputs;
}

template <class Row, std::size_t N>
FASTMLP_INLINE constexpr Index row_count(const Row (&)[N]) {
  return static_cast<Index>(N);
}
inline constexpr Index kActivationCount = row_count(kActivations);
inline constexpr Index kLossCount = row_count(kLosses);
inline constexpr Index kOptimizerCount = row_count(kOptimizers);

}  // namespace fastmlp
