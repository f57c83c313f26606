// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", 2011). A number depends on (key, counter) alone, so whoever asks
// for it, on whichever thread, gets the same one. kernels/dropout.h has the vector form.
#pragma once

#include "base/base.h"

namespace fastmlp {

inline constexpr std::uint32_t kPhiloxMultiplier[2] = {0xD2511F53u, 0xCD9E8D57u};
inline constexpr std::uint32_t kPhiloxWeyl[2] = {0x9E3779B9u, 0xBB67AE85u};
inline constexpr int kPhiloxRounds = 10;

/// What a stream of random numbers is for: part of the counter, so that streams never meet.
enum class Purpose : std::uint32_t { kShuffle = 1, kDropout = 2 };

struct PhiloxBlock {
  std::uint32_t word[4];
};

FASTMLP_INLINE PhiloxBlock philox(std::uint64_t seed, PhiloxBlock counter) {
  auto k0 = static_cast<std::uint32_t>(seed);
  auto k1 = static_cast<std::uint32_t>(seed >> 32);
  PhiloxBlock c = counter;
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const std::uint64_t p0 = std::uint64_t{kPhiloxMultiplier[0]} * c.word[0];
    const std::uint64_t p1 = std::uint64_t{kPhiloxMultiplier[1]} * c.word[2];
    c = {{static_cast<std::uint32_t>(p1 >> 32) ^ c.word[1] ^ k0, static_cast<std::uint32_t>(p1),
          static_cast<std::uint32_t>(p0 >> 32) ^ c.word[3] ^ k1, static_cast<std::uint32_t>(p0)}};
    k0 += kPhiloxWeyl[0];
    k1 += kPhiloxWeyl[1];
  }
  return c;
}

/// Writes a random permutation of 0..n-1 (Fisher-Yates): the order of the rows in one window of one
/// epoch, both below 2^32.
void random_permutation(std::uint64_t seed, Index epoch, Index window, Index n,
                        Index* order) noexcept;

}  // namespace fastmlp
