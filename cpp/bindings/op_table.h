#pragma once
// The ops as Python sees them: a table of entries (generated from the OP rows), and the callable
// objects that choose an overload, bind arguments and call.

#include <tuple>

#include "bindings/args.h"

namespace mlx::bindings {

struct OpEntry {
  const char* path;  // "add", "Tensor.view", "nn.functional.gelu"
  const char* schema;
  const char* doc;
  const Argument* arguments;
  int count;
  PyObject* (*call)(const Args& args);

  const char* short_name() const;  // the last part of the path
};

// Puts every op where Python expects it: functions into the module (dotted ones into its dict
// "namespaces"), methods onto the Tensor type.
void add_ops(py::module_& module);

// The type of a tuple with named fields that an op returns, such as (values, indices).
PyTypeObject* result_type(const char* op, std::vector<const char*> fields);

template <class... T>
PyObject* wrap_tuple(PyTypeObject* type, const std::tuple<T...>& values) {
  py::object out = py::reinterpret_steal<py::object>(checked(PyStructSequence_New(type)));
  std::apply(
      [&](const auto&... v) {
        Py_ssize_t i = 0;
        (PyStructSequence_SetItem(out.ptr(), i++, checked(wrap(v))), ...);
      },
      values);
  return out.release().ptr();
}

}  // namespace mlx::bindings
