// Processes that train together, by way of Python: an object of it carries the numbers.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <numeric>

#include "base/subnormals.h"
#include "bindings/gil.h"
#include "train/exchange.h"

namespace fastmlp::bindings {

/// Called with the GIL released. `transport` has `rank`, `size`, and the methods `swap(sent,
/// counts, taken, counts)` and `gather(all, counts)`, which get memoryviews, finish what they have
/// begun, and return whether they were interrupted meanwhile: the run then ends in all processes at
/// once.
class PythonExchange final : public Exchange {
 public:
  explicit PythonExchange(py::object transport)
      : transport_(std::move(transport)),
        rank_(py::cast<int>(transport_.attr("rank"))),
        size_(py::cast<int>(transport_.attr("size"))) {}

  int rank() const noexcept override { return rank_; }
  int size() const noexcept override { return size_; }
  bool swap(const float* from, const Counts& sent, float* to,
            const Counts& taken) noexcept override {
    return call("swap", from, sent, to, taken);
  }
  bool swap(const double* from, const Counts& sent, double* to,
            const Counts& taken) noexcept override {
    return call("swap", from, sent, to, taken);
  }
  bool gather(float* all, const Counts& counts) noexcept override {
    return call("gather", all, counts);
  }
  bool gather(double* all, const Counts& counts) noexcept override {
    return call("gather", all, counts);
  }

  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  /// Numbers and counts become memoryviews and lists.
  template <class... Given>
  bool call(const char* method, const Given&... given) noexcept {
    if (error_) return false;
    const SubnormalsAsZero::Suspended suspended;
    const GilHeld acquire;
    try {
      const py::tuple arguments = arguments_of(given...);
      transport_.attr(method)(*arguments);
      return true;
    } catch (...) {
      error_ = std::current_exception();
      return false;
    }
  }
  static py::tuple arguments_of() { return py::tuple(); }
  template <class T, class... Rest>
  static py::tuple arguments_of(T* numbers, const Counts& counts, const Rest&... rest) {
    using Number = std::remove_const_t<T>;
    static Number nothing{};
    const Index n = std::accumulate(counts.begin(), counts.end(), Index{0});
    Number* at = n > 0 ? const_cast<Number*>(numbers) : &nothing;
    const auto view = py::memoryview::from_buffer(at, {n}, {Index{sizeof(Number)}});
    return py::make_tuple(view, py::cast(counts)) + arguments_of(rest...);
  }

  py::object transport_;
  int rank_;
  int size_;
  std::exception_ptr error_;
};

/// What a run that processes share is told by Python, and what it looks into: an object with
/// `transport`, `bounds`, `subset`, `weight`.
class HeldSharing {
 public:
  explicit HeldSharing(const py::object& shared) : exchange_(shared.attr("transport")) {
    rows_.exchange = &exchange_;
    rows_.bounds = py::cast<Counts>(shared.attr("bounds"));
    if (rows_.shards() < exchange_.size()) throw std::invalid_argument("too few shards");
    rows_.count = rows_.bounds.back();
    const py::object subset = shared.attr("subset"), weight = shared.attr("weight");
    if (!subset.is_none()) {
      subset_ = vector<Index>(subset);
      rows_.subset = subset_.data();
      rows_.count = subset_.size();
    }
    if (!weight.is_none()) {
      weight_ = vector<double>(weight);
      if (weight_.size() != rows_.bounds.back()) throw std::invalid_argument("too few weights");
      rows_.weight = weight_.data();
    }
  }
  HeldSharing(const HeldSharing&) = delete;
  HeldSharing& operator=(const HeldSharing&) = delete;

  const SharedRows& rows() const { return rows_; }
  /// Throws unless a process has so many rows.
  void check(Index held) const {
    const Range mine = shards_of(rows_.shards(), exchange_.rank(), exchange_.size());
    const Counts& bounds = rows_.bounds;
    const Index wanted =
        bounds[static_cast<std::size_t>(mine.end)] - bounds[static_cast<std::size_t>(mine.begin)];
    if (held != wanted) {
      throw std::invalid_argument("this process must have " + std::to_string(wanted) +
                                  " rows, got " + std::to_string(held));
    }
    for (Index i = 0; rows_.subset && i < rows_.count; ++i) {
      if (rows_.subset[i] < 0 || rows_.subset[i] >= bounds.back()) {
        throw std::invalid_argument("a row of the subset is none");
      }
    }
  }
  void rethrow() const { exchange_.rethrow(); }

 private:
  template <class T>
  static py::array_t<T> vector(const py::object& given) {
    const auto array = py::array_t<T, py::array::c_style>::ensure(given);
    if (!array || array.ndim() != 1) throw std::invalid_argument("not a vector");
    return array;
  }

  PythonExchange exchange_;
  py::array_t<Index> subset_;
  py::array_t<double> weight_;
  SharedRows rows_;
};

}  // namespace fastmlp::bindings
