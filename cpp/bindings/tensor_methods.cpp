// The methods of Tensor that are not ops: they deal in Python objects.

#include "bindings/overrides.h"
#include "bindings/tensor_type.h"
#include "ops.h"
#include "tape/autograd_meta.h"

namespace mlx::bindings {
namespace {

using Fast = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*);

PyCFunction fast(Fast f) { return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(f)); }

// Whether the class of `self` took over the call of a method, which is known by the function that stands in
// the table.
bool taken_over(PyCFunction function, PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kwnames,
                PyObject** result) {
  if (!Overrides::possible() || Py_TYPE(self) == tensor_type) return false;
  const PyMethodDef* m = tensor_methods;
  while (m->ml_meth != function) ++m;
  std::vector<PyObject*> all(args, args + n + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0));
  all.insert(all.begin(), self);
  return overridden_method(m->ml_name, all.data(), n + 1, kwnames, result);
}

template <class F>
PyObject* call_method(PyObject* o, PyObject* arg) {
  if (PyObject* result; taken_over(&call_method<F>, o, nullptr, 0, nullptr, &result)) return result;
  return guarded([&] { return F{}(tensor_of(o), arg); });
}

template <class F>
constexpr PyCFunction method(F) {
  static_assert(!std::is_pointer_v<F>, "a lambda: its type is all that is kept");
  return &call_method<F>;
}

// Elements as nested Python lists; a number for a zero-dimensional tensor.
PyObject* to_list(const Tensor& t, int64_t dim, int64_t offset) {
  if (dim == t.dim()) {
    return visit(t.dtype(), [&](auto zero) {
      using T = decltype(zero);
      return wrap(Scalar(static_cast<const T*>(t.storage()->data())[offset]));
    });
  }
  py::object list = py::reinterpret_steal<py::object>(checked(PyList_New(t.size(dim))));
  for (int64_t i = 0; i < t.size(dim); ++i)
    PyList_SET_ITEM(list.ptr(), i, checked(to_list(t, dim + 1, offset + i * t.stride(dim))));
  return list.release().ptr();
}

PyObject* shape_or_size(PyObject* self, PyObject* const* args, Py_ssize_t n,
                        const Shape& (Tensor::*whole)() const, int64_t (Tensor::*one)(int64_t) const,
                        bool as_size) {
  const Tensor& t = tensor_of(self);
  if (n == 0 || args[0] == Py_None) {
    if (as_size) return wrap((t.*whole)());
    py::tuple out((t.*whole)().size());
    for (size_t i = 0; i < out.size(); ++i) out[i] = (t.*whole)()[i];
    return out.release().ptr();
  }
  return wrap((t.*one)(py::cast<int64_t>(py::handle(args[0]))));
}

PyObject* size(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  if (PyObject* result; taken_over(fast(size), self, args, n, kwnames, &result)) return result;
  return guarded(
      [&] { return shape_or_size(self, args, n + (kwnames ? 1 : 0), &Tensor::shape, &Tensor::size, true); });
}

PyObject* stride(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  if (PyObject* result; taken_over(fast(stride), self, args, n, kwnames, &result)) return result;
  return guarded([&] {
    return shape_or_size(self, args, n + (kwnames ? 1 : 0), &Tensor::strides, &Tensor::stride, false);
  });
}

PyObject* requires_grad_(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&] {
    int on = 1;
    static const char* names[] = {"requires_grad", nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p", const_cast<char**>(names), &on))
      throw_python_error();
    set_requires_grad(tensor_of(self), on);
    return Py_NewRef(self);
  });
}

template <DType type>
PyObject* cast(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* kwnames) {
  if (PyObject* result; taken_over(fast(cast<type>), self, args, n, kwnames, &result)) return result;
  return guarded([&] { return wrap(to(tensor_of(self), type, false, false)); });
}

}  // namespace

