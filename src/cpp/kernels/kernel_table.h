// The whole interface between the layers above and the instruction sets below: one table of
// function pointers per target, and the structs that they take. Plain data, free of any ISA.
//
// Matrices are row-major with a leading dimension. Rows are padded to whole vectors: kernels read
// and write a row up to the next multiple of `lanes`, and what lies behind its last column must be
// finite. Nothing here allocates or starts threads.
#pragma once

#include "base/rng.h"
#include "catalog/catalog.h"
#include "kernels/panels.h"

namespace fastmlp {

/// Memory that is about to be used, fetched into the cache while a product goes on: arrays that
/// consist of pieces, `lines` cache lines long and `stride` numbers apart.
template <class T>
struct Ahead {
  const T* arrays[kMaxSlots + 1];
  int count;  // of arrays; 0 where there is nothing to fetch
  Index pieces;
  Index lines;
  Index stride;
};

/// The number that an activation depends on: the same for all units, or one per column.
template <class T>
struct ActivationParameter {
  T given;
  const T* learned;
};

/// The columns [begin, end) of a row; `ends_row` where none but padding follows.
struct Columns {
  Index begin;
  Index end;
  bool ends_row;
};
FASTMLP_INLINE constexpr Columns whole_row(Index cols) { return {0, cols, true}; }

/// y(batch, out) = f(x(batch, in) w + b) in some columns, which begin with a panel and end with one
/// or the row. y may not alias x. A row-wise f takes whole rows.
template <class T>
struct ForwardArgs {
  const T* x;
  Index ldx;
  const T* w;  // panels
  T* z;        // where x w + b is kept too (same ld as y), or null
  T* y;
  Index ldy;
  Index batch;
  PanelShape shape;
  ActivationParameter<T> parameter;
  Columns columns;  // of y
};

/// dx(batch, in) = (dz(batch, out) w^T) * slope of the activation that made x, in some columns,
/// which begin with a multiple of a panel's width. Columns of dx behind `in` become zero. A
/// row-wise activation takes whole rows.
template <class T>
struct BackwardInputArgs {
  const T* dz;
  Index lddz;
  const T* w;  // panels
  T* kept;     // what that activation's slope is computed from; as in SlopeArgs
  Index ldkept;
  T* dx;
  Index lddx;
  T* scratch;  // backward_scratch_size() numbers
  Index batch;
  PanelShape shape;
  ActivationParameter<T> parameter;
  Columns columns;  // of dx
};

/// Rows [row_begin, row_end) of one panel of dw = x^T dz, row `in` being db = the sum over dz. Of a
/// narrow layer these are a panel of inputs.
template <class T>
struct BackwardWeightsArgs {
  const T* x;  // column row_begin of the input; not read for the bias row
  Index ldx;
  const T* dz;
  Index lddz;
  T* dw;  // (row_end - row_begin) x panel width; narrow: out x panel width, then db
  Index batch;
  Index panel;
  Index row_begin;
  Index row_end;
  PanelShape shape;
  Ahead<T> ahead;
};

/// y = f(z), in place where y == z. A row-wise activation takes whole rows.
template <class T>
struct ActivationArgs {
  const T* z;
  T* y;
  Index ld;
  Index rows;
  Columns columns;
  ActivationParameter<T> parameter;
};

/// dy *= f', for a row-wise activation the product with its Jacobian. An activation that learns
/// leaves each row's part of its parameters' gradient in `kept`.
template <class T>
struct SlopeArgs {
  T* kept;
  Index ldkept;
  T* dy;
  Index lddy;
  Index rows;
  Columns columns;
  ActivationParameter<T> parameter;
};

/// row_loss = weight * loss of the row; dy = its gradient, zero behind the last column.
template <class T>
struct LossArgs {
  const T* y;  // outputs, or logits for the kernels in `loss_on_logits`
  Index ldy;
  const T* t;
  Index ldt;
  const T* row_weight;
  T* row_loss;
  T* dy;
  Index lddy;
  Index rows;
  Index cols;
  T parameter;                         // of the loss, if it has one
  const double* parameters = nullptr;  // one for each output in place of it
  bool skips_missing = false;          // targets that are NaN count for nothing
};

/// What an optimizer needs in one step, made from the rate, the hyperparameters and the step's
/// number (from 1) by its `prepare`.
struct Coefficients {
  double value[7];
};

/// One optimizer step on n parameters (a multiple of lanes) whose penalty is
/// l1 |w|_1 + l2 |w|_2^2; returns that penalty, before the step. The gradient of the square is part
/// of g, or for an optimizer with decoupled decay a step of its own. What has a kink at zero gets a
/// proximal step behind the others: w moves towards zero, and stays there once it arrives.
template <class T>
struct UpdateArgs {
  T* w;
  const T* g;
  T* slot[kMaxSlots];
  Index n;
  const Coefficients* coefficients;
  double rate;
  double l1;
  double l2;
};

/// g += the gradient of l1 |w|_1 + l2 |w|_2^2; returns that penalty.
template <class T>
struct PenaltyArgs {
  const T* w;
  T* g;
  Index n;
  double l1;
  double l2;
};

/// sum = the sum of the gradients of `count` parts of a batch, in their order; they lie `stride`
/// apart. n is a multiple of the lanes.
template <class T>
struct SumArgs {
  const T* parts;
  Index count;
  Index stride;
  T* sum;
  Index n;
};

/// Rows that a mask decides on together: where rows are cut.
inline constexpr Index kMaskRows = 8;

/// y = x * scale where the mask keeps, else 0. Row r, column c of the mask are kept where 16 bits
/// of Philox(seed, counter = (c, r / 8, step, layer)) are below `threshold`. x and y begin at
/// column `col_begin`, a multiple of the lanes of floats.
template <class T>
struct DropoutArgs {
  const T* x;
  Index ldx;
  T* y;
  Index ldy;
  Index row_begin;  // number of the first row in the batch, a multiple of kMaskRows
  Index rows;
  Index col_begin;
  Index cols;
  std::uint32_t threshold;  // keep probability in units of 2^-16
  double scale;
  std::uint64_t seed;
  std::uint64_t step;
  std::uint32_t layer;
};

/// y = x with each row normalised; or y, a gradient by such rows, becomes that by x.
template <class T>
struct NormArgs {
  const T* x;
  Index ldx;
  T* y;
  Index ldy;
  Index rows;
  Index cols;
  T epsilon;  // added to the variance
};

/// y = cos(2 pi turns), or y *= its slope by the turns: a product with -2 pi sin(2 pi turns).
template <class T>
struct PeriodicArgs {
  const T* turns;
  Index ldturns;
  T* y;
  Index ldy;
  Index rows;
  Index cols;
};

/// Whether every number of x(rows, cols) is finite; reads nothing behind the last column.
template <class T>
struct FiniteArgs {
  const T* x;
  Index ldx;
  Index rows;
  Index cols;
};

/// The kernels of one target for one scalar type.
template <class T>
struct Kernels {
  const char* target;
  Index lanes;
  Index panel_vectors;

