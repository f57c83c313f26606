#include "bindings/numpy_view.h"

#include <algorithm>
#include <cstring>
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

/// The first row whose label is no index of an output; `rows` if all are.
template <class Int>
Index first_wrong_label(const TableView& labels, Index n_outputs) {
  const char* p = static_cast<const char*>(labels.data);
  for (Index r = 0; r < labels.rows; ++r, p += labels.row_stride) {
    Int number;  // a strided view need not be aligned
    std::memcpy(&number, p, sizeof(number));
    const auto label = static_cast<Index>(number);
    if (label < 0 || label >= n_outputs) return r;
  }
  return labels.rows;
}

/// Class labels must be indices of outputs: everything behind relies on it.
void check_labels(const py::array& array, const TableView& labels, Index n_outputs,
                  const char* name) {
  Index row = labels.rows;
  switch (labels.dtype) {
#define DTYPE(tag, type)                                \
  case DType::tag:                                      \
    if constexpr (std::is_integral_v<type>) {           \
      row = first_wrong_label<type>(labels, n_outputs); \
    }                                                   \
    break;
    FASTMLP_DTYPES(DTYPE)
#undef DTYPE
  }
  if (row == labels.rows) return;
  throw std::invalid_argument(std::string(name) + " must hold class labels from 0 to " +
                              std::to_string(n_outputs - 1) + ", got " +
                              py::str(array[py::int_(row)]).cast<std::string>() + " in row " +
                              std::to_string(row));
}

/// NumPy's letter for a kind of numbers.
template <class T>
constexpr char kind_of = std::is_same_v<T, bool>       ? 'b'
                         : std::is_floating_point_v<T> ? 'f'
                         : std::is_signed_v<T>         ? 'i'
                                                       : 'u';

/// Everything behind relies on indices inside the table.
template <class Int>
bool valid_indices(const TableView& table, Index count) {
  const Int* starts = static_cast<const Int*>(table.row_starts);
  const Int* columns = static_cast<const Int*>(table.columns);
  if (starts[0] < 0 || starts[table.rows] > count) return false;
  for (Index r = 0; r < table.rows; ++r) {
    if (starts[r] > starts[r + 1]) return false;
  }
  for (Index i = starts[0]; i < starts[table.rows]; ++i) {
    if (columns[i] < 0 || columns[i] >= table.cols) return false;
  }
  return true;
}

}  // namespace

std::optional<DType> native_dtype(const py::array& array) {
  const py::dtype dtype = array.dtype();
  if (dtype.byteorder() == '=' || dtype.byteorder() == '|') {
#define DTYPE(tag, type) \
  if (dtype.kind() == kind_of<type> && dtype.itemsize() == sizeof(type)) return DType::tag;
    FASTMLP_DTYPES(DTYPE)
#undef DTYPE
  }
  return std::nullopt;
}

