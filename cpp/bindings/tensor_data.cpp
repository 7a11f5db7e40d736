// Making tensors of Python data: numbers, nested sequences, NumPy arrays.

#include <pybind11/numpy.h>

#include "base/representable.h"
#include "bindings/tensor_type.h"
#include "ops.h"
#include "ops/pointwise.h"
#include "tape/autograd_meta.h"

namespace mlx::bindings {
namespace {

std::optional<DType> dtype_of_numpy(const py::dtype& d) {
  char kind = d.kind();
  switch (kind) {
    case 'b':
      return DType::Bool;
    case 'u':
      if (d.itemsize() == 1) return DType::UInt8;
      break;
    case 'i': {
      constexpr DType by_size[] = {DType::Int8, DType::Int16, DType::Int32, DType::Int64};
      for (int i = 0; i < 4; ++i)
        if (d.itemsize() == (1 << i)) return by_size[i];
      break;
    }
    case 'f':
      if (d.itemsize() == 2) return DType::Float16;
      if (d.itemsize() == 4) return DType::Float32;
      if (d.itemsize() == 8) return DType::Float64;
      break;
    case 'c':
      if (d.itemsize() == 8) return DType::Complex64;
      if (d.itemsize() == 16) return DType::Complex128;
      break;
    default:
      break;
  }
  return std::nullopt;
}

py::dtype numpy_dtype(DType t) {
  if (t == DType::BFloat16)
    throw TypeError("NumPy has no bfloat16; convert the tensor first, for example with .float()");
  return py::dtype(name(t));
}

// Frees a Python object from any thread.
std::function<void()> keep_alive(py::object o) {
  PyObject* owned = o.release().ptr();
  return [owned] {
    if (!Py_IsInitialized()) return;
    py::gil_scoped_acquire gil;
    Py_DECREF(owned);
  };
}

// A tensor over an array's memory.
Tensor share_array(const py::array& a) {
  auto dtype = dtype_of_numpy(a.dtype());
  if (!dtype || a.dtype().byteorder() == '>')
    throw TypeError("can't convert np.ndarray of type ", py::cast<std::string>(py::str(a.dtype())),
                    "; the supported types are bool, uint8, int8, int16, int32, int64, float16, float32, "
                    "float64, complex64 and complex128");
  Shape shape, strides;
  for (py::ssize_t d = 0; d < a.ndim(); ++d) {
    shape.push_back(a.shape(d));
    if (a.strides(d) < 0)
      throw ValueError(
          "at least one stride in the given numpy array is negative, and tensors with negative strides are "
          "not supported; make a copy with array.copy()");
    if (a.strides(d) % a.itemsize())
      throw ValueError(
          "given numpy array strides are not a multiple of the element size; copy the array first");
    strides.push_back(a.strides(d) / a.itemsize());
  }
  return adopt(const_cast<void*>(a.data()), shape, strides, *dtype, Device{}, keep_alive(a));
}

// ---- nested sequences

// The dtype of a number by itself: NumPy's keep theirs, although some are Python floats too.
DType dtype_of_number(PyObject* o) {
  const bool plain =
      PyFloat_CheckExact(o) || PyLong_CheckExact(o) || PyBool_Check(o) || PyComplex_CheckExact(o);
  if (!plain && py::hasattr(o, "dtype"))
    if (auto dtype = dtype_of_numpy(py::cast<py::dtype>(py::handle(o).attr("dtype")))) return *dtype;
  return scalar_of(o).dtype();
}

// Looks at nested lists: their shape, and the dtype that holds all numbers.
struct Nest {
  Shape shape;
  std::optional<DType> dtype;  // none of an empty list

  void look(PyObject* o, size_t depth) {
    if (is_tensor(o) || is_number(o)) {
      if (depth != shape.size() && settled) ragged(depth);
      settle(depth);
      const DType type = is_number(o) ? dtype_of_number(o) : tensor_of(o).dtype();
      dtype = dtype ? promote(*dtype, type) : type;
      return;
    }
    if (!PySequence_Check(o) || PyUnicode_Check(o)) not_a_number(o);
    py::object items = py::reinterpret_steal<py::object>(checked(PySequence_Fast(o, "not a sequence")));
    int64_t n = PySequence_Fast_GET_SIZE(items.ptr());
    if (depth < shape.size()) {
      if (shape[depth] != n)
        throw ValueError("tensor(): expected sequence of length ", shape[depth], " at dim ", depth, " (got ",
                         n, ")");
    } else {
      if (settled) ragged(depth);
      shape.push_back(n);
    }
    for (int64_t i = 0; i < n; ++i) look(PySequence_Fast_GET_ITEM(items.ptr(), i), depth + 1);
    if (n == 0) settle(depth + 1);
  }

