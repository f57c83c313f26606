// _core.kernels: every kernel of every target by name, so that the tests reach each one on any
// machine that supports it. Arrays are copied into padded matrices first; not for speed.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "base/rng.h"
#include "bindings/bindings.h"
#include "bindings/numpy_view.h"
#include "nn/rules.h"

namespace fastmlp::bindings {

namespace {

/// A matrix padded as kernels expect it: rows of whole vectors on every target.
template <class T>
struct Padded {
  Index rows, cols, ld;
  AlignedBuffer<T> buffer;

  Padded(Index rows_, Index cols_)
      : rows(rows_), cols(cols_), ld(round_up(cols_, 16)), buffer(checked_mul(rows_, ld)) {}
  Padded(const py::array_t<T, py::array::c_style | py::array::forcecast>& array)
      : Padded(array.shape(0), array.ndim() > 1 ? array.shape(1) : 1) {
    for (Index r = 0; r < rows; ++r) {
      for (Index c = 0; c < cols; ++c) data()[r * ld + c] = array.data()[r * cols + c];
    }
  }
  T* data() { return buffer.data(); }
  py::array_t<T> array() {
    py::array_t<T> out({rows, cols});
    for (Index r = 0; r < rows; ++r) {
      for (Index c = 0; c < cols; ++c) out.mutable_data()[r * cols + c] = data()[r * ld + c];
    }
    return out;
  }
};

/// Calls f with a number of the array's own type.
template <class F>
py::object by_dtype(const py::array& array, F f) {
  if (array.dtype().equal(py::dtype::of<float>())) return f(float{});
  if (array.dtype().equal(py::dtype::of<double>())) return f(double{});
  throw py::type_error("kernels take float32 or float64 arrays");
}

template <class T>
const Kernels<T>& kernels_of(const std::string& target) {
  return pick<T>(target_named(target).kernels);
}

std::size_t activation_named(const std::string& name) {
  return row_named(kActivations, name, "activation");
}

/// A parameter for every activation: one number, or one per column where it is learned.
template <class T>
struct Parameters {
  AlignedBuffer<T> learned;
  ActivationParameter<T> view;