  void (*forward[kActivationCount])(const ForwardArgs<T>&);
  void (*backward_input[kActivationCount])(const BackwardInputArgs<T>&);
  void (*backward_weights)(const BackwardWeightsArgs<T>&);
  void (*activation[kActivationCount])(const ActivationArgs<T>&);
  void (*slope[kActivationCount])(const SlopeArgs<T>&);
  void (*loss_on_output[kLossCount])(const LossArgs<T>&);
  void (*loss_on_logits[kLossCount])(const LossArgs<T>&);
  void (*prepare[kOptimizerCount])(double rate, const double* hyper, Index step, Coefficients&);
  double (*update[kOptimizerCount])(const UpdateArgs<T>&);
  double (*add_penalty)(const PenaltyArgs<T>&);
  void (*sum_parts)(const SumArgs<T>&);
  bool (*all_finite)(const FiniteArgs<T>&);
  void (*normalize)(const NormArgs<T>&);
  void (*normalize_slope)(const NormArgs<T>&);
  void (*periodic)(const PeriodicArgs<T>&);
  void (*periodic_slope)(const PeriodicArgs<T>&);
  void (*dropout)(const DropoutArgs<T>&);
  PhiloxBlock (*random_block)(std::uint64_t seed, PhiloxBlock counter);  // as the masks use it
  void (*scale)(const DropoutArgs<T>&);  // y = x * scale, no mask: classic dropout at test time

  Index turn_flops;  // operations in one turn of multiply_adds
  T (*multiply_adds)(Index turns);
  void (*triad)(T* a, const T* b, const T* c, T factor, Index n);
};

struct KernelTable {
  Kernels<float> f32;
  Kernels<double> f64;
};

template <class T>
const Kernels<T>& pick(const KernelTable& table) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return table.f32;
  } else {
    return table.f64;
  }
}

/// Depth of a block of a product: the transposed panel of backward_input, the rows of w in forward
/// where they are many, and at most the rows of a batch in backward_weights. 512 x 64 floats are
/// 128 KB, an eighth of L2. A function of nothing: the order of summation may not depend on
/// threads.
inline constexpr Index kDepthBlock = 512;

/// Rows of a weight gradient that are made at once: 48 = lcm(6, 8, 12, 16) fills every tile, and a
/// full panel of them stays in L1; where there are few such pieces, 12, which fill every tile too.
inline constexpr Index kTaskRows = 48;
inline constexpr Index kFewTaskRows = 12;

FASTMLP_INLINE constexpr Index backward_scratch_size(const PanelShape& s) {
  return s.width * round_up(min_index(s.out, kDepthBlock), s.lanes);
}

}  // namespace fastmlp
