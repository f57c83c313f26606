// Dropout masks from Philox4x32-10 in vectors (base/rng.h has the scalar form and the source).
// One block of random numbers, for one column, holds eight 16-bit decisions: the rows r..r+7 of
// that column. A decision depends on (seed, layer, step, row, column) only, so a mask is the same
// on every thread and every target, and backward makes it again instead of storing it.
#pragma once

#include "base/rng.h"
#include "kernels/kernel_table.h"
#include "simd/vec.h"

namespace fastmlp::FASTMLP_TARGET {

/// Philox on one block per 32-bit lane.
struct PhiloxVectors {
  U32 word[4];
};

FASTMLP_INLINE void multiply_wide(U32 a, std::uint32_t factor, U32& high, U32& low) {
  const U64 low_half = U64{} + 0xFFFFFFFFu;
  const U64 f = U64{} + factor;
  const U64 even = multiply_low_halves((U64)a, f);
  const U64 odd = multiply_low_halves((U64)a >> 32, f);
  low = (U32)((even & low_half) | (odd << 32));
  high = (U32)((even >> 32) | (odd & ~low_half));
}

FASTMLP_INLINE PhiloxVectors philox(std::uint64_t seed, PhiloxVectors counter) {
  auto k0 = static_cast<std::uint32_t>(seed);
  auto k1 = static_cast<std::uint32_t>(seed >> 32);
  PhiloxVectors c = counter;
  FASTMLP_UNROLL
  for (int round = 0; round < kPhiloxRounds; ++round) {
    U32 high0, low0, high1, low1;
    multiply_wide(c.word[0], kPhiloxMultiplier[0], high0, low0);
    multiply_wide(c.word[2], kPhiloxMultiplier[1], high1, low1);
    c = {{high1 ^ c.word[1] ^ k0, low1, high0 ^ c.word[3] ^ k1, low0}};
    k0 += kPhiloxWeyl[0];
    k1 += kPhiloxWeyl[1];
  }
  return c;
}

/// The first lane's block alone.
inline PhiloxBlock random_block(std::uint64_t seed, PhiloxBlock counter) {
  PhiloxVectors counters;
  for (int i = 0; i < 4; ++i) counters.word[i] = U32{} + counter.word[i];
  const PhiloxVectors bits = philox(seed, counters);
  return {{bits.word[0][0], bits.word[1][0], bits.word[2][0], bits.word[3][0]}};
}

/// The random blocks of columns col.. and the eight rows of one group.
template <class T>
FASTMLP_INLINE PhiloxVectors mask_bits(const DropoutArgs<T>& a, Index col, Index group) {
  const U32 columns = (U32)detail::iota<float>(std::make_index_sequence<kLanes<float>>{}) +
                      static_cast<std::uint32_t>(col);
  const auto purpose = static_cast<std::uint32_t>(Purpose::kDropout) << 24 | a.layer << 16;
  return philox(a.seed, {{columns, U32{} + static_cast<std::uint32_t>(group),
                          U32{} + static_cast<std::uint32_t>(a.step),
                          U32{} + (purpose ^ static_cast<std::uint32_t>(a.step >> 32))}});
}

/// The decisions of row `row` of the group: 16 bits in each 32-bit lane.
FASTMLP_INLINE U32 decision(const PhiloxVectors& bits, Index row) {
  const U32 word = bits.word[row / 2];
  return row % 2 == 0 ? word & 0xFFFFu : word >> 16;
}

/// Applies the decisions of kLanes<float> columns: one vector of floats, two of doubles.
FASTMLP_INLINE void apply_mask(U32 keep, const float* x, float* y, float scale) {
  store(y, (I32)keep ? load(x) * scale : F32{});
}
FASTMLP_INLINE void apply_mask(U32 keep, const double* x, double* y, double scale) {
  typedef std::int32_t Half __attribute__((vector_size(kVectorBytes / 2)));
  Half half[2];
  __builtin_memcpy(half, &keep, sizeof(keep));
  for (Index i = 0; i < 2; ++i) {
    const I64 wide = __builtin_convertvector(half[i], I64);
    store(y + i * kLanes<double>, wide ? load(x + i * kLanes<double>) * scale : F64{});
  }
}

template <class T>
void dropout(const DropoutArgs<T>& a) {
  const T scale = static_cast<T>(a.scale);
  for (Index r = 0; r < a.rows; r += kMaskRows) {
    const Index group = (a.row_begin + r) / kMaskRows;
    const Index rows = min_index(kMaskRows, a.rows - r);
    for (Index c = 0; c < a.cols; c += kLanes<float>) {
      const PhiloxVectors bits = mask_bits(a, a.col_begin + c, group);
      for (Index i = 0; i < rows; ++i) {
        const U32 keep = (U32)(decision(bits, i) < a.threshold);
        apply_mask(keep, a.x + (r + i) * a.ldx + c, a.y + (r + i) * a.ldy + c, scale);
      }
    }
  }
}

template <class T>
void scale(const DropoutArgs<T>& a) {
  const T factor = static_cast<T>(a.scale);
  for (Index r = 0; r < a.rows; ++r) {
    for (Index c = 0; c < a.cols; c += kLanes<T>) {
      store(a.y + r * a.ldy + c, load(a.x + r * a.ldx + c) * factor);
    }
  }
}

}  // namespace fastmlp::FASTMLP_TARGET
