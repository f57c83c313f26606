#include "kernels/dispatch.h"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

namespace fastmlp {

#define TARGET(name, supported, doc)     \
  namespace name {                       \
  extern const Kernels<float> kFloat32;  \
  extern const Kernels<double> kFloat64; \
  }
#include "catalog/targets.def"
#undef TARGET

namespace {

std::atomic<const Target*> chosen{nullptr};

std::string names(bool available_only) {
  std::string list;
  for (const Target& target : targets()) {
    if (available_only && !target.available) continue;
    list += (list.empty() ? "'" : ", '") + std::string(target.name) + "'";
  }
  return list;
}

const Target& initial_target() {
  if (const char* name = std::getenv("FASTMLP_TARGET"); name != nullptr && *name != '\0') {
    try {
      return target_named(name);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(std::string("environment variable FASTMLP_TARGET: ") +
                                  error.what());
    }
  }
  const Target* best = nullptr;
  for (const Target& target : targets()) {
    if (target.available) best = &target;
  }
  return *best;
}

}  // namespace

const std::vector<Target>& targets() {
  static const std::vector<Target> all = {
#define CPU(feature) (__builtin_cpu_supports(feature) != 0)
#define TARGET(name, supported, doc) {#name, doc, supported, {name::kFloat32, name::kFloat64}},
#include "catalog/targets.def"
#undef TARGET
#undef CPU
  };
  return all;
}

const Target& target_named(const std::string& name) {
  for (const Target& target : targets()) {
    if (name != target.name) continue;
    if (target.available) return target;
    throw std::invalid_argument("target '" + name +
                                "' is not supported by this CPU; available: " + names(true));
  }
  throw std::invalid_argument("unknown target '" + name + "'; allowed: " + names(false));
}

const Target& current_target() {
  const Target* target = chosen.load();
  if (target == nullptr) {
    target = &initial_target();
    chosen.store(target);
  }
  return *target;
}

void set_target(const std::string& name) { chosen.store(&target_named(name)); }

}  // namespace fastmlp
