// The three products of a dense layer on weights that lie in panels (kernels/panels.h).
//   forward:           y(batch, out) = f(x w + b)
//   backward_input:   dx(batch, in)  = (dz w^T) * slope, a transposed panel of w at a time
//   backward_weights: dw(in, out)    = x^T dz, db = the column sums of dz
// A narrow layer's w lies transposed, so that the second has nothing to transpose, the third is
// dw^T = dz^T x, and the first is in kernels/narrow.h.
// Nothing here allocates or starts threads.
#pragma once

#include "kernels/activations.h"
#include "kernels/gemm.h"
#include "kernels/narrow.h"

namespace fastmlp::FASTMLP_TARGET {

/// What forward reads when it has come to row k of a panel: up to `most` rows more, or of the next
/// panel the first, even behind a.columns: these may be a piece of what a thread goes through.
template <class T>
FASTMLP_INLINE Ahead<T> rows_behind(const ForwardArgs<T>& a, Index panel, Index k, Index most) {
  if (k == a.shape.in) {
    ++panel;
    k = 0;
  }
  if (a.batch == 1 || panel * a.shape.width >= a.shape.out || !are_far<T>(a.shape)) return {};
  const Index width = panel_width(a.shape, panel);
  const T* rows = a.w + panel_offset(a.shape, panel) + k * width;
  return {{rows}, 1, 1, min_index(most, a.shape.in - k) * width / kLine<T>, 0};
}

/// y(rows, panel) = f(x w + b) for one panel. A deep one is multiplied in blocks that stay in L2
/// while their rows of x stay in L1; each fetches the next one.
template <class T, template <class> class Functor>
FASTMLP_INLINE void forward_panel(const ForwardArgs<T>& a, Index panel, T* y) {
  const Index width = panel_width(a.shape, panel);
  const T* w = a.w + panel_offset(a.shape, panel);
  const T* start = w + a.shape.in * width;
  const StoreValue<T, Functor> finish{y, a.ldy, a.parameter.given};
  const bool blocks = a.shape.in >= 2 * kDepthBlock && a.batch > tile_rows(kPanelVectors);
  const Index most = blocks ? kDepthBlock : a.shape.in;
  Index ldstart = 0;
  for (Index k = 0; k < a.shape.in; k += most) {
    const Index depth = min_index(most, a.shape.in - k);
    const Product<T> product{a.x + k, a.ldx, w + k * width,
                             width,   start, ldstart,
                             a.batch, depth, rows_behind(a, panel, k + depth, most)};
    if (k + depth < a.shape.in) {
      multiply_panel<T, false>(width / kLanes<T>, product, StoreValue<T, Identity>{y, a.ldy, T{}});
    } else {
      multiply_panel<T, false>(width / kLanes<T>, product, finish);
    }
    start = y;
    ldstart = a.ldy;
  }
}

/// Blocks of rows that go through all panels one after the other: where x is larger than L2, it
/// would come from L3 for every panel. Blocks of many rows, for the panels may come from there.
/// That took 2 to 3 % off a step of 1024-2048-2048-1000 with 512 rows on cores with 2 MB of L2.
template <class T>
FASTMLP_INLINE Index row_blocks(const ForwardArgs<T>& a) {
  constexpr Index kNumbers = (Index{1} << 20) / static_cast<Index>(sizeof(T));
  constexpr Index kFewestRows = 96;
  constexpr Index kFewestPanels = 4;
  if (a.columns.end - a.columns.begin < kFewestPanels * a.shape.width) return 1;
  const Index rows = kNumbers / a.shape.in;
  return ceil_div(a.batch, rows > kFewestRows ? rows : kFewestRows);
}

template <class T, template <class> class Functor>
FASTMLP_INLINE void forward_product(const ForwardArgs<T>& a, T* y) {
  const Index blocks = row_blocks(a);
  ForwardArgs<T> block = a;
  for (Index i = 0, row = 0; i < blocks; ++i, row += block.batch) {
    block.x = a.x + row * a.ldx;
    block.batch = a.batch * (i + 1) / blocks - row;
    for (Index p = a.columns.begin / a.shape.width; p * a.shape.width < a.columns.end; ++p) {
      forward_panel<T, Functor>(block, p, y + row * a.ldy + p * a.shape.width);
    }
  }
}

template <class T, template <class> class Functor>
void forward(const ForwardArgs<T>& a) {
  T* z = a.z == nullptr ? a.y : a.z;
  if (a.shape.narrow) {
    forward_narrow(a, z);
    if (std::is_same_v<Functor<T>, Identity<T>> && z == a.y) return;
  } else {
    if constexpr (Functor<T>::kFused == Fused::kBoth) {
      if (z == a.y) return forward_product<T, Functor>(a, a.y);
    }
    forward_product<T, Identity>(a, z);
  }
  activation_forward<T, Functor>({z, a.y, a.ldy, a.batch, a.columns, a.parameter});
}

/// scratch(depth, width) = rows [row, row + width) of w, columns [col, col + depth), transposed;
/// rows behind `in` read as zero. `col` and `width` are multiples of the lanes.
template <class T>
FASTMLP_INLINE void transpose_panel(const T* w, const PanelShape& shape, Index row, Index width,
                                    Index col, Index depth, T* scratch) {
  constexpr Index lanes = kLanes<T>;
  for (Index c = 0; c < depth; c += lanes) {
    const Index panel = (col + c) / shape.width;
    const Index ldw = panel_width(shape, panel);
    const T* from = w + panel_offset(shape, panel) + (col + c - panel * shape.width);
    for (Index r = 0; r < width; r += lanes) {
      Vec<T> block[lanes];
      FASTMLP_UNROLL
      for (Index i = 0; i < lanes; ++i) {
        const Index at = row + r + i;
        block[i] = at < shape.in ? load(from + at * ldw) : Vec<T>{};
      }
      transpose<T>(block);
      FASTMLP_UNROLL
      for (Index i = 0; i < lanes; ++i) store(scratch + (c + i) * width + r, block[i]);
    }
  }
}

/// What transpose_panel() will read next: the same rows of w further on, or the rows behind them.
template <class T>
FASTMLP_INLINE Ahead<T> next_block(const BackwardInputArgs<T>& a, Index row, Index rows,
                                   Index col) {
  if (col >= a.shape.out) {
    row += rows;
    col = 0;
    rows = min_index(rows, a.shape.in - row);
    if (rows <= 0) return {};
  }
  const Index pieces = min_index(kDepthBlock, a.shape.out - col) / a.shape.width;  // full panels
  const T* first = a.w + panel_offset(a.shape, col / a.shape.width) + row * a.shape.width;
  return {{first}, 1, pieces, rows * a.shape.width / kLine<T>, panel_offset(a.shape, 1)};
}

template <class T, template <class> class Functor>
FASTMLP_INLINE void backward_input_product(const BackwardInputArgs<T>& a) {
  const Index end = round_up(a.columns.end, kLanes<T>);
  for (Index col = a.columns.begin; col < end; col += a.shape.width) {
    const Index width = min_index(a.shape.width, end - col);
    T* dx = a.dx + col;
    for (Index k = 0; k < a.shape.out; k += kDepthBlock) {
      const Index depth = min_index(kDepthBlock, a.shape.out - k);
      const T* start = k == 0 ? kZeros<T> : dx;
      Product<T> product{a.dz + k, a.lddz, a.scratch, width, start, k == 0 ? 0 : a.lddx,
                         a.batch,  depth,  {}};
      if (a.shape.narrow) {
        product.b = a.w + narrow_offset(a.shape, col);
        product.ldb = narrow_width(a.shape, col);
      } else {
        transpose_panel(a.w, a.shape, col, width, k, depth, a.scratch);
        if (are_far<T>(a.shape)) product.ahead = next_block(a, col, width, k + depth);
      }
      if (k + depth < a.shape.out) {
        multiply_panel<T, false>(width / kLanes<T>, product,
                                 StoreValue<T, Identity>{dx, a.lddx, T{}});
      } else {
        const StoreSlope<T, Functor> finish{dx, a.lddx, a.kept + col, a.ldkept, a.parameter.given};
        multiply_panel<T, false>(width / kLanes<T>, product, finish);
      }
    }
  }
}

template <class T, template <class> class Functor>
void backward_input(const BackwardInputArgs<T>& a) {
  if constexpr (Functor<T>::kFused != Fused::kNone) {
    backward_input_product<T, Functor>(a);
  } else {
    backward_input_product<T, Identity>(a);
    activation_slope<T, Functor>({a.kept, a.ldkept, a.dx, a.lddx, a.batch, a.columns, a.parameter});
  }
}

/// sums = the column sums of dz, in four chains that hide the latency of an addition.
template <class T>
FASTMLP_INLINE void column_sums(const T* dz, Index lddz, Index batch, Index width, T* sums) {
  for (Index c = 0; c < width; c += kLanes<T>) {
    Vec<T> chain[4] = {};
    Index r = 0;
    for (; r + 4 <= batch; r += 4) {
      FASTMLP_UNROLL
      for (Index i = 0; i < 4; ++i) chain[i] += load(dz + (r + i) * lddz + c);
    }
    for (; r < batch; ++r) chain[0] += load(dz + r * lddz + c);
    store(sums + c, (chain[0] + chain[1]) + (chain[2] + chain[3]));
  }
}

template <class T>
bool all_finite(const FiniteArgs<T>& a) {
  constexpr Index lanes = kLanes<T>;
  const bool gapless = a.ldx == a.cols;
  const Index rows = gapless ? 1 : a.rows;
  const Index cols = gapless ? a.rows * a.cols : a.cols;
  Vec<T> chain[4] = {};  // sums of zeros, unless there is a NaN or an infinity
  T rest{0};
  for (Index r = 0; r < rows; ++r) {
    const T* x = a.x + r * a.ldx;
    Index c = 0;
    for (; c + 4 * lanes <= cols; c += 4 * lanes) {
      FASTMLP_UNROLL
      for (Index i = 0; i < 4; ++i) chain[i] += load(x + c + i * lanes) * T{0};
    }
    for (; c + lanes <= cols; c += lanes) chain[0] += load(x + c) * T{0};
    for (; c < cols; ++c) rest += x[c] * T{0};
  }
  return sum_lanes<T>((chain[0] + chain[1]) + (chain[2] + chain[3]))[0] + rest == T{0};
}

/// Rows of the batch in a block of backward_weights: 128 of a panel, and of x, stay in or near L1.
/// In narrow panels that took 3 % off a step of 1024-2048-2048-1000 with 512 rows on Zen 4, in wide
/// ones 1 to 2 % on Emerald Rapids, where the product with 1024 x 1024 weights and 256 rows went
/// from 147 to 160 GF/s.
inline constexpr Index kWeightDepthBlock = 128;

/// In a narrow layer dz takes x's place, and x that of dz.
template <class T>
void backward_weights(const BackwardWeightsArgs<T>& a) {
  const bool narrow = a.shape.narrow;
  const Index bias_width = panel_width(a.shape, a.panel);
  const Index weight_end = min_index(a.row_end, a.shape.in);
  const T* dz = a.dz + a.panel * a.shape.width;
  T* db = a.dw;
  if (a.row_begin < weight_end) {
    const Index width = narrow ? narrow_width(a.shape, a.row_begin) : bias_width;
    const Index rows = narrow ? a.shape.out : weight_end - a.row_begin;
    const T* left = narrow ? dz : a.x;
    const T* right = narrow ? a.x : dz;
    const Index ldleft = narrow ? a.lddz : a.ldx;
    const Index ldright = narrow ? a.ldx : a.lddz;
    const StoreValue<T, Identity> finish{a.dw, width, T{}};
    db += rows * width;
    for (Index k = 0; k < a.batch; k += kWeightDepthBlock) {
      const Index depth = min_index(kWeightDepthBlock, a.batch - k);
      const Product<T> product{left + k * ldleft,
                               ldleft,
                               right + k * ldright,
                               ldright,
                               k == 0 ? kZeros<T> : a.dw,
                               k == 0 ? 0 : width,
                               rows,
                               depth,
                               k == 0 ? a.ahead : Ahead<T>{}};
      multiply_panel<T, true>(width / kLanes<T>, product, finish);
    }
    if (narrow && a.row_begin + width > a.shape.in) zero_surplus_inputs(a, width);
  }
  if (a.row_end > a.shape.in) column_sums(dz, a.lddz, a.batch, bias_width, db);
}

}  // namespace fastmlp::FASTMLP_TARGET
