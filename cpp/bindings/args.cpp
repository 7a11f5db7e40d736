#include "bindings/args.h"

#include <algorithm>
#include <string_view>

#include "bindings/op_table.h"
#include "tape/autograd_meta.h"

namespace mlx::bindings {
namespace {

bool is_integer(PyObject* o) {
  if (PyLong_Check(o)) return !PyBool_Check(o);
  if (is_tensor(o)) return tensor_of(o).numel() == 1 && !tensor_of(o).is_inexact();
  return PyIndex_Check(o) && !PySequence_Check(o);
}

bool is_real(PyObject* o) {
  if (PyFloat_Check(o) || is_integer(o)) return true;
  if (is_tensor(o)) return tensor_of(o).dim() == 0 && !tensor_of(o).is_complex();
  return is_number(o) && !PyComplex_Check(o);
}

bool is_sequence(PyObject* o) { return PyTuple_Check(o) || PyList_Check(o); }

template <class F>
bool all_of(PyObject* sequence, F&& f) {
  for (Py_ssize_t i = 0, n = PySequence_Fast_GET_SIZE(sequence); i < n; ++i)
    if (!f(PySequence_Fast_GET_ITEM(sequence, i))) return false;
  return true;
}

int64_t integer_of(PyObject* o) {
  if (PyLong_Check(o)) {
    int64_t v = PyLong_AsLongLong(o);
    if (v == -1 && PyErr_Occurred()) throw_python_error();
    return v;
  }
  py::object index = py::reinterpret_steal<py::object>(checked(PyNumber_Index(o)));
  return integer_of(index.ptr());
}

// PyTorch's arithmetic reads a number as a tensor; its other ops on elements want one tensor at least.
bool takes_numbers_alone(const OpEntry& op) {
  static constexpr std::string_view kNames[] = {"add",          "sub",      "subtract", "mul",
                                                "multiply",     "div",      "divide",   "true_divide",
                                                "floor_divide", "linspace", "logspace"};
  return std::find(std::begin(kNames), std::end(kNames), op.path) != std::end(kNames);
}

bool any_tensor(const OpEntry& op, PyObject* const* values) {
  return std::any_of(values, values + op.count, [](PyObject* v) { return v && is_tensor(v); });
}

double real_of(PyObject* o) {
  double v = PyFloat_AsDouble(o);
  if (v == -1 && PyErr_Occurred()) throw_python_error();
  return v;
}

}  // namespace

bool accepts(const Argument& a, PyObject* v) {
  if (v == Py_None) return a.optional;
  switch (a.kind) {
    case Kind::Tensor:
      return is_tensor(v);
    case Kind::Operand:
      return is_tensor(v) || is_number(v);
    case Kind::TensorList:
      return is_sequence(v) && all_of(v, is_tensor);
    case Kind::OptionalTensorList:
      return is_sequence(v) && all_of(v, [](PyObject* o) { return o == Py_None || is_tensor(o); });
    case Kind::Scalar:
      return is_number(v) || (is_tensor(v) && tensor_of(v).dim() == 0);
    case Kind::Int:
      return is_integer(v);
    case Kind::IntList:
      return is_sequence(v) ? all_of(v, is_integer) : a.size > 0 && is_integer(v);
    case Kind::Float:
      return is_real(v);
    case Kind::FloatList:
      return is_sequence(v) ? all_of(v, is_real) : a.size > 0 && is_real(v);
    case Kind::Bool:
      return PyBool_Check(v) || (is_number(v) && !PyFloat_Check(v)) ||
             (is_tensor(v) && tensor_of(v).dtype() == DType::Bool);
    case Kind::Str:
      return PyUnicode_Check(v);
    case Kind::Dtype:
      return is_dtype(v);
    case Kind::Device:
      return is_device(v);
    case Kind::Generator:
      return py::isinstance<Generator>(v);
    case Kind::Layout:
    case Kind::MemoryFormat:
      break;
  }
  return true;
}

void Args::wrong(int i, const char* expected) const {
  throw TypeError(op_.short_name(), "(): argument '", op_.arguments[i].name, "' (position ", i + 1,
                  ") must be ", expected, ", not ", values_[i] ? Py_TYPE(values_[i])->tp_name : "missing");
}

const Tensor& Args::tensor(int i) const {
  if (!values_[i] || !is_tensor(values_[i])) wrong(i, "Tensor");
  return tensor_of(values_[i]);
}

const Tensor& Args::optional_tensor(int i) const {
  static const Tensor none;
  return given(i) ? tensor(i) : none;
}

Tensor Args::operand(int i) const {
  PyObject* v = values_[i];
  if (v && is_tensor(v)) return tensor_of(v);
  if (!v || !is_number(v)) wrong(i, "Tensor or Number");
  if (i == 0 && !takes_numbers_alone(op_) && !any_tensor(op_, values_)) wrong(i, "Tensor");
  return wrapped_number(scalar_of(v));
}

TensorList Args::tensors(int i) const {
  PyObject* v = values_[i];
  if (!is_sequence(v)) wrong(i, "tuple of Tensors");
  TensorList list;
  for (Py_ssize_t k = 0, n = PySequence_Fast_GET_SIZE(v); k < n; ++k) {
    PyObject* item = PySequence_Fast_GET_ITEM(v, k);
    if (item == Py_None && op_.arguments[i].kind == Kind::OptionalTensorList) {
      list.emplace_back();
    } else if (is_tensor(item)) {
      list.push_back(tensor_of(item));
    } else {
      throw TypeError(op_.short_name(), "(): argument '", op_.arguments[i].name, "' (position ", i + 1,
                      ") must be tuple of Tensors, but its element ", k, " is ", Py_TYPE(item)->tp_name);
    }
  }
  return list;
}

Scalar Args::scalar(int i) const {
  if (!accepts({"", Kind::Scalar, 0, false, false, false}, values_[i])) wrong(i, "Number");
  return scalar_of(values_[i]);
}

int64_t Args::integer(int i) const {
  if (!is_integer(values_[i])) wrong(i, "int");
  return integer_of(values_[i]);
}

Shape Args::ints(int i) const {
  PyObject* v = values_[i];
  int size = op_.arguments[i].size;
  if (!is_sequence(v)) {
    if (!is_integer(v)) wrong(i, "tuple of ints");
    return Shape(static_cast<size_t>(std::max(size, 1)), integer_of(v));
  }
  Shape out;
  for (Py_ssize_t k = 0, n = PySequence_Fast_GET_SIZE(v); k < n; ++k) {
    PyObject* item = PySequence_Fast_GET_ITEM(v, k);
    if (!is_integer(item))
      throw TypeError(op_.short_name(), "(): argument '", op_.arguments[i].name, "' (position ", i + 1,
                      ") must be tuple of ints, but its element ", k, " is ", Py_TYPE(item)->tp_name);
    out.push_back(integer_of(item));
  }
  if (size > 1 && out.size() == 1) out.resize(static_cast<size_t>(size), out[0]);
  return out;
}

double Args::real(int i) const {
  if (!is_real(values_[i])) wrong(i, "float");
  return real_of(values_[i]);
}

std::vector<double> Args::reals(int i) const {
  PyObject* v = values_[i];
  if (!is_sequence(v)) {
    if (!is_real(v)) wrong(i, "tuple of floats");
    return std::vector<double>(static_cast<size_t>(std::max(op_.arguments[i].size, 1)), real_of(v));
  }
  std::vector<double> out;
  for (Py_ssize_t k = 0, n = PySequence_Fast_GET_SIZE(v); k < n; ++k)
    out.push_back(real_of(PySequence_Fast_GET_ITEM(v, k)));
  return out;
}

bool Args::boolean(int i) const {
  if (!accepts({"", Kind::Bool, 0, false, false, false}, values_[i])) wrong(i, "bool");
  int truth = PyObject_IsTrue(values_[i]);
  if (truth < 0) throw_python_error();
  return truth != 0;
}

std::string Args::string(int i) const {
  if (!PyUnicode_Check(values_[i])) wrong(i, "str");
  return py::cast<std::string>(py::handle(values_[i]));
}

DType Args::dtype(int i) const {
  if (!is_dtype(values_[i])) wrong(i, "mlx.dtype");
  return dtype_of(values_[i]);
}

std::optional<Device> Args::optional_device(int i) const {
  if (!given(i)) return std::nullopt;
  if (!is_device(values_[i])) wrong(i, "mlx.device");
  return device_of(values_[i]);
}

Ref<Generator> Args::generator(int i) const {
  if (!given(i)) return {};
  if (!py::isinstance<Generator>(values_[i])) wrong(i, "mlx.Generator");
  return py::cast<Ref<Generator>>(py::handle(values_[i]));
}

PyObject* Args::with_grad(int i, const Tensor& result) const {
  if (values_[i] && boolean(i)) set_requires_grad(result, true);
  return wrap(result);
}

}  // namespace mlx::bindings
