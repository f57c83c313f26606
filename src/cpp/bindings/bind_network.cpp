// DenseSpec and Network, for both scalar types.
#include <optional>

#include "bindings/bindings.h"
#include "bindings/numpy_view.h"
#include "nn/inference.h"

namespace fastmlp::bindings {

namespace {

/// Work below which giving up the GIL and taking it back (about 60 ns) is not worth it.
constexpr double kFlopsWithGil = 1e5;

using PartTuple = std::tuple<std::string, Index, std::optional<double>>;

/// Each part is (activation, units, its parameter or None for the default).
DenseSpec make_spec(const std::vector<PartTuple>& parts, double input_dropout,
                    const std::string& mode, double l1, double l2) {
  if (mode != "inverted" && mode != "classic") {
    throw std::invalid_argument("unknown dropout_mode '" + mode +
                                "'; allowed: 'inverted', 'classic'");
  }
  DenseSpec spec;
  for (const auto& [name, units, parameter] : parts) {
    const auto activation = static_cast<Activation>(row_named(kActivations, name, "activation"));
    spec.parts.push_back(
        {activation, units, given_parameter(row_of(activation).parameter, parameter, name)});
  }
  spec.input_dropout = input_dropout;
  spec.dropout_mode = mode == "classic" ? DropoutMode::kClassic : DropoutMode::kInverted;
  spec.l1 = l1;
  spec.l2 = l2;
  return spec;
}

/// The outputs, and whether all inputs were finite.
template <class T>
std::pair<py::array_t<T>, bool> predict_view(const Network<T>& network, const TableView& x,
                                             const MaskKey* masks, int threads) {
  check_threads(threads);
  py::array_t<T> outputs({x.rows, network.n_outputs()});
  T* data = outputs.mutable_data();
  std::optional<py::gil_scoped_release> release;
  if (network.flops_per_row() * static_cast<double>(x.rows) > kFlopsWithGil) release.emplace();
  const bool finite = predict(network, x, masks, threads, data);
  release.reset();
  return {std::move(outputs), finite};
}

template <class T>
py::object predict_plain(const Network<T>& network, const py::object& x, int threads) {
  const TableView view = plain_view(x, network.n_features());
  if (!view) return py::none();
  auto [outputs, finite] = predict_view(network, view, nullptr, threads);
  return finite ? py::object(std::move(outputs)) : py::none();
}

template <class T>
py::tuple forward_arrays(const Network<T>& network, const py::object& x, int threads) {
  check_threads(threads);
  const TableView view = input_view(x, network.n_features(), "x");
  py::list zs, ys;
  std::vector<T*> z_data, y_data;
  for (const DenseLayer& layer : network.layers()) {
    for (auto [list, data] : {std::pair{&zs, &z_data}, std::pair{&ys, &y_data}}) {
      py::array_t<T> array({view.rows, layer.shape.out});
      data->push_back(array.mutable_data());
      list->append(array);
    }
  }
  {
    py::gil_scoped_release release;
    inspect(network, view, threads, z_data.data(), y_data.data());
  }
  return py::make_tuple(zs, ys);
}

template <class T>
py::tuple loss_and_gradients(const Network<T>& network, const py::object& x, const py::array& t,
                             const std::string& loss, const py::object& sample_weight,
                             std::optional<double> loss_parameter, int threads) {
  check_threads(threads);
  const TableView x_view = input_view(x, network.n_features(), "x");
  const TableView t_view = target_view(t, x_view.rows, network.n_outputs(), "t");
  const TableView weight = weight_view(sample_weight, x_view.rows, "sample_weight");
  const LossChoice kind = loss_choice(loss, loss_parameter);
  double value;
  AlignedBuffer<T> gradient(network.flat_size());
  {
    py::gil_scoped_release release;
    value = loss_and_gradient(network, x_view, t_view, weight ? &weight : nullptr, kind, threads,
                              gradient.data());
  }
  const py::tuple lists = export_params(network, gradient.data());
  return py::make_tuple(value, lists[0], lists[1], lists[2]);
}

template <class T>
void bind(py::module_& m, const char* name) {
  using Net = Network<T>;
  py::class_<Net>(m, name, "A multilayer perceptron; its parameters start as zeros.")
      .def(py::init<Index, const std::vector<DenseSpec>&>(), py::arg("n_features"),
           py::arg("layers"))
      .def_property_readonly("n_features", &Net::n_features)
      .def_property_readonly("n_outputs", &Net::n_outputs)
      .def_property_readonly("n_params", &Net::n_params)
      .def_property_readonly("target", [](const Net& self) { return self.kernels().target; })
      .def(
          "set_params",
          [](Net& self, const py::sequence& coefs, const py::sequence& intercepts,
             const std::optional<py::sequence>& slopes) {
            import_params(self, coefs, intercepts,
                          slopes ? *slopes : py::sequence(export_params(self, self.params())[2]),
                          self.params());
          },
          py::arg("coefs"), py::arg("intercepts"), py::arg("slopes") = py::none())
      .def("get_params", [](const Net& self) { return export_params(self, self.params()); })
      .def(
          "predict",
          [](const Net& self, const py::object& x, int n_threads) {
            return predict_view(self, input_view(x, self.n_features(), "x"), nullptr, n_threads)
                .first;
          },
          py::arg("x"), py::arg("n_threads") = 0)
      .def("predict_plain", &predict_plain<T>, py::arg("x"), py::arg("n_threads") = 0,
           "The outputs for a plain, finite array; None for anything that has to be checked.")
      .def(
          "predict_masked",
          [](const Net& self, const py::object& x, std::uint64_t seed, std::uint64_t sample,
             int n_threads) {
            const MaskKey masks{seed, sample};
            return predict_view(self, input_view(x, self.n_features(), "x"), &masks, n_threads)
                .first;
          },
          py::arg("x"), py::arg("seed"), py::arg("sample"), py::arg("n_threads") = 0)
      .def("forward", &forward_arrays<T>, py::arg("x"), py::arg("n_threads") = 0)
      .def("loss_and_gradients", &loss_and_gradients<T>, py::arg("x"), py::arg("t"),
           py::arg("loss"), py::arg("sample_weight") = py::none(),
           py::arg("loss_parameter") = py::none(), py::arg("n_threads") = 0);
}

}  // namespace

void bind_network(py::module_& m) {
  py::class_<DenseSpec>(m, "DenseSpec", "One dense layer, and the dropout applied to its input.")
      .def(py::init(&make_spec), py::arg("parts"), py::kw_only(), py::arg("input_dropout") = 0.0,
           py::arg("dropout_mode") = "inverted", py::arg("l1") = 0.0, py::arg("l2") = 0.0)
      .def_property_readonly("units", &DenseSpec::units);
  bind<float>(m, "NetworkFloat32");
  bind<double>(m, "NetworkFloat64");
}

}  // namespace fastmlp::bindings
