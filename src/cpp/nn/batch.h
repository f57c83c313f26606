// The rows of a pass, what they weigh, and the loss that is taken of them. Plain data.
#pragma once

#include "base/parallel.h"
#include "base/table_view.h"
#include "catalog/catalog.h"

namespace fastmlp {

/// Which random masks a pass uses.
struct MaskKey {
  std::uint64_t seed;
  std::uint64_t step;
  Index first_row = 0;  // of the pass, a multiple of kMaskRows: each row has its own
};

/// Rows [first, first + rows) of the data, in the order of `order` if there is one.
struct Batch {
  const TableView* x;  // null where the first layer reads them in place
  const TableView* t;
  const TableView* weight;  // one column; null for equal weights
  const Index* order;
  Index first;
  Index rows;
};

/// What a loss is taken of, and where it leaves each row's loss and its gradient by the outputs.
template <class T>
struct LossRows {
  const T* y;  // outputs
  const T* t;
  T* row_loss;
  T* dy;
  Index ld;  // of y, t and dy
  Index rows;
  Index cols;
};

/// A loss that the catalog doesn't have, of the caller's own.
class OwnLoss {
 public:
  virtual ~OwnLoss() = default;
  /// By any thread, perhaps by several at once. May not throw: where there is no loss it is NaN.
  virtual void take(const LossRows<float>& rows) noexcept = 0;
  virtual void take(const LossRows<double>& rows) noexcept = 0;
  /// Whether it has failed, or was interrupted: the run is to end.
  virtual bool has_stopped() const noexcept = 0;
};

/// A loss as the user chose it. Label smoothing moves targets towards the middle of the classes:
/// t (1 - s) + s / n for n classes that exclude each other, t (1 - s) + s / 2 for yes and no.
struct LossChoice {
  Loss loss = Loss::squared_error;
  double parameter = 0.0;
  double label_smoothing = 0.0;
  const double* parameters = nullptr;  // one for each output in place of that one
  bool skips_missing = false;          // targets that are NaN count for nothing
  OwnLoss* own = nullptr;  // in place of that loss, which still tells what outputs and targets are
};

/// A loss, and whether it is fused with the network's output activation.
struct LossPlan {
  LossChoice choice;
  bool on_logits;
};

/// Calls visit(i, weight) for `rows` of the batch, without a weight 1.
template <class Visit>
void for_each_weight(const Batch& batch, Range rows, Visit visit) {
  constexpr Index many = 64;
  double weights[many];
  for (Index begin = rows.begin; begin < rows.end; begin += many) {
    const Index count = min_index(many, rows.end - begin);
    if (batch.weight) {
      gather_rows(*batch.weight, batch.order, batch.first + begin, count, weights, 1);
    }
    for (Index i = 0; i < count; ++i) visit(begin + i, batch.weight ? weights[i] : 1.0);
  }
}

/// Sum of the batch's weights.
inline double total_weight(const Batch& batch) noexcept {
  if (batch.weight == nullptr) return static_cast<double>(batch.rows);
  double sum = 0.0;
  for_each_weight(batch, {0, batch.rows}, [&](Index, double weight) { sum += weight; });
  return sum;
}

}  // namespace fastmlp
