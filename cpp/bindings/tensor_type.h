#pragma once
// The parts of Python's Tensor type, a file each.

#include "bindings/python.h"

namespace mlx::bindings {

extern PyGetSetDef tensor_properties[];               // tensor_properties.cpp
extern PyMethodDef tensor_methods[];                  // tensor_methods.cpp: what is not an op
PyObject* get_item(PyObject* self, PyObject* index);  // indexing.cpp
int set_item(PyObject* self, PyObject* index, PyObject* value);
int get_buffer(PyObject* self, Py_buffer* view, int flags);  // interchange.cpp
void release_buffer(PyObject* self, Py_buffer* view);

void make_tensor_type(py::module_& module);
void add_values(py::module_& module);       // values.cpp: dtype, device, Size
void add_autograd(py::module_& module);     // autograd.cpp
void add_runtime(py::module_& module);      // runtime.cpp: threads, memory
void add_data(py::module_& module);         // tensor_data.cpp: tensor(), from_numpy()
void add_compiler(py::module_& module);     // compiler.cpp: what mlx.jit is made of
void add_interchange(py::module_& module);  // interchange.cpp: DLPack, buffers, storages

}  // namespace mlx::bindings
