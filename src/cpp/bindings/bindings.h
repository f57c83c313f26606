// One function per room; module.cpp calls them all.
#pragma once

#include <pybind11/pybind11.h>

namespace fastmlp::bindings {

/// Work below which giving up the GIL and taking it back (about 60 ns) is not worth it.
inline constexpr double kFlopsWithGil = 1e5;

void bind_catalog(pybind11::module_& m);
void bind_network(pybind11::module_& m);
void bind_trainer(pybind11::module_& m);
void bind_pack(pybind11::module_& m);
void bind_perceptron(pybind11::module_& m);
void bind_graph(pybind11::module_& m);
void bind_kernels(pybind11::module_& m);

}  // namespace fastmlp::bindings