  Parameters(const std::string& activation, const py::object& given, Index cols)
      : learned(round_up(cols, 16)) {
    const Parameter& parameter = kActivations[activation_named(activation)].parameter;
    view = {static_cast<T>(parameter.value), learned.data()};
    std::fill_n(learned.data(), cols, view.given);
    if (given.is_none()) return;
    if (parameter.kind == Parameter::kLearned) {
      const auto array = c_array<T>(given, {cols}, "parameter");
      std::copy_n(array.data(), cols, learned.data());
    } else {
      view.given = py::cast<T>(given);
    }
  }
};

template <class T>
PanelShape shape_for(const Kernels<T>& kernels, Index in, Index out) {
  return layer_shape(in, out, kernels.panel_vectors * kernels.lanes, kernels.lanes);
}

template <class T>
AlignedBuffer<T> packed(const PanelShape& shape, const py::array& w, const T* b) {
  AlignedBuffer<T> panels(param_size(shape));
  const auto plain = c_array<T>(w, {shape.in, shape.out}, "w");
  pack_panels(shape, plain.data(), b, panels.data());
  return panels;
}

py::object dense_forward(const std::string& target, const std::string& activation,
                         const py::array& x, const py::array& w, const py::array& b,
                         const py::object& parameter) {
  return by_dtype(x, [&](auto zero) -> py::object {
    using T = decltype(zero);
    const Kernels<T>& kernels = kernels_of<T>(target);
    Padded<T> xs(x), ys(xs.rows, w.shape(1));
    const PanelShape shape = shape_for(kernels, w.shape(0), w.shape(1));
    const auto bias = c_array<T>(b, {shape.out}, "b");
    const AlignedBuffer<T> panels = packed<T>(shape, w, bias.data());
    kernels.forward[activation_named(activation)](
        {xs.data(), xs.ld, panels.data(), nullptr, ys.data(), ys.ld, xs.rows, shape,
         Parameters<T>(activation, parameter, shape.out).view, whole_row(shape.out)});
    return ys.array();
  });
}

py::object dense_backward_input(const std::string& target, const std::string& activation,
                                const py::array& dz, const py::array& w, const py::array& kept,
                                const py::object& parameter) {
  return by_dtype(dz, [&](auto zero) -> py::object {
    using T = decltype(zero);
    const Kernels<T>& kernels = kernels_of<T>(target);
    const PanelShape shape = shape_for(kernels, w.shape(0), w.shape(1));
    Padded<T> dzs(dz), keeps(kept), dxs(dzs.rows, shape.in);
    const std::vector<T> bias(static_cast<std::size_t>(shape.out), T{1});
    const AlignedBuffer<T> panels = packed<T>(shape, w, bias.data());
    AlignedBuffer<T> scratch(backward_scratch_size(shape));
    kernels.backward_input[activation_named(activation)](
        {dzs.data(), dzs.ld, panels.data(), keeps.data(), keeps.ld, dxs.data(), dxs.ld,
         scratch.data(), dzs.rows, shape, Parameters<T>(activation, parameter, shape.in).view,
         whole_row(shape.in)});
    return dxs.array();
  });
}

py::object dense_backward_weights(const std::string& target, const py::array& x,
                                  const py::array& dz) {
  return by_dtype(x, [&](auto zero) -> py::object {
    using T = decltype(zero);
    const Kernels<T>& kernels = kernels_of<T>(target);
    Padded<T> xs(x), dzs(dz);
    const PanelShape shape = shape_for(kernels, xs.cols, dzs.cols);
    AlignedBuffer<T> panels(param_size(shape));
    const Index rows_at_once = shape.narrow ? shape.width : 48;
    for (Index p = 0; p < panel_count(shape); ++p) {
      for (Index row = 0; row < shape.in; row += rows_at_once) {
        const Index end = min_index(row + rows_at_once, shape.in);
        T* dw = panels.data() + row_offset(shape, p, row);
        kernels.backward_weights({xs.data() + row,
                                  xs.ld,
                                  dzs.data(),
                                  dzs.ld,
                                  dw,
                                  xs.rows,
                                  p,
                                  row,
                                  end == shape.in ? end + 1 : end,
                                  shape,
                                  {}});
      }
    }
    py::array_t<T> dw({shape.in, shape.out}), db(shape.out);
    unpack_panels(shape, panels.data(), dw.mutable_data(), db.mutable_data());
    return py::make_tuple(dw, db);
  });
}

Columns columns_of(Index cols, std::optional<std::pair<Index, Index>> range) {
  if (!range) return whole_row(cols);
  return {range->first, range->second, range->second == cols};
}

py::object activation_forward(const std::string& target, const std::string& activation,
                              const py::array& z, const py::object& parameter,
                              std::optional<std::pair<Index, Index>> range) {
  return by_dtype(z, [&](auto zero) -> py::object {
    using T = decltype(zero);
    Padded<T> zs(z);
    kernels_of<T>(target).activation[activation_named(activation)](
        {zs.data(), zs.data(), zs.ld, zs.rows, columns_of(zs.cols, range),
         Parameters<T>(activation, parameter, zs.cols).view});
    return zs.array();
  });
}

py::object activation_backward(const std::string& target, const std::string& activation,
                               const py::array& kept, const py::array& dy,
                               const py::object& parameter,
                               std::optional<std::pair<Index, Index>> range) {
  return by_dtype(kept, [&](auto zero) -> py::object {
    using T = decltype(zero);
    Padded<T> keeps(kept), dys(dy);
    kernels_of<T>(target).slope[activation_named(activation)](
        {keeps.data(), keeps.ld, dys.data(), dys.ld, keeps.rows, columns_of(keeps.cols, range),
         Parameters<T>(activation, parameter, keeps.cols).view});
    return py::make_tuple(dys.array(), keeps.array());
  });
}

py::object loss(const std::string& target, const std::string& name, bool on_logits,
                const py::array& y, const py::array& t, const py::array& row_weight,
                const LossParameter& parameter, bool skips_missing) {
  return by_dtype(y, [&](auto zero) -> py::object {
    using T = decltype(zero);
    const Kernels<T>& kernels = kernels_of<T>(target);
    const std::size_t kind = row_named(kLosses, name, "loss");
    Padded<T> ys(y), ts(t), dys(ys.rows, ys.cols);
    const auto weight = c_array<T>(row_weight, {ys.rows}, "row_weight");
    py::array_t<T> row_loss(ys.rows);
    std::vector<double> each;
    const LossChoice choice = loss_choice(name, parameter, skips_missing, ys.cols, each);
    const auto kernel = (on_logits ? kernels.loss_on_logits : kernels.loss_on_output)[kind];
    kernel({ys.data(), ys.ld, ts.data(), ts.ld, weight.data(), row_loss.mutable_data(), dys.data(),
            dys.ld, ys.rows, ys.cols, static_cast<T>(choice.parameter), choice.parameters,
            choice.skips_missing});
    return py::make_tuple(row_loss, dys.array());
  });
}

py::object optimizer_step(const std::string& target, const std::string& name, const py::array& w,
                          const py::array& g, const py::sequence& slots, double rate,
                          const std::map<std::string, double>& hyperparameters, Index step,
                          double l1, double l2) {
  return by_dtype(w, [&](auto zero) -> py::object {
    using T = decltype(zero);
    const Kernels<T>& kernels = kernels_of<T>(target);
    const std::size_t kind = row_named(kOptimizers, name, "optimizer");
    double hyper[kMaxHyperparameters] = {};
    for (int i = 0; i < kMaxHyperparameters; ++i) {
      const Hyperparameter& h = kOptimizers[kind].hyperparameters[i];
      if (h.name) hyper[i] = hyperparameters.count(h.name) ? hyperparameters.at(h.name) : h.value;
    }
    // Columns, so that one row of the padded matrix is the whole array.
    const auto row_of = [](const py::handle& array) {
      return Padded<T>(py::cast<py::array>(array).reshape({Index{1}, Index{-1}}));
    };
    Padded<T> ws = row_of(w), gs = row_of(g);
    std::vector<Padded<T>> memory;
    for (const auto& slot : slots) memory.push_back(row_of(slot));
    Coefficients coefficients{};
    kernels.prepare[kind](rate, hyper, step, coefficients);
    UpdateArgs<T> args{};
    args.w = ws.data();
    args.g = gs.data();
    for (std::size_t i = 0; i < memory.size(); ++i) args.slot[i] = memory[i].data();
    args.n = ws.ld;
    args.coefficients = &coefficients;
    args.rate = rate;
    args.l1 = l1;
    args.l2 = l2;
    const double penalty = kernels.update[kind](args);
    py::list new_slots;
    for (Padded<T>& m : memory) new_slots.append(m.array().reshape({m.cols}));
    return py::make_tuple(ws.array().reshape({ws.cols}), new_slots, penalty);
  });
}

py::object sum_parts(const std::string& target, const py::array& parts) {
  return by_dtype(parts, [&](auto zero) -> py::object {
    using T = decltype(zero);
    Padded<T> from(parts), sum(1, from.cols);
    kernels_of<T>(target).sum_parts({from.data(), from.rows, from.ld, sum.data(), sum.ld});
    return sum.array().reshape({sum.cols});
  });
}

py::object dropout(const std::string& target, const py::array& x, double rate, double scale,
                   std::uint64_t seed, std::uint32_t layer, std::uint64_t step) {
  return by_dtype(x, [&](auto zero) -> py::object {
    using T = decltype(zero);
    Padded<T> xs(x), ys(xs.rows, xs.cols);
    DropoutArgs<T> args{};
    args.x = xs.data();
    args.ldx = xs.ld;
    args.y = ys.data();
    args.ldy = ys.ld;
    args.rows = xs.rows;
    args.cols = xs.cols;
    args.threshold = static_cast<std::uint32_t>((1.0 - rate) * 65536.0 + 0.5);
    args.scale = scale;
    args.seed = seed;
    args.step = step;
    args.layer = layer;
    kernels_of<T>(target).dropout(args);
    return ys.array();
  });
}

py::array_t<std::uint32_t> random_bits(const std::string& target, std::uint64_t seed,
                                       const std::array<std::uint32_t, 4>& counter) {
  const PhiloxBlock block = kernels_of<float>(target).random_block(
      seed, {{counter[0], counter[1], counter[2], counter[3]}});
  return py::array_t<std::uint32_t>(4, block.word);
}

}  // namespace

void bind_kernels(py::module_& m) {
  py::module_ k = m.def_submodule("kernels", "Every kernel of every target, for the tests.");
  k.def("dense_forward", &dense_forward, py::arg("target"), py::arg("activation"), py::arg("x"),
        py::arg("w"), py::arg("b"), py::arg("parameter") = py::none());
  k.def("dense_backward_input", &dense_backward_input, py::arg("target"), py::arg("activation"),
        py::arg("dz"), py::arg("w"), py::arg("kept"), py::arg("parameter") = py::none());
  k.def("dense_backward_weights", &dense_backward_weights, py::arg("target"), py::arg("x"),
        py::arg("dz"));
  k.def("activation_forward", &activation_forward, py::arg("target"), py::arg("activation"),
        py::arg("z"), py::arg("parameter") = py::none(), py::arg("columns") = py::none());
  k.def("activation_backward", &activation_backward, py::arg("target"), py::arg("activation"),
        py::arg("kept"), py::arg("dy"), py::arg("parameter") = py::none(),
        py::arg("columns") = py::none());
  k.def("loss", &loss, py::arg("target"), py::arg("loss"), py::arg("on_logits"), py::arg("y"),
        py::arg("t"), py::arg("row_weight"), py::arg("parameter") = py::none(),
        py::arg("skips_missing") = false);
  k.def("optimizer_step", &optimizer_step, py::arg("target"), py::arg("optimizer"), py::arg("w"),
        py::arg("g"), py::arg("slots"), py::arg("rate"), py::arg("hyperparameters"),
        py::arg("step"), py::arg("l1"), py::arg("l2"));
  k.def("sum_parts", &sum_parts, py::arg("target"), py::arg("parts"));
  k.def("dropout", &dropout, py::arg("target"), py::arg("x"), py::arg("rate"), py::arg("scale"),
        py::arg("seed"), py::arg("layer"), py::arg("step"));
  k.def("random_bits", &random_bits, py::arg("target"), py::arg("seed"), py::arg("counter"));
}

}  // namespace fastmlp::bindings
