// Scores on a validation set, larger being better, by scikit-learn's definitions. Targets that are
// NaN count for nothing.
#pragma once

#include "base/table_view.h"

namespace fastmlp {

/// Weighted share of the rows predicted right. Where outputs exclude each other, as labels do that
/// are expanded, the largest counts; else every output on the right side of `threshold`.
template <class T>
double accuracy(const T* outputs, Index cols, const TableView& t, const TableView* weight,
                bool exclusive, double threshold);

/// R^2, averaged over the outputs. An output with constant targets scores 1 if it is met, else 0.
template <class T>
double r2(const T* outputs, Index cols, const TableView& t, const TableView* weight);

}  // namespace fastmlp
