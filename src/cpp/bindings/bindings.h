// One function per room; module.cpp calls them all.
#pragma once

#include <pybind11/pybind11.h>

namespace fastmlp::bindings {

void bind_catalog(pybind11::module_& m);
void bind_network(pybind11::module_& m);
void bind_trainer(pybind11::module_& m);
void bind_perceptron(pybind11::module_& m);
void bind_graph(pybind11::module_& m);
void bind_kernels(pybind11::module_& m);

}  // namespace fastmlp::bindings
