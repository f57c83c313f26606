#include "train/settings.h"

#include <stdexcept>

namespace fastmlp {

void check_setting(const char* name, double value, Allowed allowed) {
  const char* wanted = nullptr;
  if (allowed == Allowed::kCount && !(value >= 1.0)) wanted = "at least 1";
  if (allowed == Allowed::kPositive && !(value > 0.0 && std::isfinite(value))) {
    wanted = "positive and finite";
  }
  if (allowed == Allowed::kNotNegative && !(value >= 0.0 && std::isfinite(value))) {
    wanted = "finite and not negative";
  }
  if (wanted == nullptr) return;
  const bool whole = allowed == Allowed::kCount && std::isfinite(value);
  const std::string got = whole ? std::to_string(static_cast<Index>(value)) : std::to_string(value);
  throw std::invalid_argument(std::string(name) + " must be " + wanted + ", got " + got);
}

}  // namespace fastmlp
