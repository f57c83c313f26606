// A trainer as Python holds it, and the data of a run.
#pragma once

#include <algorithm>

#include "bindings/numpy_view.h"
#include "bindings/python_loss.h"
#include "train/trainer.h"

namespace fastmlp::bindings {

py::dict to_dict(const RunReport& report);

template <class T>
struct BoundTrainer {
  std::unique_ptr<PythonLoss> own_loss;  // null for one of the catalog's
  std::vector<double> loss_parameters;   // where each output has one
  Trainer<T> trainer;
  RunReport report;
  bool runs = false;
  bool in_hook = false;  // of the run that is in progress
};

/// Only one thread at a time may use a trainer; all of them look while they hold the GIL.
template <class T>
class Exclusive {
 public:
  explicit Exclusive(BoundTrainer<T>& trainer) : trainer_(trainer) {
    if (trainer.runs) throw std::runtime_error("it is training already, in another call");
    trainer.runs = true;
  }
  ~Exclusive() { trainer_.runs = false; }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  BoundTrainer<T>& trainer_;
};

/// A data set, and the arrays that it looks into: all rows of them, or those of `rows`.
template <class T>
struct HeldData {
  HeldView x, t, weight;
  py::object rows;

  HeldData(const Network<T>& network, Loss loss, const py::object& x_, const py::array& t_,
           const py::object& weight_, const py::object& rows_, const std::string& suffix)
      : x(input_view(x_, network.n_columns(), ("x" + suffix).c_str())),
        t(target_view(t_, x.rows, target_count(loss, network.n_outputs()), ("t" + suffix).c_str())),
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

}  // namespace fastmlp::bindings
