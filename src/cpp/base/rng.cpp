#include "base/rng.h"

namespace fastmlp {

namespace {

/// A number in [0, bound) from 64 random bits, by multiplication: the bias is below bound / 2^64.
Index bounded(std::uint64_t bits, Index bound) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<Index>((static_cast<Wide>(bits) * static_cast<Wide>(bound)) >> 64);
}

}  // namespace

void random_permutation(std::uint64_t seed, Index epoch, Index window, Index n,
                        Index* order) noexcept {
  for (Index i = 0; i < n; ++i) order[i] = i;
  PhiloxBlock bits{};
  for (Index i = n - 1; i > 0; --i) {
    if (i == n - 1 || i % 2 == 1) {  // a block serves two positions
      const auto block = static_cast<std::uint64_t>(i / 2);
      const auto purpose = static_cast<std::uint32_t>(Purpose::kShuffle) << 24;
      bits = philox(seed, {{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(epoch),
                            static_cast<std::uint32_t>(window),
                            purpose ^ static_cast<std::uint32_t>(block >> 32)}});
    }
    const Index half = 2 * (i % 2);
    const Index j = bounded(std::uint64_t{bits.word[half + 1]} << 32 | bits.word[half], i + 1);
    const Index swapped = order[i];
    order[i] = order[j];
    order[j] = swapped;
  }
}

}  // namespace fastmlp
