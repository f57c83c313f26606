// The speed that the machine could reach, measured by the target's own loops: what results of
// benchmarks are held against.
#pragma once

#include "kernels/dispatch.h"

namespace fastmlp {

struct MachineLimits {
  double flops;      // multiply-adds of float32 per second, times two
  double bandwidth;  // bytes of STREAM's triad per second: two read and one written per number
};

/// Best of several runs on so many threads (0: all), about 0.3 s in all. Allocates 192 MB.
MachineLimits measure_limits(const Target& target, int threads);

}  // namespace fastmlp
