// NumPy arrays to and from the core's views: the only conversion code. Nothing is copied here
// except parameters and results.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/table_view.h"
#include "nn/batch.h"
#include "nn/network.h"

namespace fastmlp::bindings {

namespace py = pybind11;

/// A view together with the arrays that it looks into, whatever becomes of the object that they
/// came from.
struct HeldView : TableView {
  py::object owners[3];
};

/// The core's element type of an array; throws py::type_error where there is none.
DType dtype_of(const py::array& array, const char* name);

/// A 2-D array as a table; `name` is the argument's name for error messages.
TableView table_view(const py::array& array, const char* name);

/// Inputs of a network: 2-D, at least one row, n_features columns; or scipy.sparse in CSR format.
HeldView input_view(const py::object& object, Index n_features, const char* name);

/// Inputs that need no conversion or explanation: an ndarray, of no subclass, that input_view()
/// would take. Anything else gives an empty view.
TableView plain_view(const py::object& object, Index n_features);

/// Targets for n_outputs outputs: a (rows, n_outputs) array, a (rows,) array for one output, or
/// for several a (rows,) array of class labels 0 .. n_outputs - 1.
HeldView target_view(const py::array& array, Index rows, Index n_outputs, const char* name);

/// Weights of rows: (rows,), or none.
HeldView weight_view(const py::object& array, Index rows, const char* name);

/// Throws std::invalid_argument for a negative number of threads; 0 means all.
void check_threads(int n_threads);

/// An array of type T in C order, converted where it is not; checks its shape.
template <class T>
py::array_t<T> c_array(const py::handle& array, const std::vector<Index>& shape,
                       const std::string& name);

/// The lists (coefs, intercepts, slopes), one array per layer, for each flat array of a network's
/// layout. Slopes are the learned parameters of the activations: empty where there are none.
template <class T>
void import_params(const Network<T>& network, const py::sequence& coefs,
                   const py::sequence& intercepts, const py::sequence& slopes, T* flat);
template <class T>
py::tuple export_params(const Network<T>& network, const T* flat);

/// The catalog row of that name; throws std::invalid_argument listing what is allowed.
template <class Row, std::size_t N>
std::size_t row_named(const Row (&rows)[N], const std::string& name, const char* argument) {
  std::string allowed;
  for (std::size_t i = 0; i < N; ++i) {
    if (name == rows[i].name) return i;
    allowed += (i ? ", '" : "'") + std::string(rows[i].name) + "'";
  }
  throw std::invalid_argument("unknown " + std::string(argument) + " '" + name +
                              "'; allowed: " + allowed);
}

/// What the user gave for the parameter of `owner`, or its default.
double given_parameter(const Parameter& parameter, std::optional<double> given,
                       const std::string& owner);

/// The loss of that name.
LossChoice loss_choice(const std::string& name, std::optional<double> parameter);

/// A loss's parameter, or one for each output.
using LossParameter = std::optional<std::variant<double, std::vector<double>>>;

/// The loss of a network of so many outputs; the parameters of these are kept in `each`, which has
/// to live as long as the choice.
LossChoice loss_choice(const std::string& name, const LossParameter& parameter, bool skips_missing,
                       Index n_outputs, std::vector<double>& each);

}  // namespace fastmlp::bindings
