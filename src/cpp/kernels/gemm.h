// The micro-kernel, and the loop over the rows of one panel. All three products of a dense layer,
// but the forward one of a narrow layer, are c(rows, panel) = start + a(rows, depth) b(depth,
// panel) with b and c as vectors and one number of a broadcast at a time; the weight gradient reads
// a down its columns. Each number of c is one chain of multiply-adds over the depth in ascending
// order, whatever tile holds it, so results do not depend on how rows are shared.
#pragma once

#include "kernels/kernel_table.h"
#include "simd/vec.h"

namespace fastmlp::FASTMLP_TARGET {

/// Vectors in a full panel. 32 registers hold a tile of 6 x 4 vectors, 16 registers one of 6 x 2.
inline constexpr int kPanelVectors = kRegisters == 32 ? 4 : 2;

/// Rows of a tile of so many vectors: rows x vectors accumulators, one row of b and a broadcast
/// have to fit the registers. 12 independent chains hide the latency of a multiply-add.
constexpr int tile_rows(int vectors) {
  return kRegisters == 32 ? (vectors == 4 ? 6 : vectors == 3 ? 8 : 12) : (vectors == 2 ? 6 : 12);
}

template <class T>
struct Product {
  const T* a;
  Index lda;
  const T* b;
  Index ldb;
  const T* start;  // what c begins with: a bias row, zeros, or c itself
  Index ldstart;   // 0 repeats one row
  Index rows;
  Index depth;  // at least 1
  Ahead<T> ahead;
};

template <class T>
inline constexpr Index kLine = 64 / static_cast<Index>(sizeof(T));

/// From this depth on a tile of a full panel takes kStepsAtOnce steps in one turn of its loop. A
/// virtual core of Emerald Rapids issues, for seconds at a time, about 2.9 instructions a cycle, as
/// if the other half of its core worked for somebody else, and a step of a tile of 6 x 4 vectors is
/// 37 to 38 in 12 cycles, of which this saves 1.5: then it took 5 to 10 % off a product with
/// 2048 x 2048 weights and 512 rows, and 5 to 12 % off a step of 1024-2048-2048-1000; otherwise up
/// to 2 %. A depth of 54 lost 2 to 4 %, and so did one row, which waits for its weights, at any.
inline constexpr Index kDeepProduct = 128;
inline constexpr Index kStepsAtOnce = 4;

/// Cache lines side by side: some with each of so many turns of a tile's loop.
template <class T>
struct Lines {
  const T* first;
  Index per_turn;
  Index turns;
};

/// A tile's share of what is to be fetched: some lines with every turn of its loop, spread over its
/// depth, for a core waits for no more than about two dozen lines of memory at once. Where one lies
/// is worked out once for all that lie side by side: done for each of them, it cost a fifth of a
/// product of 96 rows on a core that issued so few instructions.
template <class T>
struct Fetch {
  const Ahead<T>& ahead;
  Index depth;
  Index left = 0;      // lines
  Index position = 0;  // of the next one among all
  Index per_turn = 0;

