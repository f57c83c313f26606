// Which target runs: the best that this CPU supports, unless the environment variable
// FASTMLP_TARGET or set_target() names another.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernel_table.h"

namespace fastmlp {

struct Target {
  const char* name;
  const char* doc;
  bool available;  // on this CPU
  KernelTable kernels;
};

/// Every target that was compiled, best last.
const std::vector<Target>& targets();

/// The target in force. The first call reads FASTMLP_TARGET and throws std::invalid_argument
/// where it names an unknown target or one that this CPU does not support.
const Target& current_target();

/// Chooses a target for the networks made from now on; throws std::invalid_argument as above.
void set_target(const std::string& name);

/// The target of that name; throws std::invalid_argument as above.
const Target& target_named(const std::string& name);

}  // namespace fastmlp
