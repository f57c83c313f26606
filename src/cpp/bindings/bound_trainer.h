// A trainer as Python holds it, and the data of a run.
#pragma once

#include "bindings/numpy_view.h"
#include "train/trainer.h"

namespace fastmlp::bindings {

py::dict to_dict(const RunReport& report);

template <class T>
struct BoundTrainer {
  Trainer<T> trainer;
  RunReport report;
  bool runs = false;
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

/// A data set, and the arrays that it looks into.
template <class T>
struct HeldData {
  HeldView x, t, weight;

  HeldData(const Network<T>& network, const py::object& x_, const py::array& t_,
           const py::object& weight_, const std::string& suffix)
      : x(input_view(x_, network.n_columns(), ("x" + suffix).c_str())),
        t(target_view(t_, x.rows, network.n_outputs(), ("t" + suffix).c_str())),
        weight(weight_view(weight_, x.rows, ("sample_weight" + suffix).c_str())) {}
  DataView view() const { return {x, t, weight}; }
};

}  // namespace fastmlp::bindings
