// One step of training: what its passes and its update need to know. Every thread makes its own,
// and all are equal.
#pragma once

#include "kernels/kernel_table.h"
#include "nn/batch.h"

namespace fastmlp {

struct Step {
  Index number;  // from 1
  Batch batch;
  double weight_sum;
  MaskKey masks;
  LossPlan loss;
  double rate;
  Coefficients coefficients;  // of the optimizer
  double penalty_scale;
  const Range* shards;  // rows of the batch, where several processes share it; else null
};

}  // namespace fastmlp
