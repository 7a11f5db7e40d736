#pragma once
// Classes of Python that take over what is done with their objects, by PyTorch's `__torch_function__`.
//
// An ordinary call pays for one load and a branch: arguments are looked at only once a tensor has been made
// of a class that overrides. Objects that are no tensors are asked after a call has failed on them.

#include "bindings/python.h"

namespace mlx::bindings {

struct Overrides {
  static inline bool seen = false;
  static inline thread_local int disabled = 0;  // depth of DisableTorchFunctionSubclass

  static bool possible() { return seen && !disabled; }
};

// Looks at the class of a new tensor that is no plain Tensor.
void note_class(PyTypeObject* type);

// Hands the call to the override of one of its arguments, as the call of `function`. False when none of them
// has one; otherwise true, and *result is the result, or null with an error set (TypeError when all refuse).
// Arguments are laid out as for vectorcall.
bool overridden(PyObject* function, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                PyObject** result) noexcept;

// The same for a method of Tensor that is given by name.
bool overridden_method(const char* name, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                       PyObject** result) noexcept;

// The same for one that an operator stands for: NotImplemented when all refuse, so that Python may ask
// elsewhere.
bool overridden_operator(const char* name, PyObject* const* args, Py_ssize_t nargs,
                         PyObject** result) noexcept;

// The same for the getter of an attribute.
bool overridden_getter(const char* name, PyObject* self, PyObject** result) noexcept;

// The result of a call that has failed, which an argument that is no tensor may yet take over; else null
// again.
PyObject* rescued(PyObject* function, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                  bool may_refuse = false) noexcept;
PyObject* rescued_operator(const char* name, PyObject* const* args, Py_ssize_t nargs,
                           bool may_refuse = true) noexcept;

void add_overrides(py::module_& module);

}  // namespace mlx::bindings
