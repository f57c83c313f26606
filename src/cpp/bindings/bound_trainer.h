// A trainer as Python holds it.
#pragma once

#include <memory>

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

}  // namespace fastmlp::bindings
