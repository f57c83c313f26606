// What every file may use: the index type, the compiler's spellings, two lines of arithmetic.
// Kernel files rely on this header and nothing else of base/, so everything here is inlined: a
// function that a target's unit emitted for itself could be handed to the others by the linker.
#pragma once

#include <cstddef>
#include <cstdint>

#define FASTMLP_INLINE inline __attribute__((always_inline))
#define FASTMLP_NOINLINE __attribute__((noinline))
#define FASTMLP_UNROLL _Pragma("GCC unroll 64")

namespace fastmlp {

using Index = std::ptrdiff_t;

FASTMLP_INLINE constexpr Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }
FASTMLP_INLINE constexpr Index round_up(Index a, Index b) { return ceil_div(a, b) * b; }
FASTMLP_INLINE constexpr Index round_down(Index a, Index b) { return a / b * b; }
FASTMLP_INLINE constexpr Index min_index(Index a, Index b) { return a < b ? a : b; }

}  // namespace fastmlp
