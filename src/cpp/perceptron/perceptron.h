// Rosenblatt's perceptron: one threshold unit per output, whose weights change at mistakes alone.
// The rule takes one row at a time, so rows are read where they lie or converted one by one, and
// there is nothing to share among threads: each row needs the weights that the one before left.
#pragma once

#include <vector>

#include "base/poll.h"
#include "base/row_source.h"

namespace fastmlp {

struct PerceptronSettings {
  double eta0 = 1.0;  // how far a mistake moves the weights
  Index epochs = 1000;
  bool shuffle = true;
  std::uint64_t seed = 0;
  Index first_epoch = 0;  // epochs trained before this run: they number the shuffles
};

/// The hyperplanes: w of shape (outputs, features) in C order, b of shape (outputs,).
struct Hyperplanes {
  double* w;
  double* b;
  Index outputs;
  Index features;
};

struct PerceptronReport {
  std::vector<Index> mistakes;  // per epoch, over all outputs
  Index failed_epoch = 0;       // from 1: the first that left weights that are not finite
};

/// Trains until an epoch without a mistake, for at most `settings.epochs`. A target above 0.5 is
/// the positive side. Returns false where the caller asked to stop; the epoch is then half done.
bool train_perceptron(RowSource& source, const PerceptronSettings& settings,
                      const Hyperplanes& planes, Caller& caller, PerceptronReport& report);

}  // namespace fastmlp