DType dtype_of(const py::array& array, const char* name) {
  if (const std::optional<DType> known = native_dtype(array)) return *known;
  throw py::type_error(std::string(name) +
                       " must be a native array of bool, integers, float32 or float64, got dtype " +
                       py::str(static_cast<py::object>(array.dtype())).cast<std::string>());
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

/// The three arrays of a scipy.sparse matrix or array in compressed sparse rows.
HeldView sparse_view(const py::object& matrix, Index n_features, const char* name) {
  const auto format = py::cast<std::string>(matrix.attr("format"));
  const auto shape = py::cast<std::vector<Index>>(matrix.attr("shape"));
  if (format != "csr" || shape.size() != 2 || shape[1] != n_features || shape[0] < 1) {
    throw std::invalid_argument(std::string(name) + " must be dense or in CSR format with " +
                                std::to_string(n_features) + " columns and at least one row");
  }
  const auto data = py::cast<py::array>(matrix.attr("data"));
  const auto columns = py::cast<py::array>(matrix.attr("indices"));
  const auto starts = py::cast<py::array>(matrix.attr("indptr"));
  const bool wide = starts.dtype().equal(py::dtype::of<std::int64_t>());
  const py::dtype index_type = wide ? py::dtype::of<std::int64_t>() : py::dtype::of<std::int32_t>();
  const bool contiguous =
      (data.flags() & columns.flags() & starts.flags() & py::array::c_style) != 0;
  if (!starts.dtype().equal(index_type) || !columns.dtype().equal(index_type) || !contiguous ||
      data.ndim() != 1 || columns.ndim() != 1 || starts.ndim() != 1 ||
      columns.shape(0) != data.shape(0) || starts.shape(0) != shape[0] + 1) {
    throw std::invalid_argument(std::string(name) + " is not a valid CSR matrix");
  }
  HeldView view;
  view.owners[0] = data;
  view.owners[1] = columns;
  view.owners[2] = starts;
  view.data = data.data();
  view.dtype = dtype_of(data, name);
  view.rows = shape[0];
  view.stored = data.shape(0);
  view.cols = n_features;
  view.col_stride = data.itemsize();
  view.row_starts = starts.data();
  view.columns = columns.data();
  view.wide_indices = wide;
  const bool valid = wide ? valid_indices<std::int64_t>(view, data.shape(0))
                          : valid_indices<std::int32_t>(view, data.shape(0));
  if (!valid) throw std::invalid_argument(std::string(name) + " has CSR indices out of range");
  return view;
}

HeldView input_view(const py::object& object, Index n_features, const char* name) {
  if (!py::isinstance<py::array>(object) && py::hasattr(object, "indptr")) {
    return sparse_view(object, n_features, name);
  }
  const auto array = py::array::ensure(object);
  if (!array) throw py::error_already_set();
  const std::string expected = "(rows, " + std::to_string(n_features) + ")";
  if (array.ndim() != 2 || array.shape(1) != n_features) wrong_shape(name, expected, array);
  if (array.shape(0) < 1) throw std::invalid_argument(std::string(name) + " has no rows");
  HeldView view{table_view(array, name), {}};
  view.owners[0] = array;
  return view;
}

TableView plain_view(const py::object& object, Index n_features) {
  if (!py::isinstance<py::array>(object)) return {};
  const auto array = py::reinterpret_borrow<py::array>(object);
  const auto exact = py::detail::npy_api::get().PyArray_Type_;
  if (Py_TYPE(object.ptr()) != exact || array.ndim() != 2 || array.shape(0) < 1 ||
      array.shape(1) != n_features || !native_dtype(array)) {
    return {};
  }
  return table_view(array, "x");
}

HeldView target_view(const py::array& array, Index rows, Index n_outputs, const char* name) {
  HeldView view;
  view.owners[0] = array;
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
  check_labels(array, view, n_outputs, name);
  view.one_hot = n_outputs;
  return view;
}

HeldView weight_view(const py::object& object, Index rows, const char* name) {
  if (object.is_none()) return {};
  const auto array = py::cast<py::array>(object);
  if (array.ndim() != 1 || array.shape(0) != rows) {
    wrong_shape(name, "(" + std::to_string(rows) + ",)", array);
  }
  HeldView view;
  view.owners[0] = array;
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

namespace {

Index learned_count(const DenseLayer& layer) {
  return layer.learned_size > 0 ? layer.shape.out : 0;
}

}  // namespace

template <class T>
void import_params(const Network<T>& network, const py::sequence& coefs,
                   const py::sequence& intercepts, const py::sequence& slopes, T* flat) {
  const std::size_t count = network.layers().size();
  if (coefs.size() != count || intercepts.size() != count || slopes.size() != count) {
    throw std::invalid_argument("coefs, intercepts and slopes must have one array per layer, " +
                                std::to_string(count) + ", got " + std::to_string(coefs.size()) +
                                ", " + std::to_string(intercepts.size()) + " and " +
                                std::to_string(slopes.size()));
  }
  // Converted and checked before the first is written, so that a bad one changes nothing.
  std::vector<py::array_t<T>> ws, bs, as;
  for (std::size_t i = 0; i < count; ++i) {
    const PanelShape& shape = network.layers()[i].shape;
    const std::string index = "[" + std::to_string(i) + "]";
    ws.push_back(c_array<T>(coefs[i], {shape.in, shape.out}, "coefs" + index));
    bs.push_back(c_array<T>(intercepts[i], {shape.out}, "intercepts" + index));
    as.push_back(c_array<T>(slopes[i], {learned_count(network.layers()[i])}, "slopes" + index));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const DenseLayer& layer = network.layers()[i];
    pack_panels(layer.shape, ws[i].data(), bs[i].data(), flat + layer.offset);
    std::copy_n(as[i].data(), as[i].size(), flat + layer.learned_offset);
  }
}

template <class T>
py::tuple export_params(const Network<T>& network, const T* flat) {
  py::list coefs, intercepts, slopes;
  for (const DenseLayer& layer : network.layers()) {
    py::array_t<T> w({layer.shape.in, layer.shape.out});
    py::array_t<T> b(layer.shape.out);
    unpack_panels(layer.shape, flat + layer.offset, w.mutable_data(), b.mutable_data());
    coefs.append(w);
    intercepts.append(b);
    slopes.append(py::array_t<T>(learned_count(layer), flat + layer.learned_offset));
  }
  return py::make_tuple(coefs, intercepts, slopes);
}

double given_parameter(const Parameter& parameter, std::optional<double> given,
                       const std::string& owner) {
  if (!given) return parameter.value;
  if (parameter.kind == Parameter::kNone) {
    throw std::invalid_argument("'" + owner + "' has no parameter");
  }
  if (!(*given >= 0.0 && *given <= 1e30)) {
    throw std::invalid_argument(std::string(parameter.name) + " of '" + owner +
                                "' must be finite and not negative, got " + std::to_string(*given));
  }
  return *given;
}

LossChoice loss_choice(const std::string& name, std::optional<double> parameter) {
  LossChoice choice;
  choice.loss = static_cast<Loss>(row_named(kLosses, name, "loss"));
  choice.parameter = given_parameter(row_of(choice.loss).parameter, parameter, name);
  return choice;
}

LossChoice loss_choice(const std::string& name, const LossParameter& parameter, bool skips_missing,
                       Index n_outputs, std::vector<double>& each) {
  const auto* given = parameter ? std::get_if<std::vector<double>>(&*parameter) : nullptr;
  const auto* one = parameter ? std::get_if<double>(&*parameter) : nullptr;
  LossChoice choice = loss_choice(name, one ? std::optional<double>(*one) : std::nullopt);
  const LossRow& row = row_of(choice.loss);
  if (row.over == Over::kPairs && n_outputs % 2 != 0) {
    throw std::invalid_argument("'" + name + "' needs two outputs for each target, got " +
                                std::to_string(n_outputs) + " in all");
  }
  const bool by_row = row_of(row.link).keeps == Keep::kRow;
  if (by_row && skips_missing) {
    throw std::invalid_argument("'" + name + "' is of whole rows, none of which may be missing");
  }
  if (given) {
    if (by_row || row.over == Over::kPairs) {
      throw std::invalid_argument("'" + name + "' has no parameter for each output");
    }
    if (static_cast<Index>(given->size()) != n_outputs) {
      throw std::invalid_argument("'" + name + "' needs a parameter for each of " +
                                  std::to_string(n_outputs) + " outputs, got " +
                                  std::to_string(given->size()));
    }
    for (const double value : *given) given_parameter(row.parameter, value, name);
    each = *given;
    choice.parameters = each.data();
  }
  choice.skips_missing = skips_missing;
  return choice;
}

#define FASTMLP_INSTANTIATE(T)                                                                \
  template py::array_t<T> c_array<T>(const py::handle&, const std::vector<Index>&,            \
                                     const std::string&);                                     \
  template void import_params<T>(const Network<T>&, const py::sequence&, const py::sequence&, \
                                 const py::sequence&, T*);                                    \
  template py::tuple export_params<T>(const Network<T>&, const T*);
FASTMLP_INSTANTIATE(float)
FASTMLP_INSTANTIATE(double)
#undef FASTMLP_INSTANTIATE

}  // namespace fastmlp::bindings
