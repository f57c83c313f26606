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
}
