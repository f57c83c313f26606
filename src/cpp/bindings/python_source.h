// Rows that Python reads, a window of them after the other (src/fastmlp/_blocks/windows.py).
#pragma once

#include <optional>

#include "bindings/bound_trainer.h"
#include "bindings/gil.h"
#include "train/source.h"

namespace fastmlp::bindings {

/// Of an object with `n_rows`, `window(epoch, number)`, which returns x, t and the weights or None,
/// and behind the last window None, and `close()`. To be destroyed by whoever holds the GIL.
template <class T>
class PythonSource final : public RowSource {
 public:
  PythonSource(const Network<T>& network, Loss loss, py::object windows)
      : network_(network),
        loss_(loss),
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
    held_.emplace(network_, loss_, parts[0], py::cast<py::array>(parts[1]), parts[2], py::none(),
                  "");
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
  const Network<T>& network_;
  Loss loss_;
  py::object windows_;
  Index rows_;
  std::optional<HeldData<T>> held_;
  DataView view_{};
};

/// The rows of a run: arrays, or those that `windows` reads.
template <class T>
class HeldRows {
 public:
  HeldRows(const Network<T>& network, Loss loss, const py::object& x, const py::object& t,
           const py::object& weight, const py::object& rows, const py::object& windows) {
    if (!windows.is_none()) {
      if (!x.is_none() || !t.is_none() || !weight.is_none() || !rows.is_none()) {
        throw std::invalid_argument("rows are given as arrays or by windows, not both");
      }
      source_ = std::make_unique<PythonSource<T>>(network, loss, windows);
      return;
    }
    held_.emplace(network, loss, x, py::cast<py::array>(t), weight, rows, "");
    source_ = std::make_unique<InMemory>(held_->view());
  }

  RowSource& source() const { return *source_; }
  /// How many rows there are in the arrays; 0 without any.
  Index held() const { return held_ ? held_->x.rows : 0; }

 private:
  std::optional<HeldData<T>> held_;
  std::unique_ptr<RowSource> source_;
};

}  // namespace fastmlp::bindings
