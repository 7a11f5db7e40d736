// The extension module mlx._C: everything that the package `mlx` is made of.

#include "backends/backend.h"
#include "base/warnings.h"
#include "bindings/autocast.h"
#include "bindings/op_table.h"
#include "bindings/overrides.h"
#include "bindings/tensor_type.h"

namespace mlx::bindings {
PyObject* out_of_bounds_error();  // errors.cpp
}

PYBIND11_MODULE(_C, m) {
  using namespace mlx::bindings;
  m.doc() = "The C++ core of mlx.";
  // Kernels on large tensors run without the interpreter's lock (a thread that does not hold it keeps none).
  mlx::set_long_work({[]() -> void* { return PyGILState_Check() ? PyEval_SaveThread() : nullptr; },
                      [](void* state) {
                        if (state) PyEval_RestoreThread(static_cast<PyThreadState*>(state));
                      }});
  // What pybind11's functions throw becomes the Python error of the same meaning.
  pybind11::register_exception_translator([](std::exception_ptr e) {
    if (!e) return;
    try {
      std::rethrow_exception(e);
    } catch (const mlx::Error&) {
      set_python_error();
    }
  });
  mlx::warning_sink() = [](const std::string& message) {
    if (PyErr_WarnEx(PyExc_UserWarning, message.c_str(), 1)) throw_python_error();
  };
  m.attr("OutOfBoundsError") = py::reinterpret_borrow<py::object>(out_of_bounds_error());
  m.attr("LinAlgError") = py::reinterpret_borrow<py::object>(linalg_error());
  make_tensor_type(m);
  add_overrides(m);
  add_values(m);
  add_ops(m);
  add_autocast(m);
  add_autograd(m);
  add_data(m);
  add_runtime(m);
  add_interchange(m);
  add_compiler(m);
}
