#include "train/metrics.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace fastmlp {

namespace {

double weight_of(const TableView* weight, Index row) {
  double value = 1.0;
  if (weight) gather_rows(*weight, nullptr, row, 1, &value, 1);
  return value;
}

template <class T>
bool right(const T* outputs, const double* t, Index cols, bool exclusive, double threshold) {
  if (exclusive) {
    return std::max_element(outputs, outputs + cols) - outputs == std::max_element(t, t + cols) - t;
  }
  for (Index c = 0; c < cols; ++c) {
    if (std::isnan(t[c])) continue;
    if ((static_cast<double>(outputs[c]) > threshold) != (t[c] > 0.5)) return false;
  }
  return true;
}

}  // namespace

template <class T>
double accuracy(const T* outputs, Index cols, const TableView& t, const TableView* weight,
                bool exclusive, double threshold) {
  std::vector<double> target(static_cast<std::size_t>(cols));
  double hits = 0.0, total = 0.0;
  for (Index r = 0; r < t.rows; ++r) {
    gather_rows(t, nullptr, r, 1, target.data(), cols);
    if (std::all_of(target.begin(), target.end(), [](double x) { return std::isnan(x); })) continue;
    const double w = weight_of(weight, r);
    hits += right(outputs + r * cols, target.data(), cols, exclusive || t.one_hot > 0, threshold)
                ? w
                : 0.0;
    total += w;
  }
  return hits / total;
}

template <class T>
double r2(const T* outputs, Index cols, const TableView& t, const TableView* weight) {
  const auto n = static_cast<std::size_t>(cols);
  std::vector<double> target(n), mean(n, 0.0), total(n, 0.0), residual(n, 0.0), spread(n, 0.0);
  for (Index r = 0; r < t.rows; ++r) {
    gather_rows(t, nullptr, r, 1, target.data(), cols);
    const double w = weight_of(weight, r);
    for (std::size_t c = 0; c < n; ++c) {
      if (std::isnan(target[c])) continue;
      total[c] += w;
      mean[c] += w * target[c];
    }
  }
  for (std::size_t c = 0; c < n; ++c) mean[c] /= total[c];
  for (Index r = 0; r < t.rows; ++r) {
    gather_rows(t, nullptr, r, 1, target.data(), cols);
    const double w = weight_of(weight, r);
    for (std::size_t c = 0; c < n; ++c) {
      if (std::isnan(target[c])) continue;
      const double off = target[c] - static_cast<double>(outputs[r * cols + static_cast<Index>(c)]);
      const double from_mean = target[c] - mean[c];
      residual[c] += w * off * off;
      spread[c] += w * from_mean * from_mean;
    }
  }
  double score = 0.0, scored = 0.0;
  for (std::size_t c = 0; c < n; ++c) {
    if (total[c] == 0.0) continue;
    scored += 1.0;
    if (spread[c] != 0.0) {
      score += 1.0 - residual[c] / spread[c];
    } else {
      score += residual[c] == 0.0 ? 1.0 : 0.0;
    }
  }
  return score / scored;
}

template double accuracy<float>(const float*, Index, const TableView&, const TableView*, bool,
                                double);
template double accuracy<double>(const double*, Index, const TableView&, const TableView*, bool,
                                 double);
template double r2<float>(const float*, Index, const TableView&, const TableView*);
template double r2<double>(const double*, Index, const TableView&, const TableView*);

}  // namespace fastmlp