  FASTMLP_INLINE Fetch(const Product<T>& p, Index row, Index rows)
      : ahead(p.ahead), depth(p.depth) {
    if (ahead.count == 0 || depth < kStepsAtOnce) return;
    const Index lines = ahead.count * ahead.pieces * ahead.lines;
    position = lines * row / p.rows;
    left = lines * (row + rows) / p.rows - position;
    per_turn = ceil_div(left, depth / kStepsAtOnce);
  }
  FASTMLP_INLINE Lines<T> next() {
    if (left == 0) return {nullptr, 0, depth / kStepsAtOnce};
    const Index piece = position / ahead.lines;
    const Index line = position % ahead.lines;
    const Index count = min_index(left, ahead.lines - line);
    position += count;
    left -= count;
    const T* of_piece = ahead.arrays[piece / ahead.pieces] + piece % ahead.pieces * ahead.stride;
    return {of_piece + line * kLine<T>, per_turn, ceil_div(count, per_turn)};
  }
};

/// Enough zeros to start any row of a panel with.
template <class T>
alignas(kVectorBytes) inline constexpr T kZeros[kPanelVectors * kLanes<T>] = {};

/// Rows of c from `row` on. Only a deep tile fetches ahead.
template <class T, int Rows, int Vectors, bool TransposedA, bool Deep, class Finish>
FASTMLP_NOINLINE void tile(const Product<T>& p, Index row, const Finish& finish) {
  using V = Vec<T>;
  constexpr Index lanes = kLanes<T>;
  const Index lda = p.lda;
  const Index ldb = p.ldb;
  const T* a = TransposedA ? p.a + row : p.a + row * lda;
  const T* b = p.b;
  const T* start = p.start + row * p.ldstart;
  [[maybe_unused]] Fetch<T> fetch(p, row, Rows);
  V c[Rows][Vectors];
  FASTMLP_UNROLL
  for (int i = 0; i < Rows; ++i) {
    FASTMLP_UNROLL
    for (int v = 0; v < Vectors; ++v) c[i][v] = load(start + i * p.ldstart + v * lanes);
  }
  const auto next_depth = [&]() __attribute__((always_inline)) {
    V bk[Vectors];
    FASTMLP_UNROLL
    for (int v = 0; v < Vectors; ++v) bk[v] = load(b + v * lanes);
    FASTMLP_UNROLL
    for (int i = 0; i < Rows; ++i) {
      const T aik = TransposedA ? a[i] : a[i * lda];
      FASTMLP_UNROLL
      for (int v = 0; v < Vectors; ++v) c[i][v] += aik * bk[v];
    }
    a += TransposedA ? lda : 1;
    b += ldb;
  };
  Index k = 0;
  if constexpr (Deep) {
    for (const Index whole = round_down(p.depth, kStepsAtOnce); k < whole;) {
      const Lines<T> lines = fetch.next();
      const Index end = min_index(k + lines.turns * kStepsAtOnce, whole);
      for (const T* line = lines.first; k < end; k += kStepsAtOnce) {
        // Into L2: L1 holds what the tiles are multiplying. Emerald Rapids lost 4 to 6 % of a step
        // of 2048-4096-4096-10 with 32 rows when it was fetched into L1.
        for (Index i = 0; i < lines.per_turn; ++i, line += kLine<T>) __builtin_prefetch(line, 0, 2);
        FASTMLP_UNROLL
        for (Index i = 0; i < kStepsAtOnce; ++i) next_depth();
      }
    }
    for (; k < p.depth; ++k) next_depth();
  } else {
    do next_depth();  // GCC saves all accumulators where it has to think of a depth of 0
    while (++k < p.depth);
  }
  const Finish done = finish;  // a copy: the stores below could alias the caller's
  FASTMLP_UNROLL
  for (int i = 0; i < Rows; ++i) done(row + i, c[i]);
}

template <class T, class Finish>
using Tile = void (*)(const Product<T>&, Index, const Finish&);

template <class T, int Rows, int Vectors, bool TransposedA, bool Deep, class Finish>
FASTMLP_INLINE Tile<T, Finish> tile_of(Index rows) {
  if constexpr (Rows > 1) {
    if (rows != Rows) return tile_of<T, Rows - 1, Vectors, TransposedA, Deep, Finish>(rows);
  }
  return tile<T, Rows, Vectors, TransposedA, Deep, Finish>;
}

/// Rows are split evenly over the tiles: 128 rows are 18 tiles of 6 and 4 of 5, not 21 and a rest
/// of 2, because a tile of 2 rows runs at two thirds of the speed.
template <class T, int Vectors, bool TransposedA, bool Deep, class Finish>
void multiply_rows(const Product<T>& p, const Finish& finish) {
  constexpr int most = tile_rows(Vectors);
  const Index tiles = ceil_div(p.rows, most);
  if (tiles == 0) return;
  const Index few = p.rows / tiles;
  const Index larger = p.rows - few * tiles;
  Index row = 0;
  if (larger > 0) {
    const Tile<T, Finish> run = tile_of<T, most, Vectors, TransposedA, Deep, Finish>(few + 1);
    for (; row < larger * (few + 1); row += few + 1) run(p, row, finish);
  }
  const Tile<T, Finish> run = tile_of<T, most, Vectors, TransposedA, Deep, Finish>(few);
  for (; row < p.rows; row += few) run(p, row, finish);
}

/// One panel of a product; `vectors` is the panel's width.
template <class T, bool TransposedA, int Vectors = kPanelVectors, class Finish>
FASTMLP_INLINE void multiply_panel(Index vectors, const Product<T>& p, const Finish& finish) {
  if constexpr (Vectors > 1) {
    if (vectors != Vectors) {
      return multiply_panel<T, TransposedA, Vectors - 1>(vectors, p, finish);
    }
  }
  if constexpr (Vectors == kPanelVectors) {
    if (p.ahead.count > 0 || (p.depth >= kDeepProduct && p.rows > 1)) {
      return multiply_rows<T, Vectors, TransposedA, true>(p, finish);
    }
  }
  multiply_rows<T, Vectors, TransposedA, false>(p, finish);
}

/// Finishes a row of a tile by f(c), as it leaves the registers.
template <class T, template <class> class Functor>
struct StoreValue {
  T* c;
  Index ldc;
  T parameter;
  template <int Vectors>
  FASTMLP_INLINE void operator()(Index row, const Vec<T> (&sum)[Vectors]) const {
    FASTMLP_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      const Vec<T> value = Functor<T>::value(sum[v], broadcast<T>(parameter));
      store(c + row * ldc + v * kLanes<T>, value);
    }
  }
};

/// Finishes a row of a tile by c * slope(kept).
template <class T, template <class> class Functor>
struct StoreSlope {
  T* c;
  Index ldc;
  const T* kept;
  Index ldkept;
  T parameter;
  template <int Vectors>
  FASTMLP_INLINE void operator()(Index row, const Vec<T> (&sum)[Vectors]) const {
    FASTMLP_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      const Vec<T> from = load(kept + row * ldkept + v * kLanes<T>);
      const Vec<T> slope = Functor<T>::slope(from, broadcast<T>(parameter));
      store(c + row * ldc + v * kLanes<T>, sum[v] * slope);
    }
  }
};

}  // namespace fastmlp::FASTMLP_TARGET
