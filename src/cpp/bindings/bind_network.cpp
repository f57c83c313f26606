// DenseSpec and Network, for both scalar types.
#include <optional>

#include "bindings/bindings.h"
#include "bindings/gil.h"
#include "bindings/numpy_view.h"
#include "bindings/python_hooks.h"
#include "bindings/python_loss.h"
#include "nn/input_gradients.h"
#include "nn/objective.h"
#include "nn/predict.h"

namespace fastmlp::bindings {

namespace {

using PartTuple = std::tuple<std::string, Index, std::optional<double>>;

/// Each part is (activation, units, its parameter or None for the default).
DenseSpec make_spec(const std::vector<PartTuple>& parts, double input_dropout,
                    const std::string& mode, double norm_epsilon, double l1, double l2) {
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
  spec.norm_epsilon = norm_epsilon;
  spec.input_dropout = input_dropout;
  spec.dropout_mode = mode == "classic" ? DropoutMode::kClassic : DropoutMode::kInverted;
  spec.l1 = l1;
  spec.l2 = l2;
  return spec;
}

[[noreturn]] void refuse(Outcome outcome) {
  if (outcome == Outcome::kInputNotFinite) {
    throw std::invalid_argument("x holds NaN, infinity or numbers too large for the network");
  }
  throw std::invalid_argument(
      "the outputs are NaN or infinite: the inputs, or the weights, are too large for the sums of "
      "their products; scale the inputs to about unit size");
}

/// What every row of x gives, in an array of type Out.
template <class T, class Out>
std::pair<py::array, Outcome> predict_into(const Network<T>& network, const TableView& x,
                                           const MaskKey* masks, Give give, int threads) {
  check_threads(threads);
  py::array_t<Out> to({x.rows, width_of(network, give)});
  Out* data = to.mutable_data();
  PythonCaller caller;
  Poll poll(caller);
  std::optional<GilReleased> release;
  if (network.flops_per_row() * static_cast<double>(x.rows) > kFlopsWithGil) release.emplace();
  const Outcome outcome = predict(network, x, masks, give, threads, poll, data);
  release.reset();
  caller.rethrow();
  return {std::move(to), outcome};
}

/// With `like_x` the type of the array is float32 only where that of x is, too.
template <class T>
std::pair<py::array, Outcome> predict_view(const Network<T>& network, const TableView& x,
                                           const MaskKey* masks, Give give, bool like_x,
                                           int threads) {
  if (like_x && x.dtype != DType::kFloat32) {
    return predict_into<T, double>(network, x, masks, give, threads);
  }
  return predict_into<T, T>(network, x, masks, give, threads);
}

/// By number, as one call in a microsecond has no time for names.
template <class T>
Give checked_give(const Network<T>& network, int give) {
  if (give == static_cast<int>(Give::kOutputs)) return Give::kOutputs;
  if (give == static_cast<int>(Give::kLogits)) return Give::kLogits;
  const Activation last = network.layers().back().activation();
  const bool probable = last == Activation::softmax || last == Activation::logistic;
  if (give == static_cast<int>(Give::kProbabilities) && probable) return Give::kProbabilities;
  throw std::invalid_argument(
      "give must be GIVE_OUTPUTS, GIVE_LOGITS or, of a softmax or logistic output layer, "
      "GIVE_PROBABILITIES; got " +
      std::to_string(give));
}

template <class T>
py::array predict_any(const Network<T>& network, const py::object& x, int give, bool like_x,
                      const MaskKey* masks, int threads) {
  const HeldView view = input_view(x, network.n_columns(), "x");
  auto [to, outcome] =
      predict_view(network, view, masks, checked_give(network, give), like_x, threads);
  if (outcome != Outcome::kDone) refuse(outcome);
  return std::move(to);
}

template <class T>
py::object predict_plain(const Network<T>& network, const py::object& x, int give, bool like_x,
                         int threads) {
  const TableView view = plain_view(x, network.n_columns());
  if (!view) return py::none();
  auto [to, outcome] =
      predict_view(network, view, nullptr, checked_give(network, give), like_x, threads);
  if (outcome == Outcome::kInputNotFinite) return py::none();
  if (outcome != Outcome::kDone) refuse(outcome);
  return std::move(to);
}

template <class T>
py::tuple forward_arrays(const Network<T>& network, const py::object& x, int threads) {
  check_threads(threads);
  const HeldView view = input_view(x, network.n_columns(), "x");
  py::list zs, ys;
  std::vector<T*> z_data, y_data;
  for (const DenseLayer& layer : network.layers()) {
    for (auto [list, data] : {std::pair{&zs, &z_data}, std::pair{&ys, &y_data}}) {
      py::array_t<T> array({view.rows, layer.shape.out});
      data->push_back(array.mutable_data());
      list->append(array);
    }
  }
  PythonCaller caller;
  Poll poll(caller);
  Outcome outcome;
  {
    const GilReleased release;
    outcome = inspect(network, view, threads, poll, z_data.data(), y_data.data());
  }
  caller.rethrow();
  if (outcome != Outcome::kDone) refuse(outcome);
  return py::make_tuple(zs, ys);
}

template <class T>
py::array_t<T> input_gradient_array(const Network<T>& network, const py::object& x, int threads) {
  check_threads(threads);
  const HeldView view = input_view(x, network.n_columns(), "x");
  py::array_t<T> to({view.rows, network.n_outputs(), network.n_features()});
  T* data = to.mutable_data();
  PythonCaller caller;
  Poll poll(caller);
  Outcome outcome;
  {
    const GilReleased release;
    outcome = input_gradients(network, view, threads, poll, data);
  }
  caller.rethrow();
  if (outcome != Outcome::kDone) refuse(outcome);
  return to;
}

/// The arguments that a loss over a data set has.
template <class T>
struct LossArguments {
  std::vector<double> parameters;
  LossChoice loss;
  HeldView x, t, weight;