 private:
  bool settled = false;
  void settle(size_t depth) { settled |= depth == shape.size(); }
  [[noreturn]] static void not_a_number(PyObject* o) {
    if (PyUnicode_Check(o)) throw TypeError("tensor(): invalid data type 'str'");
    throw RuntimeError("tensor(): Could not infer dtype of ", Py_TYPE(o)->tp_name);
  }
  [[noreturn]] static void ragged(size_t depth) {
    throw ValueError("tensor(): nested sequences differ in depth at dim ", depth);
  }
};

// A number of Python as an element of a tensor.
Scalar element_of(PyObject* o, DType dtype) {
  Scalar value = scalar_of(o);
  if (value.is_complex() && !is_complex(dtype) && dtype != DType::Bool)
    throw TypeError("tensor(): must be real number, not complex");
  if (!is_inexact(dtype)) check_representable(value, dtype);
  return value;
}

template <class T>
void fill(PyObject* o, DType dtype, T*& out) {
  if (is_tensor(o) || is_number(o)) {
    *out++ = element_of(o, dtype).to<T>();
    return;
  }
  py::object items = py::reinterpret_steal<py::object>(checked(PySequence_Fast(o, "not a sequence")));
  for (Py_ssize_t i = 0, n = PySequence_Fast_GET_SIZE(items.ptr()); i < n; ++i)
    fill(PySequence_Fast_GET_ITEM(items.ptr(), i), dtype, out);
}

Tensor from_sequence(PyObject* data, std::optional<DType> dtype) {
  Nest nest;
  nest.look(data, 0);
  DType type = dtype.value_or(nest.dtype.value_or(default_dtype()));
  Tensor out = allocate_on_host(nest.shape, type);
  visit(type, [&](auto zero) {
    auto* p = out.data<decltype(zero)>();
    if (out.numel()) fill(data, type, p);
  });
  return out;
}

}  // namespace

Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype, bool copy) {
  Tensor t;
  if (is_tensor(data)) {
    t = detach(tensor_of(data));
  } else if (is_number(data)) {
    const DType type = dtype.value_or(dtype_of_number(data));
    return scalar_tensor(element_of(data, type), type);
  } else if (py::isinstance<py::array>(data)) {
    py::array array = py::reinterpret_borrow<py::array>(data);
    bool negative = false;
    for (py::ssize_t d = 0; d < array.ndim(); ++d) negative |= array.strides(d) < 0;
    if (copy && negative) array = py::array(array.attr("copy")());
    t = share_array(array);
  } else if (py::hasattr(data, "__array_interface__") || py::hasattr(data, "__array__")) {
    return tensor_from_data(py::module_::import("numpy").attr("asarray")(py::handle(data)).ptr(), dtype,
                            copy);
  } else {
    return from_sequence(data, dtype);
  }
  if (dtype && *dtype != t.dtype()) return to(t, *dtype, false, true);
  return copy ? clone(t) : t;
}

py::object to_numpy(const Tensor& t, bool force) {
  if (t.requires_grad() && !force)
    throw RuntimeError(
        "numpy(): can't call numpy() on a Tensor that requires grad; use tensor.detach().numpy() instead");
  make_readable(t, "numpy()", true);
  std::vector<py::ssize_t> shape(t.shape().begin(), t.shape().end()), strides;
  for (int64_t s : t.strides()) strides.push_back(s * static_cast<py::ssize_t>(t.item_size()));
  auto* keep = new Ref<Storage>(t.storage());
  py::capsule owner(keep, [](void* p) { delete static_cast<Ref<Storage>*>(p); });
  return py::array(numpy_dtype(t.dtype()), shape, strides, t.raw(), owner);
}

void add_data(py::module_& m) {
  // Where a tensor's storage begins, and how many bytes it has.
  m.def("_storage_extent", [](const Tensor& t) {
    const uintptr_t first = t.numel() ? reinterpret_cast<uintptr_t>(t.raw()) : 0;
    const uintptr_t skipped = static_cast<uintptr_t>(t.offset()) * t.item_size();
    return py::make_tuple(first ? first - skipped : 0, t.storage()->bytes());
  });
  auto optional_dtype = [](py::object o) {
    return o.is_none() ? std::optional<DType>() : std::optional<DType>(dtype_of(o.ptr()));
  };
  auto on_device = [](Tensor t, py::object device) {
    return to(t, std::optional<Device>(device.is_none() ? DefaultDevice::value : device_of(device.ptr())),
              std::optional<DType>());
  };
  m.def(
      "tensor",
      [=](py::object data, py::object dtype, py::object device, bool requires_grad, bool) {
        Tensor t = on_device(tensor_from_data(data.ptr(), optional_dtype(dtype), true), device);
        if (requires_grad) set_requires_grad(t, true);
        return t;
      },
      py::arg("data"), py::kw_only(), py::arg("dtype") = py::none(), py::arg("device") = py::none(),
      py::arg("requires_grad") = false, py::arg("pin_memory") = false,
      "A tensor with a copy of `data`: a number, nested sequences, a NumPy array or a tensor.");
  m.def(
      "as_tensor",
      [=](py::object data, py::object dtype, py::object device) {
        if (is_tensor(data.ptr()) && dtype.is_none()) return on_device(tensor_of(data.ptr()), device);
        if (is_tensor(data.ptr()))
          return on_device(to(tensor_of(data.ptr()), dtype_of(dtype.ptr()), false, false), device);
        return on_device(tensor_from_data(data.ptr(), optional_dtype(dtype), false), device);
      },
      py::arg("data"), py::arg("dtype") = py::none(), py::arg("device") = py::none(),
      "A tensor of `data`, sharing memory where it can.");
  m.def(
      "from_numpy", [](const py::array& array) { return share_array(array); }, py::arg("ndarray"),
      "A tensor that shares the array's memory.");
  m.def("_to_numpy", &to_numpy);
}

}  // namespace mlx::bindings
