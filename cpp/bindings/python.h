#pragma once
// What every file of this room needs: Python's headers, owned references, and the way errors cross
// between C++ and Python. This room turns Python's calls into calls of the rooms above it.

#include <pybind11/pybind11.h>

#include <optional>

#include "base/ref.h"
#include "tensor/tensor.h"

PYBIND11_DECLARE_HOLDER_TYPE(T, mlx::Ref<T>, true)

namespace mlx::bindings {

namespace py = pybind11;

// The class of errors of compiled functions, mlx.jit.TraceError.
extern PyObject* trace_error;
// Sets Python's error from the C++ exception in flight.
void set_python_error() noexcept;
// The class of mlx::LinAlgError in Python (borrowed).
PyObject* linalg_error();
// Throws the Python error that is set as a C++ exception.
[[noreturn]] inline void throw_python_error() { throw py::error_already_set(); }

inline PyObject* checked(PyObject* p) {
  if (!p) throw_python_error();
  return p;
}

// Runs f and turns exceptions into Python's: the body of every function that Python calls directly.
template <class F>
PyObject* guarded(F&& f) noexcept {
  try {
    return f();
  } catch (...) {
    set_python_error();
    return nullptr;
  }
}

template <class F>
auto guarded_int(F&& f) noexcept -> decltype(f()) {
  try {
    return f();
  } catch (...) {
    set_python_error();
    return -1;
  }
}

// ---- tensors (tensor_type.cpp)

struct PyTensor {
  PyObject_HEAD Tensor tensor;
  PyObject* dict;
  PyObject* weak_references;
};

extern PyTypeObject* tensor_type;

inline bool is_tensor(PyObject* o) { return Py_TYPE(o) == tensor_type || PyObject_TypeCheck(o, tensor_type); }
inline const Tensor& tensor_of(PyObject* o) { return reinterpret_cast<PyTensor*>(o)->tensor; }

// The Python object of a tensor: the one that stands for it already, or a new one. None when undefined.
PyObject* wrap(const Tensor& t);
// A new object of a subclass of Tensor.
PyObject* wrap_as(PyTypeObject* type, const Tensor& t);
PyObject* wrap(const TensorList& list);
PyObject* wrap(const Scalar& s);
PyObject* wrap(DType t);
PyObject* wrap(Device d);
PyObject* wrap(const Shape& ints);  // a Size
inline PyObject* wrap(bool v) { return PyBool_FromLong(v); }
inline PyObject* wrap(int64_t v) { return PyLong_FromLongLong(v); }
inline PyObject* wrap(double v) { return PyFloat_FromDouble(v); }

// ---- values of Python

bool is_number(PyObject* o);  // a Python or NumPy number, not a tensor
Scalar scalar_of(PyObject* o);
bool is_dtype(PyObject* o);
DType dtype_of(PyObject* o);  // also Python's bool, int, float, complex
bool is_device(PyObject* o);
Device device_of(PyObject* o);  // also "cpu", "mps:0"
extern PyTypeObject* size_type;

// ---- making a tensor of Python data (tensor_data.cpp)

Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype, bool copy);

}  // namespace mlx::bindings

// Lets pybind11 functions take and return mlx::Tensor.
namespace pybind11::detail {
template <>
struct type_caster<mlx::Tensor> {
  PYBIND11_TYPE_CASTER(mlx::Tensor, const_name("Tensor"));
  bool load(handle src, bool) {
    if (src.is_none()) return true;  // "no tensor"
    if (!mlx::bindings::is_tensor(src.ptr())) return false;
    value = mlx::bindings::tensor_of(src.ptr());
    return true;
  }
  static handle cast(const mlx::Tensor& t, return_value_policy, handle) { return mlx::bindings::wrap(t); }
};
}  // namespace pybind11::detail
