// A loss that is a function of Python: of outputs and targets to each row's loss and its gradient.
#pragma once

#include <pybind11/numpy.h>

#include <exception>
#include <string>

#include "base/subnormals.h"
#include "bindings/gil.h"
#include "nn/batch.h"

namespace fastmlp::bindings {

namespace py = pybind11;

/// Called with the GIL released, in a run, which gives it the function: a trainer that kept it
/// could be part of a cycle that Python's collector does not see. An error waits in here until the
/// run has ended; the loss is NaN from then on, which ends it.
class PythonLoss final : public OwnLoss {
 public:
  void take(const LossRows<float>& rows) noexcept override { take_rows(rows); }
  void take(const LossRows<double>& rows) noexcept override { take_rows(rows); }
  bool has_stopped() const noexcept override { return error_ != nullptr; }

  /// Holds the function for a run.
  class Scope {
   public:
    Scope(PythonLoss* loss, const py::object& function) : loss_(loss) {
      if ((loss == nullptr) != function.is_none()) {
        throw std::invalid_argument("own_loss belongs to a trainer that was made for one");
      }
      if (loss == nullptr) return;
      loss->function_ = function;
      loss->error_ = nullptr;
    }
    ~Scope() {
      if (loss_) loss_->function_ = py::none();
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    PythonLoss* loss_;
  };
  void rethrow() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  template <class T>
  void take_rows(const LossRows<T>& rows) noexcept {
    const SubnormalsAsZero::Suspended suspended;
    const GilHeld acquire;
    try {
      if (error_) throw std::runtime_error("the loss has failed");
      call(rows);
    } catch (...) {
      if (!error_) error_ = std::current_exception();
      std::fill_n(rows.row_loss, rows.rows, std::numeric_limits<T>::quiet_NaN());
      for (Index r = 0; r < rows.rows; ++r) std::fill_n(rows.dy + r * rows.ld, rows.cols, T{0});
    }
  }

  template <class T>
  void call(const LossRows<T>& rows) const {
    const py::object result = function_(copy(rows.y, rows), copy(rows.t, rows));
    const Py_ssize_t size = PyObject_Size(result.ptr());
    if (size < 0) PyErr_Clear();
    if (!py::isinstance<py::sequence>(result) || size != 2) {
      const std::string kind = py::str(py::type::of(result).attr("__name__"));
      throw py::type_error("loss(outputs, targets) must return a pair (losses, gradients); got " +
                           kind + (size < 0 ? "." : " of " + std::to_string(size) + "."));
    }
    const auto losses = checked<T>(result[py::int_(0)], {rows.rows}, "losses");
    const auto gradients = checked<T>(result[py::int_(1)], {rows.rows, rows.cols}, "gradients");
    std::copy_n(losses.data(), rows.rows, rows.row_loss);
    for (Index r = 0; r < rows.rows; ++r) {
      std::copy_n(gradients.data() + r * rows.cols, rows.cols, rows.dy + r * rows.ld);
    }
  }

  /// The caller may keep what it is given, so that it gets copies.
  template <class T>
  static py::array_t<T> copy(const T* from, const LossRows<T>& rows) {
    py::array_t<T> to({rows.rows, rows.cols});
    for (Index r = 0; r < rows.rows; ++r) {
      std::copy_n(from + r * rows.ld, rows.cols, to.mutable_data() + r * rows.cols);
    }
    return to;
  }

  template <class T>
  static py::array_t<T, py::array::c_style | py::array::forcecast> checked(
      const py::object& value, const std::vector<Index>& shape, const char* name) {
    const auto array = py::array::ensure(value);
    const bool is_real =
        array && std::string("fiub").find(array.dtype().kind()) != std::string::npos;
    if (!is_real || std::vector<Index>(array.shape(), array.shape() + array.ndim()) != shape) {
      PyErr_Clear();
      const auto wanted = py::repr(py::tuple(py::cast(shape))).cast<std::string>();
      const auto got = array ? py::repr(array.attr("shape")).cast<std::string>() + " of " +
                                   py::str(array.dtype()).cast<std::string>()
                             : py::repr(value).cast<std::string>();
      throw py::value_error(std::string("the ") + name +
                            " that loss(outputs, targets) returns must be real numbers of shape " +
                            wanted + "; got " + got + ".");
    }
    return py::array_t<T, py::array::c_style | py::array::forcecast>(array);
  }

  py::object function_;
  std::exception_ptr error_;
};

}  // namespace fastmlp::bindings
