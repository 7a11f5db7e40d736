// The attributes of Tensor.

#include "bindings/overrides.h"
#include "bindings/tensor_type.h"
#include "ops.h"
#include "ops/pointwise.h"
#include "tape/autograd_meta.h"

namespace mlx::bindings {

PyObject* wrap_node(const Ref<Node>& node);  // autograd.cpp

namespace {

const Tensor& self_of(PyObject* o) { return tensor_of(o); }

// The attribute that a function reads.
const char* name_of(getter function) {
  const PyGetSetDef* p = tensor_properties;
  while (p->get != function) ++p;
  return p->name;
}

template <class F>
PyObject* get_attribute(PyObject* o, void*) {
  if (PyObject* result; Overrides::possible() && overridden_getter(name_of(&get_attribute<F>), o, &result))
    return result;
  return guarded([&] { return wrap(F{}(self_of(o))); });
}

template <class F>
constexpr getter get(F) {
  static_assert(!std::is_pointer_v<F>, "a lambda: its type is all that is kept");
  return &get_attribute<F>;
}

template <class F>
constexpr setter set(F) {
  static_assert(!std::is_pointer_v<F>, "a lambda: its type is all that is kept");
  return [](PyObject* o, PyObject* value, void*) {
    return guarded_int([&] {
      F{}(self_of(o), value ? value : Py_None);
      return 0;
    });
  };
}

void set_grad(const Tensor& t, PyObject* value) {
  GradLog::note(t);
  if (value == Py_None) {
    if (auto* meta = autograd_meta_if_any(t)) meta->grad = {};
    return;
  }
  if (!is_tensor(value))
    throw TypeError("assigned grad expected to be a Tensor or None but got ", Py_TYPE(value)->tp_name);
  const Tensor& grad = tensor_of(value);
  if (grad.shape() != t.shape())
    throw RuntimeError("assigned grad has data of a different size: ", grad.shape(), ", not ", t.shape());
  if (grad.dtype() != t.dtype())
    throw RuntimeError("assigned grad has data of a different type: ", grad.dtype(), ", not ", t.dtype());
  autograd_meta(t).grad = grad;
}

Tensor grad_of(const Tensor& t) {
  GradLog::note(t);
  auto* meta = autograd_meta_if_any(t);
  return meta ? meta->grad : Tensor();
}

// `t.data`: the same memory, unseen by the tape.
Tensor data_of(const Tensor& t) {
  Tensor d = alias(t);
  d.impl()->untracked = true;
  return d;
}

// `t.data = other`: t becomes a view of other's memory.
void set_data(const Tensor& t, PyObject* value) {
  if (!is_tensor(value)) throw TypeError("data must be a Tensor, not ", Py_TYPE(value)->tp_name);
  const Tensor& from = tensor_of(value);
  if (t.requires_grad() && !from.is_inexact())
    throw RuntimeError(
        "data set to a tensor that requires gradients must be floating point or complex dtype");
  // A program knows tensors by their memory, and would not do it again.
  if (Tracing::on)
    throw TraceError("a compiled function cannot assign .data; write into the tensor: t.data.copy_(value)");
  TensorImpl& impl = *t.impl();
  impl.storage = from.storage();
  impl.offset = from.offset();
  impl.numel = from.numel();
  impl.shape = from.shape();
  impl.strides = from.strides();
  impl.dtype = from.dtype();
  impl.contiguous = from.is_contiguous();
}

bool boolean(PyObject* value, const char* what) {
  if (!PyBool_Check(value)) throw TypeError(what, " must be a bool, not ", Py_TYPE(value)->tp_name);
  return value == Py_True;
}

Tensor reversed_dims(const Tensor& t) {
  Shape dims;
  for (int64_t d = t.dim(); d-- > 0;) dims.push_back(d);
  return permute(t, dims);
}

Tensor matrix_transpose(const Tensor& t) {
  if (t.dim() < 2)
    throw RuntimeError("tensor.mT is only supported on matrices or batches of matrices. Got ", t.dim(),
                       "-D tensor.");
  return transpose(t, -2, -1);
}

Tensor hermitian(const Tensor& t) {
  if (t.dim() != 0 && t.dim() != 2)
    throw RuntimeError("tensor.H is only supported on matrices (2-D tensors). Got ", t.dim(), "-D tensor.");
  return t.dim() == 0 ? conj(t) : conj(transpose(t, -2, -1));
}

PyObject* get_grad_fn(PyObject* o, void*) {
  return guarded([&] { return wrap_node(grad_fn(self_of(o))); });
}

PyObject* get_layout(PyObject*, void*) {
  return guarded([] { return py::object(py::module_::import("mlx").attr("strided")).release().ptr(); });
}

}  // namespace

PyGetSetDef tensor_properties[] = {
    {"shape", get([](const Tensor& t) { return t.shape(); }), nullptr, "The size of each dimension, a Size.",
     nullptr},
    {"dtype", get([](const Tensor& t) { return t.dtype(); }), nullptr, "The type of the elements.", nullptr},
    {"device", get([](const Tensor& t) { return t.device(); }), nullptr, "Where the memory lies.", nullptr},
    {"ndim", get([](const Tensor& t) { return t.dim(); }), nullptr, "The number of dimensions.", nullptr},
    {"itemsize", get([](const Tensor& t) { return static_cast<int64_t>(t.item_size()); }), nullptr,
     "Bytes an element.", nullptr},
    {"nbytes", get([](const Tensor& t) { return static_cast<int64_t>(t.item_size()) * t.numel(); }), nullptr,
     "Bytes of all elements.", nullptr},
    {"layout", get_layout, nullptr, "Always mlx.strided.", nullptr},
    {"grad", get([](const Tensor& t) { return grad_of(t); }),
     set([](const Tensor& t, PyObject* v) { set_grad(t, v); }), "The accumulated gradient, or None.",
     nullptr},
    {"data", get([](const Tensor& t) { return data_of(t); }),
     set([](const Tensor& t, PyObject* v) { set_data(t, v); }),
     "The same memory, without history and unseen by the tape.", nullptr},
    {"requires_grad", get([](const Tensor& t) { return t.requires_grad(); }),
     set([](const Tensor& t, PyObject* v) { set_requires_grad(t, boolean(v, "requires_grad")); }),
     "Whether gradients flow to this tensor.", nullptr},
    {"is_leaf", get([](const Tensor& t) { return is_leaf(t); }), nullptr,
     "Whether no recorded op made this tensor.", nullptr},
    {"retains_grad", get([](const Tensor& t) {
       auto* m = autograd_meta_if_any(t);
       return m && m->retains_grad;
     }),
     nullptr, "Whether retain_grad() was called.", nullptr},
    {"grad_fn", get_grad_fn, nullptr, "The node of the tape that made this tensor, or None.", nullptr},
    {"output_nr", get([](const Tensor& t) {
       auto* m = autograd_meta_if_any(t);
       return static_cast<int64_t>(m ? m->output : 0);
     }),
     nullptr, "Which output of grad_fn this is.", nullptr},
    {"_version", get([](const Tensor& t) { return static_cast<int64_t>(t.version()); }), nullptr,
     "Counts the writes to the memory.", nullptr},
    {"_base", get([](const Tensor& t) { return Tensor(t.impl()->base); }), nullptr,
     "The tensor that this one is a view of, or None.", nullptr},
    {"T", get([](const Tensor& t) { return reversed_dims(t); }), nullptr, "All dimensions reversed.",
     nullptr},
    {"mT", get([](const Tensor& t) { return matrix_transpose(t); }), nullptr,
     "The last two dimensions swapped.", nullptr},
    {"H", get([](const Tensor& t) { return hermitian(t); }), nullptr, "The conjugate transpose of a matrix.",
     nullptr},
    {"mH", get([](const Tensor& t) { return conj(matrix_transpose(t)); }), nullptr,
     "The last two dimensions swapped and conjugated.", nullptr},
    {"real", get([](const Tensor& t) { return real(t); }),
     set([](const Tensor& t, PyObject* v) { copy_(real(t), tensor_from_data(v, t.dtype(), false), false); }),
     "The real part, a view.", nullptr},
    {"imag", get([](const Tensor& t) { return imag(t); }), set([](const Tensor& t, PyObject* v) {
       copy_(imag(t), tensor_from_data(v, to_real(t.dtype()), false), false);
     }),
     "The imaginary part, a view.", nullptr},
    {"is_cpu", get([](const Tensor& t) { return t.device().type == DeviceType::CPU; }), nullptr, nullptr,
     nullptr},
    {"is_mps", get([](const Tensor& t) { return t.device().type == DeviceType::MPS; }), nullptr, nullptr,
     nullptr},
    {"is_cuda", get([](const Tensor& t) { return t.device().type == DeviceType::CUDA; }), nullptr, nullptr,
     nullptr},
    {"is_sparse", get([](const Tensor&) { return false; }), nullptr, nullptr, nullptr},
    {"is_quantized", get([](const Tensor&) { return false; }), nullptr, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

}  // namespace mlx::bindings
