#include "bindings/numpy_view.h"

#include <stdexcept>

namespace fastmlp::bindings {

namespace {

std::string shape_of(const py::array& array) {
  std::string text = "(";
  for (Index i = 0; i < array.ndim(); ++i) {
    text += (i ? ", " : "") + std::to_string(array.shape(i));
  }
  return text + (array.ndim() == 1 ? ",)" : ")");
}

[[noreturn]] void wrong_shape(const char* name, const std::string& expected,
                              const py::array& array) {
  throw std::invalid_argument(std::string(name) + " must have shape " + expected + ", got " +
                              shape_of(array));
}

/// Class labels must be indices of outputs: everything behind relies on it.
void check_labels(const TableView& labels, Index n_outputs, const char* name) {
  for (Index r = 0; r < labels.rows; ++r) {
    double label;  // labels beyond 2^53 are out of range in any case
    gather_rows(labels, nullptr, r, 1, &label, 1);
    if (!(label >= 0 && label < static_cast<double>(n_outputs))) {
      throw std::invalid_argument(std::string(name) + " must hold class labels from 0 to " +
                                  std::to_string(n_outputs - 1) + ", got " +
                                  std::to_string(static_cast<long long>(label)) + " in row " +
                                  std::to_string(r));
    }
  }
}

}  // namespace

DType dtype_of(const py::array& array, const char* name) {
  const py::dtype dtype = array.dtype();
  if (dtype.byteorder() == '=' || dtype.byteorder() == '|') {
#define DTYPE(tag, type) \
  if (dtype.equal(py::dtype::of<type>())) return DType::tag;
    FASTMLP_DTYPES(DTYPE)
#undef DTYPE
  }
  throw py::type_error(std::string(name) +
                       " must be a native array of bool, integers, float32 or float64, got dtype " +
                       py::str(static_cast<py::object>(dtype)).cast<std::string>());
}

TableView table_view(const py::array& array, const char* name) {
  if (array.ndim() != 2) wrong_shape(name, "(rows, columns)", array);
  TableView view;
  view.data = array.data();
  view.dtype = dtype_of(array, name);
  view.rows = array.shape(0);
  view.cols = array.shape(1);
  view.row_stride = array.strides(0);
  view.col_stride = array.strides(1);
  return view;
}

TableView input_view(const py::array& array, Index n_features, const char* name) {
  const std::string expected = "(rows, " + std::to_string(n_features) + ")";
  if (array.ndim() != 2 || array.shape(1) != n_features) wrong_shape(name, expected, array);
  if (array.shape(0) < 1) throw std::invalid_argument(std::string(name) + " has no rows");
  return table_view(array, name);
}

TableView target_view(const py::array& array, Index rows, Index n_outputs, const char* name) {
  TableView view;
  view.dtype = dtype_of(array, name);
  view.data = array.data();
  view.rows = rows;
  view.cols = n_outputs;
  const std::string count = std::to_string(rows);
  if (array.ndim() == 2 && array.shape(0) == rows && array.shape(1) == n_outputs) {
    view.row_stride = array.strides(0);
    view.col_stride = array.strides(1);
    return view;
  }
  if (array.ndim() != 1 || array.shape(0) != rows) {
    wrong_shape(name, "(" + count + ",) or (" + count + ", " + std::to_string(n_outputs) + ")",
                array);
  }
  view.row_stride = array.strides(0);
  view.col_stride = array.itemsize();
  if (n_outputs == 1) return view;
  if (array.dtype().kind() != 'i' && array.dtype().kind() != 'u') {
    throw std::invalid_argument(std::string(name) +
                                " must hold integer class labels, or have shape (" + count + ", " +
                                std::to_string(n_outputs) + ")");
  }
  view.cols = 1;
  check_labels(view, n_outputs, name);
  view.one_hot = n_outputs;
  return view;
}

TableView weight_view(const py::object& object, Index rows, const char* name) {
  if (object.is_none()) return {};
  const auto array = py::cast<py::array>(object);
  if (array.ndim() != 1 || array.shape(0) != rows) {
    wrong_shape(name, "(" + std::to_string(rows) + ",)", array);
  }
  TableView view;
  view.data = array.data();
  view.dtype = dtype_of(array, name);
  view.rows = rows;
  view.cols = 1;
  view.row_stride = array.strides(0);
  view.col_stride = array.itemsize();
  return view;
}

void check_threads(int n_threads) {
  if (n_threads < 0) {
    throw std::invalid_argument("n_threads must not be negative, got " + std::to_string(n_threads));
  }
}

template <class T>
py::array_t<T> c_array(const py::handle& object, const std::vector<Index>& shape,
                       const std::string& name) {
  auto array = py::array_t<T, py::array::c_style | py::array::forcecast>::ensure(object);
  if (!array) throw py::error_already_set();
  bool same = array.ndim() == static_cast<Index>(shape.size());
  for (std::size_t i = 0; same && i < shape.size(); ++i) {
    same = array.shape(static_cast<Index>(i)) == shape[i];
  }
  if (!same) {
    std::string expected = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) {
      expected += (i ? ", " : "") + std::to_string(shape[i]);
    }
    wrong_shape(name.c_str(), expected + (shape.size() == 1 ? ",)" : ")"), array);
  }
  return array;
}

template <class T>
void import_params(const Network<T>& network, const py::sequence& coefs,
                   const py::sequence& intercepts, T* flat) {
  const std::size_t count = network.layers().size();
  if (coefs.size() != count || intercepts.size() != count) {
    throw std::invalid_argument("coefs and intercepts must have one array per layer, " +
                                std::to_string(count) + ", got " + std::to_string(coefs.size()) +
                                " and " + std::to_string(intercepts.size()));
  }
  // Converted and checked before the first is written, so that a bad one changes nothing.
  std::vector<py::array_t<T>> ws, bs;
  for (std::size_t i = 0; i < count; ++i) {
    const PanelShape& shape = network.layers()[i].shape;
    const std::string index = "[" + std::to_string(i) + "]";
    ws.push_back(c_array<T>(coefs[i], {shape.in, shape.out}, "coefs" + index));
    bs.push_back(c_array<T>(intercepts[i], {shape.out}, "intercepts" + index));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const DenseLayer& layer = network.layers()[i];
    pack_panels(layer.shape, ws[i].data(), bs[i].data(), flat + layer.offset);
  }
}

template <class T>
py::tuple export_params(const Network<T>& network, const T* flat) {
  py::list coefs, intercepts;
  for (const DenseLayer& layer : network.layers()) {
    py::array_t<T> w({layer.shape.in, layer.shape.out});
    py::array_t<T> b(layer.shape.out);
    unpack_panels(layer.shape, flat + layer.offset, w.mutable_data(), b.mutable_data());
    coefs.append(w);
    intercepts.append(b);
  }
  return py::make_tuple(coefs, intercepts);
}

#define FASTMLP_INSTANTIATE(T)                                                                     \
  template py::array_t<T> c_array<T>(const py::handle&, const std::vector<Index>&,                 \
                                     const std::string&);                                          \
  template void import_params<T>(const Network<T>&, const py::sequence&, const py::sequence&, T*); \
  template py::tuple export_params<T>(const Network<T>&, const T*);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp::bindings