  LossArguments(const LossArguments&) = delete;  // the loss looks at `parameters`
  LossArguments& operator=(const LossArguments&) = delete;
  LossArguments(const Network<T>& network, const py::object& x_, const py::array& t_,
                const std::string& loss_, const py::object& sample_weight,
                const LossParameter& loss_parameter, bool skips_missing)
      : loss(loss_choice(loss_, loss_parameter, skips_missing, network.n_outputs(), parameters)),
        x(input_view(x_, network.n_columns(), "x")),
        t(target_view(t_, x.rows, target_count(loss.loss, network.n_outputs()), "t")),
        weight(weight_view(sample_weight, x.rows, "sample_weight")) {}
  const TableView* weight_or_none() const { return weight ? &weight : nullptr; }
};

template <class T>
py::tuple loss_and_gradients(const Network<T>& network, const py::object& x, const py::array& t,
                             const std::string& loss, const py::object& sample_weight,
                             const LossParameter& loss_parameter, bool skips_missing, int threads) {
  check_threads(threads);
  const LossArguments<T> given(network, x, t, loss, sample_weight, loss_parameter, skips_missing);
  double value;
  AlignedBuffer<T> gradient(network.flat_size());
  PythonCaller caller;
  Poll poll(caller);
  {
    const GilReleased release;
    loss_and_gradient(network, given.x, given.t, given.weight_or_none(), given.loss, threads, poll,
                      value, gradient.data());
  }
  caller.rethrow();
  const py::tuple lists = export_params(network, gradient.data());
  return py::make_tuple(value, lists[0], lists[1], lists[2]);
}

template <class T>
double mean_loss(const Network<T>& network, const py::object& x, const py::array& t,
                 const std::string& loss, const py::object& sample_weight,
                 const LossParameter& loss_parameter, bool skips_missing,
                 const py::object& own_loss, int threads) {
  check_threads(threads);
  LossArguments<T> given(network, x, t, loss, sample_weight, loss_parameter, skips_missing);
  PythonLoss own;
  const PythonLoss::Scope scope(own_loss.is_none() ? nullptr : &own, own_loss);
  if (!own_loss.is_none()) given.loss.own = &own;
  double value;
  PythonCaller caller;
  Poll poll(caller);
  Outcome outcome;
  {
    const GilReleased release;
    outcome = evaluate<T>(network, given.x, given.t, given.weight_or_none(), given.loss, threads,
                          poll, value, Give::kOutputs, nullptr);
  }
  caller.rethrow();
  own.rethrow();
  if (outcome != Outcome::kDone) refuse(outcome);
  return value;
}

constexpr const char* kEncodingNames[] = {"scaled", "bins", "periodic", "one_hot", "missing"};

EncodingSpec make_encoding(const std::string& kind, Index column, std::vector<double> first,
                           std::vector<double> second, Index codes, double scale) {
  for (std::size_t i = 0; i < std::size(kEncodingNames); ++i) {
    if (kind != kEncodingNames[i]) continue;
    return {static_cast<Encoding>(i), column, std::move(first), std::move(second), codes, scale};
  }
  throw std::invalid_argument("unknown encoding '" + kind + "'");
}

/// Sections of the encoder's parameters and their lengths: factors, frequencies, phases.
template <class T>
std::vector<std::pair<Index, Index>> encoding_sections(const Network<T>& network) {
  const Encoder<T>* encoder = network.encoder();
  if (encoder == nullptr) return {};
  return {{0, encoder->scales() ? encoder->width() : 0},
          {encoder->frequencies(), encoder->periodic()},
          {encoder->phases(), encoder->periodic()}};
}

/// Factors, frequencies and phases: three arrays, none without an encoder.
template <class T>
py::list get_encoding(const Network<T>& network) {
  py::list arrays;
  for (const auto& [begin, size] : encoding_sections(network)) {
    arrays.append(py::array_t<T>(size, network.encoding_params() + begin));
  }
  return arrays;
}

template <class T>
void set_encoding(Network<T>& network, const py::sequence& arrays) {
  const auto sections = encoding_sections(network);
  if (!network.learns_encoding() || arrays.size() != sections.size()) {
    throw std::invalid_argument(
        "the network's encoding has no parameters that are trained, or "
        "these are not factors, frequencies and phases");
  }
  std::vector<py::array_t<T>> checked;
  for (std::size_t i = 0; i < sections.size(); ++i) {
    checked.push_back(c_array<T>(arrays[i], {sections[i].second}, "encoding"));
  }
  for (std::size_t i = 0; i < sections.size(); ++i) {
    T* to = network.params() + network.encoding_offset() + sections[i].first;
    std::copy_n(checked[i].data(), sections[i].second, to);
  }
}

template <class T>
std::unique_ptr<Network<T>> make_network(Index n_features, const std::vector<DenseSpec>& layers,
                                         const Encoder<T>* encoder) {
  if (encoder == nullptr) return std::make_unique<Network<T>>(n_features, layers);
  if (n_features != encoder->width()) {
    throw std::invalid_argument("n_features must be the width of the encoder, " +
                                std::to_string(encoder->width()) + ", got " +
                                std::to_string(n_features));
  }
  return std::make_unique<Network<T>>(*encoder, layers);
}

template <class T>
void bind_encoder(py::module_& m, const char* name) {
  py::class_<Encoder<T>>(m, name, "From columns of a table to the inputs of a network.")
      .def(py::init<Index, const std::vector<EncodingSpec>&, bool, double>(), py::arg("n_columns"),
           py::arg("encodings"), py::kw_only(), py::arg("learns_waves") = false,
           py::arg("scale_rate") = 0.0)
      .def_property_readonly("width", &Encoder<T>::width);
}

template <class T>
void bind(py::module_& m, const char* name) {
  using Net = Network<T>;
  py::class_<Net>(m, name, "A multilayer perceptron; its parameters start as zeros.")
      .def(py::init(&make_network<T>), py::arg("n_features"), py::arg("layers"),
           py::arg("encoder") = py::none())
      .def_property_readonly("n_columns", &Net::n_columns)
      .def("get_encoding", &get_encoding<T>)
      .def("set_encoding", &set_encoding<T>, py::arg("arrays"))
      .def_property_readonly("n_features", &Net::n_features)
      .def_property_readonly("n_outputs", &Net::n_outputs)
      .def_property_readonly("n_params", &Net::n_params)
      .def_property_readonly("is_finite", &Net::is_finite)
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
      .def("copy", [](const Net& self) { return std::make_unique<Net>(self); })
      .def(
          "predict",
          [](const Net& self, const py::object& x, int n_threads, int give, bool like_x) {
            return predict_any(self, x, give, like_x, nullptr, n_threads);
          },
          py::arg("x"), py::arg("n_threads") = 0, py::arg("give") = 0, py::arg("like_x") = false)
      .def(
          "predict_plain",
          [](const Net& self, const py::object& x, int n_threads, int give, bool like_x) {
            return predict_plain(self, x, give, like_x, n_threads);
          },
          py::arg("x"), py::arg("n_threads") = 0, py::arg("give") = 0, py::arg("like_x") = false,
          "The outputs for a plain, finite array; None for anything that has to be checked.")
      .def(
          "predict_masked",
          [](const Net& self, const py::object& x, std::uint64_t seed, std::uint64_t sample,
             int n_threads) {
            const MaskKey masks{seed, sample};
            return predict_any(self, x, 0, false, &masks, n_threads);
          },
          py::arg("x"), py::arg("seed"), py::arg("sample"), py::arg("n_threads") = 0)
      .def("forward", &forward_arrays<T>, py::arg("x"), py::arg("n_threads") = 0)
      .def("input_gradients", &input_gradient_array<T>, py::arg("x"), py::arg("n_threads") = 0)
      .def("mean_loss", &mean_loss<T>, py::arg("x"), py::arg("t"), py::arg("loss"),
           py::arg("sample_weight") = py::none(), py::arg("loss_parameter") = py::none(),
           py::arg("skips_missing") = false, py::arg("own_loss") = py::none(),
           py::arg("n_threads") = 0)
      .def("loss_and_gradients", &loss_and_gradients<T>, py::arg("x"), py::arg("t"),
           py::arg("loss"), py::arg("sample_weight") = py::none(),
           py::arg("loss_parameter") = py::none(), py::arg("skips_missing") = false,
           py::arg("n_threads") = 0);
}

}  // namespace

void bind_network(py::module_& m) {
  m.attr("GIVE_OUTPUTS") = static_cast<int>(Give::kOutputs);
  m.attr("GIVE_LOGITS") = static_cast<int>(Give::kLogits);
  m.attr("GIVE_PROBABILITIES") = static_cast<int>(Give::kProbabilities);
  py::class_<DenseSpec>(m, "DenseSpec", "One dense layer, and what is done to its input.")
      .def(py::init(&make_spec), py::arg("parts"), py::kw_only(), py::arg("input_dropout") = 0.0,
           py::arg("dropout_mode") = "inverted", py::arg("norm_epsilon") = 0.0, py::arg("l1") = 0.0,
           py::arg("l2") = 0.0)
      .def_property_readonly("units", &DenseSpec::units);
  py::class_<EncodingSpec>(m, "EncodingSpec", "What becomes of a column of a table.")
      .def(py::init(&make_encoding), py::arg("kind"), py::arg("column"), py::kw_only(),
           py::arg("first") = std::vector<double>(), py::arg("second") = std::vector<double>(),
           py::arg("codes") = 0, py::arg("scale") = 1.0)
      .def_property_readonly("width", &EncodingSpec::width);
  bind_encoder<float>(m, "EncoderFloat32");
  bind_encoder<double>(m, "EncoderFloat64");
  bind<float>(m, "NetworkFloat32");
  bind<double>(m, "NetworkFloat64");
}

}  // namespace fastmlp::bindings