PyMethodDef tensor_methods[] = {
    {"size", fast(size), METH_FASTCALL | METH_KEYWORDS,
     "size(dim=None): the shape, or the size of one dimension."},
    {"stride", fast(stride), METH_FASTCALL | METH_KEYWORDS,
     "stride(dim=None): the strides in elements, or one of them."},
    {"numel", method([](const Tensor& t, PyObject*) { return wrap(t.numel()); }), METH_NOARGS,
     "The number of elements."},
    {"nelement", method([](const Tensor& t, PyObject*) { return wrap(t.numel()); }), METH_NOARGS,
     "The number of elements."},
    {"dim", method([](const Tensor& t, PyObject*) { return wrap(t.dim()); }), METH_NOARGS,
     "The number of dimensions."},
    {"ndimension", method([](const Tensor& t, PyObject*) { return wrap(t.dim()); }), METH_NOARGS,
     "The number of dimensions."},
    {"is_floating_point", method([](const Tensor& t, PyObject*) { return wrap(t.is_floating()); }),
     METH_NOARGS, "Whether the elements are floating-point numbers."},
    {"is_complex", method([](const Tensor& t, PyObject*) { return wrap(t.is_complex()); }), METH_NOARGS,
     "Whether the elements are complex numbers."},
    {"tolist", method([](const Tensor& t, PyObject*) {
       make_readable(t, "tolist()");
       return to_list(t, 0, t.offset());
     }),
     METH_NOARGS, "The elements as nested lists of Python numbers."},
    {"data_ptr",
     method([](const Tensor& t, PyObject*) { return PyLong_FromVoidPtr(t.numel() ? t.raw() : nullptr); }),
     METH_NOARGS, "The address of the first element."},
    {"storage_offset", method([](const Tensor& t, PyObject*) { return wrap(t.offset()); }), METH_NOARGS,
     "The first element's position in the storage."},
    {"element_size",
     method([](const Tensor& t, PyObject*) { return wrap(static_cast<int64_t>(t.item_size())); }),
     METH_NOARGS, "Bytes an element."},
    {"is_inference", method([](const Tensor& t, PyObject*) { return wrap(t.impl()->inference); }),
     METH_NOARGS, "Whether it was made in inference mode."},
    {"_is_view", method([](const Tensor& t, PyObject*) { return wrap(bool(t.impl()->base)); }), METH_NOARGS,
     "Whether it is a differentiable view of another tensor."},
    {"retain_grad", method([](const Tensor& t, PyObject*) {
       retain_grad(t);
       return Py_NewRef(Py_None);
     }),
     METH_NOARGS, "Keep the gradient of a tensor that is not a leaf."},
    {"requires_grad_", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(requires_grad_)),
     METH_VARARGS | METH_KEYWORDS, "requires_grad_(requires_grad=True): ask for gradients."},
    {"bool", fast(cast<DType::Bool>), METH_FASTCALL | METH_KEYWORDS, "The elements as bool."},
    {"byte", fast(cast<DType::UInt8>), METH_FASTCALL | METH_KEYWORDS, "The elements as uint8."},
    {"char", fast(cast<DType::Int8>), METH_FASTCALL | METH_KEYWORDS, "The elements as int8."},
    {"short", fast(cast<DType::Int16>), METH_FASTCALL | METH_KEYWORDS, "The elements as int16."},
    {"int", fast(cast<DType::Int32>), METH_FASTCALL | METH_KEYWORDS, "The elements as int32."},
    {"long", fast(cast<DType::Int64>), METH_FASTCALL | METH_KEYWORDS, "The elements as int64."},
    {"half", fast(cast<DType::Float16>), METH_FASTCALL | METH_KEYWORDS, "The elements as float16."},
    {"bfloat16", fast(cast<DType::BFloat16>), METH_FASTCALL | METH_KEYWORDS, "The elements as bfloat16."},
    {"float", fast(cast<DType::Float32>), METH_FASTCALL | METH_KEYWORDS, "The elements as float32."},
    {"double", fast(cast<DType::Float64>), METH_FASTCALL | METH_KEYWORDS, "The elements as float64."},
    {"cfloat", fast(cast<DType::Complex64>), METH_FASTCALL | METH_KEYWORDS, "The elements as complex64."},
    {"cdouble", fast(cast<DType::Complex128>), METH_FASTCALL | METH_KEYWORDS, "The elements as complex128."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace mlx::bindings
