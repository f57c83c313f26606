// fastmlp._core: the compiled half of the package.
#include "bindings/bindings.h"
#include "bindings/gil.h"

// With sanitizers, multiplications and additions are not always fused to one.
#ifdef FASTMLP_SANITIZED
#define FASTMLP_BUILD ", sanitized"
#else
#define FASTMLP_BUILD ""
#endif
#ifdef __clang__
#define FASTMLP_COMPILER "Clang " __clang_version__ FASTMLP_BUILD
#else
#define FASTMLP_COMPILER "GCC " __VERSION__ FASTMLP_BUILD
#endif

namespace py = pybind11;

namespace {

/// Lets pickle refuse the objects of all classes: what it does by itself makes them without their
/// constructors, which ends the process. Their owners keep plain state.
void refuse_pickling(const py::module_& m) {
  const auto refuse = [](const py::object& self, const py::args&) {
    const auto name = py::str(py::type::of(self).attr("__name__")).cast<std::string>();
    throw py::type_error("cannot pickle '" + name + "' object");
  };
  for (const auto& item : py::cast<py::dict>(m.attr("__dict__"))) {
    if (!py::isinstance<py::type>(item.second)) continue;
    const auto type = py::reinterpret_borrow<py::object>(item.second);
    for (const char* name : {"__reduce__", "__reduce_ex__"}) {
      type.attr(name) = py::cpp_function(refuse, py::name(name), py::is_method(type));
    }
  }
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "The compiled core of fastmlp.";
  m.attr("__version__") = FASTMLP_VERSION;
  m.attr("__compiler__") = FASTMLP_COMPILER;
  fastmlp::bindings::PythonsEnd::announce_at_exit();
  fastmlp::bindings::bind_catalog(m);
  fastmlp::bindings::bind_network(m);
  fastmlp::bindings::bind_trainer(m);
  fastmlp::bindings::bind_pack(m);
  fastmlp::bindings::bind_perceptron(m);
  fastmlp::bindings::bind_graph(m);
  fastmlp::bindings::bind_kernels(m);
  refuse_pickling(m);
}
