// Compiled once per target (FASTMLP_TARGET, a namespace) and scalar type (FASTMLP_SCALAR): fills
// the target's kernels from the catalog. The unit may not include anything whose inline functions
// a linker could share with code for lesser CPUs; tests/architecture/test_symbols.py checks that.
#include "kernels/dense.h"
#include "kernels/dropout.h"
#include "kernels/limits.h"
#include "kernels/losses.h"
#include "kernels/norm.h"
#include "kernels/optimizers.h"
#include "kernels/periodic.h"

namespace fastmlp::FASTMLP_TARGET {

#define FASTMLP_STRING_OF(x) #x
#define FASTMLP_STRING(x) FASTMLP_STRING_OF(x)

using Scalar = FASTMLP_SCALAR;

extern const Kernels<Scalar> FASTMLP_TABLE;
const Kernels<Scalar> FASTMLP_TABLE = {
    FASTMLP_STRING(FASTMLP_TARGET),
    kLanes<Scalar>,
    kPanelVectors,
    {
#define ACTIVATION(name, functor, keeps, outputs, parameter, doc) forward<Scalar, functor>,
#include "catalog/activations.def"
#undef ACTIVATION
    },
    {
#define ACTIVATION(name, functor, keeps, outputs, parameter, doc) backward_input<Scalar, functor>,
#include "catalog/activations.def"
#undef ACTIVATION
    },
    backward_weights<Scalar>,
    {
#define ACTIVATION(name, functor, keeps, outputs, parameter, doc) \
  activation_forward<Scalar, functor>,
#include "catalog/activations.def"
#undef ACTIVATION
    },
    {
#define ACTIVATION(name, functor, keeps, outputs, parameter, doc) activation_slope<Scalar, functor>,
#include "catalog/activations.def"
#undef ACTIVATION
    },
    {
#define LOSS(name, functor, link, outputs, targets, over, parameter, doc) \
  loss<Scalar, functor, Activation::link, Over::over, On::kOutput>,
#include "catalog/losses.def"
#undef LOSS
    },
    {
#define LOSS(name, functor, link, outputs, targets, over, parameter, doc) \
  loss<Scalar, functor, Activation::link, Over::over, On::kLogits>,
#include "catalog/losses.def"
#undef LOSS
    },
    {
#define OPTIMIZER(name, functor, slots, hyperparameters, doc) functor<Scalar>::prepare,
#include "catalog/optimizers.def"
#undef OPTIMIZER
    },
    {
#define OPTIMIZER(name, functor, slots, hyperparameters, doc) update<Scalar, functor, slots>,
#include "catalog/optimizers.def"
#undef OPTIMIZER
    },
    add_penalty<Scalar>,
    sum_parts<Scalar>,
    all_finite<Scalar>,
    normalize<Scalar>,
    normalize_slope<Scalar>,
    periodic<Scalar>,
    periodic_slope<Scalar>,
    dropout<Scalar>,
    random_block,
    scale<Scalar>,
    kTurnFlops<Scalar>,
    multiply_adds<Scalar>,
    triad<Scalar>,
};

}  // namespace fastmlp::FASTMLP_TARGET
