// The rows of a run: arrays of Python's, or those that Python reads, a window of them after the
// other (src/fastmlp/_blocks/windows.py).
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "base/row_source.h"
#include "bindings/gil.h"
#include "bindings/numpy_view.h"

namespace fastmlp::bindings {

/// How many numbers a row of x and of t has.
struct Widths {
  Index columns;
  Index targets;
};

template <class T>
Widths widths_of(const Network<T>& network, Loss loss) {
  return {network.n_columns(), target_count(loss, network.n_outputs())};
}

/// A data set, and the arrays that it looks into: all rows of them, or those of `rows`.
struct HeldData {
  HeldView x, t, weight;
  py::object rows;

  HeldData(Widths widths, const py::object& x_, const py::array& t_, const py::object& weight_,
           const py::object& rows_, const std::string& suffix)
      : x(input_view(x_, widths.columns, ("x" + suffix).c_str())),
        t(target_view(t_, x.rows, widths.targets, ("t" + suffix).c_str())),
        weight(weight_view(weight_, x.rows, ("sample_weight" + suffix).c_str())) {
    if (!rows_.is_none()) look_at(rows_, "rows" + suffix);
  }
  DataView view() const { return {x, t, weight}; }

 private:
  void look_at(const py::object& rows_, const std::string& name) {
    const auto array = py::array_t<Index, py::array::c_style>::ensure(rows_);
    if (!array || array.ndim() != 1 || array.size() == 0) {
      throw std::invalid_argument(name + " must be a vector of row numbers");
    }
    const Index* begin = array.data();
    const auto [least, most] = std::minmax_element(begin, begin + array.size());
    if (*least < 0 || *most >= x.rows) {
      throw std::invalid_argument(name + " must be from 0 to " + std::to_string(x.rows - 1));
    }
    rows = array;
    for (TableView* view : {static_cast<TableView*>(&x), static_cast<TableView*>(&t),
                            static_cast<TableView*>(&weight)}) {
      if (!*view) continue;  // no weights
      view->subset = begin;
      view->rows = array.size();
    }
  }
};

/// Of an object with `n_rows`, `window(epoch, number)`, which returns x, t and the weights or None,
/// and behind the last window None, and `close()`. To be destroyed by whoever holds the GIL.
class PythonSource final : public RowSource {
 public:
  PythonSource(Widths widths, py::object windows)
      : widths_(widths),
        windows_(std::move(windows)),
        rows_(py::cast<Index>(windows_.attr("n_rows"))) {
    if (rows_ < 1) throw std::invalid_argument("there must be at least one row");
  }

  Index rows() const override { return rows_; }

  const DataView* window(Index epoch, Index number) override {
    const GilHeld acquire;
    held_.reset();  // the memory of the next but one
    const py::object found = windows_.attr("window")(epoch, number);
    if (found.is_none()) return nullptr;
    const auto parts = py::cast<py::tuple>(found);
    if (parts.size() != 3) throw std::invalid_argument("a window is x, t and the weights");
    held_.emplace(widths_, parts[0], py::cast<py::array>(parts[1]), parts[2], py::none(), "");
    view_ = held_->view();
    return &view_;
  }

  void close() noexcept override {
    const GilHeld acquire;
    held_.reset();
    try {
      windows_.attr("close")();
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable("closing the windows of a run");
    }
  }

 private:
  Widths widths_;
  py::object windows_;
  Index rows_;
  std::optional<HeldData> held_;
  DataView view_{};
};

/// The rows of a run: arrays, or those that `windows` reads.
class HeldRows {
 public:
  HeldRows(Widths widths, const py::object& x, const py::object& t, const py::object& weight,
           const py::object& rows, const py::object& windows) {
    if (!windows.is_none()) {
      if (!x.is_none() || !t.is_none() || !weight.is_none() || !rows.is_none()) {
        throw std::invalid_argument("rows are given as arrays or by windows, not both");
      }
      source_ = std::make_unique<PythonSource>(widths, windows);
      return;
    }
    held_.emplace(widths, x, py::cast<py::array>(t), weight, rows, "");
    source_ = std::make_unique<InMemory>(held_->view());
  }

  RowSource& source() const { return *source_; }
  /// How many rows there are in the arrays; 0 without any.
  Index held() const { return held_ ? held_->x.rows : 0; }

 private:
  std::optional<HeldData> held_;
  std::unique_ptr<RowSource> source_;
};

}  // namespace fastmlp::bindings
