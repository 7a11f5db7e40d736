// The Tensor type of Python: a heap type with number and mapping slots, so that `a + b` is one C call.

#include "bindings/tensor_type.h"

#include <structmember.h>

#include <cstddef>

#include "bindings/autocast.h"
#include "bindings/op_table.h"
#include "bindings/overrides.h"
#include "ops.h"
#include "tape/autograd_meta.h"

namespace mlx::bindings {

PyTypeObject* tensor_type = nullptr;

namespace {

PyTensor* object_of(PyObject* o) { return reinterpret_cast<PyTensor*>(o); }

PyObject* new_object(PyTypeObject* type, const Tensor& t) {
  auto* self = object_of(checked(type->tp_alloc(type, 0)));
  new (&self->tensor) Tensor(t);
  t.impl()->python = self;
  if (type != tensor_type) note_class(type);
  return reinterpret_cast<PyObject*>(self);
}

void tensor_dealloc(PyObject* o) {
  PyTensor* self = object_of(o);
  PyTypeObject* type = Py_TYPE(o);
  PyObject_GC_UnTrack(o);
  if (self->weak_references) PyObject_ClearWeakRefs(o);
  Py_CLEAR(self->dict);
  if (self->tensor.defined() && self->tensor.impl()->python == o) self->tensor.impl()->python = nullptr;
  self->tensor.~Tensor();
  type->tp_free(o);
  Py_DECREF(type);
}

int tensor_traverse(PyObject* o, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(o));
  Py_VISIT(object_of(o)->dict);
  return 0;
}

int tensor_clear(PyObject* o) {
  Py_CLEAR(object_of(o)->dict);
  return 0;
}

PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject*) {
  return guarded([&]() -> PyObject* {
    // Tensor(data) and the old Tensor(2, 3): float32 whatever the data.
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    Tensor t;
    if (n == 1 && !PyLong_Check(PyTuple_GET_ITEM(args, 0))) {
      t = tensor_from_data(PyTuple_GET_ITEM(args, 0), default_dtype(), true);
    } else {
      Shape shape;
      for (Py_ssize_t i = 0; i < n; ++i)
        shape.push_back(py::cast<int64_t>(py::handle(PyTuple_GET_ITEM(args, i))));
      t = allocate(n ? shape : Shape{0}, default_dtype(), DefaultDevice::value);
    }
    return new_object(type, t);
  });
}

// ---- numbers

// Reads both operands of a binary slot; false when one is neither a tensor nor a number.
bool operands(PyObject* a, PyObject* b, Tensor& x, Tensor& y) {
  auto read = [](PyObject* o, Tensor& t) {
    if (is_tensor(o)) return t = tensor_of(o), true;
    if (is_number(o)) return t = wrapped_number(scalar_of(o)), true;
    return false;
  };
  return read(a, x) && read(b, y);
}

// The name of a method as a template's argument.
template <size_t N>
struct Name {
  char text[N] = {};
  consteval Name(const char (&name)[N]) { std::copy_n(name, N, text); }
};

// Whether an override took the slot's call over, as a call of Tensor's method of that name.
bool taken_over(const char* name, std::initializer_list<PyObject*> args, PyObject** result) {
  if (!Overrides::possible()) return false;
  return overridden_operator(name, args.begin(), static_cast<Py_ssize_t>(args.size()), result);
}

// What a slot returns for operands that are not its own: NotImplemented, unless one of them overrides.
PyObject* foreign(const char* name, PyObject* a, PyObject* b) {
  PyObject* args[] = {a, b};
  PyObject* result = rescued_operator(name, args, 2);
  return result || PyErr_Occurred() ? result : Py_NewRef(Py_NotImplemented);
}

// A binary slot is the method `name` of its left operand, or `reflected` of the right one.
template <Name name, Name reflected, Tensor (*F)(const Tensor&, const Tensor&)>
PyObject* binary(PyObject* a, PyObject* b) {
  PyObject* result;
  const bool left = is_tensor(a);
  if (left ? taken_over(name.text, {a, b}, &result) : taken_over(reflected.text, {b, a}, &result))
    return result;
  return guarded([&]() -> PyObject* {
    if (left && is_tensor(b)) return wrap(F(tensor_of(a), tensor_of(b)));
    Tensor x, y;
    if (operands(a, b, x, y)) return wrap(F(x, y));
    return left ? foreign(name.text, a, b) : foreign(reflected.text, b, a);
  });
}

template <Name name, Tensor (*F)(const Tensor&, const Tensor&)>
PyObject* inplace(PyObject* a, PyObject* b) {
  PyObject* result;
  if (taken_over(name.text, {a, b}, &result)) return result;
  return guarded([&]() -> PyObject* {
    Tensor x, y;
    if (!operands(a, b, x, y)) return foreign(name.text, a, b);
    F(x, y);
    return Py_NewRef(a);
  });
}

template <Name name, Tensor (*F)(const Tensor&)>
PyObject* unary(PyObject* a) {
  PyObject* result;
  if (taken_over(name.text, {a}, &result)) return result;
  return guarded([&] { return wrap(F(tensor_of(a))); });
}

Tensor slot_add(const Tensor& a, const Tensor& b) { return _add(a, b); }
Tensor slot_sub(const Tensor& a, const Tensor& b) { return sub(a, b); }
Tensor slot_add_(const Tensor& a, const Tensor& b) { return add_(a, b); }
Tensor slot_sub_(const Tensor& a, const Tensor& b) { return sub_(a, b); }
Tensor slot_div(const Tensor& a, const Tensor& b) { return div(a, b); }
Tensor slot_div_(const Tensor& a, const Tensor& b) { return div_(a, b); }
Tensor slot_positive(const Tensor& a) { return positive(a); }

Tensor slot_power(const Tensor& a, const Tensor& b) {
  if (!Autocast::active()) return mlx::pow(a, b);
  Tensor x = a, y = b;
  cast_operands("pow", x, y);
  return mlx::pow(x, y);
}

PyObject* slot_pow(PyObject* a, PyObject* b, PyObject*) {
  return binary<"pow", "__rpow__", slot_power>(a, b);
}
PyObject* slot_pow_(PyObject* a, PyObject* b, PyObject*) { return inplace<"pow_", mlx::pow_>(a, b); }

PyObject* slot_divmod(PyObject* a, PyObject* b) {
  PyObject* result;
  if (is_tensor(a) ? taken_over("__divmod__", {a, b}, &result) : taken_over("__rdivmod__", {b, a}, &result))
    return result;
  return guarded([&]() -> PyObject* {
    Tensor x, y;
    if (!operands(a, b, x, y)) return Py_NewRef(Py_NotImplemented);
    py::object q = py::reinterpret_steal<py::object>(wrap(floor_divide(x, y)));
    py::object r = py::reinterpret_steal<py::object>(wrap(remainder(x, y)));
    return py::make_tuple(q, r).release().ptr();
  });
}

PyObject* slot_matmul(PyObject* a, PyObject* b) {
  PyObject* result;
  const bool left = is_tensor(a);
  if (left ? taken_over("matmul", {a, b}, &result) : taken_over("__rmatmul__", {b, a}, &result))
    return result;
  return guarded([&]() -> PyObject* {
    if (!left) return foreign("__rmatmul__", b, a);
    if (!is_tensor(b)) return foreign("matmul", a, b);
    if (!Autocast::active()) return wrap(matmul(tensor_of(a), tensor_of(b)));
    Tensor x = tensor_of(a), y = tensor_of(b);
    cast_operands("matmul", x, y);
    return wrap(matmul(x, y));
  });
}

PyObject* compare(PyObject* a, PyObject* b, int op) {
  switch (op) {
    case Py_LT:
      return binary<"lt", "gt", mlx::lt>(a, b);
    case Py_LE:
      return binary<"le", "ge", mlx::le>(a, b);
    case Py_EQ:
      return binary<"__eq__", "__eq__", mlx::eq>(a, b);
    case Py_NE:
      return binary<"__ne__", "__ne__", mlx::ne>(a, b);
    case Py_GT:
      return binary<"gt", "lt", mlx::gt>(a, b);
    default:
      return binary<"ge", "le", mlx::ge>(a, b);
  }
}

Py_hash_t tensor_hash(PyObject* o) { return static_cast<Py_hash_t>(reinterpret_cast<uintptr_t>(o) >> 4); }

// What an override returned, as the C integer of a slot; -1 with an error set where it is none.
int number(PyObject* result) {
  if (!result) return -1;
  const long value = PyLong_AsLong(result);
  Py_DECREF(result);
  return static_cast<int>(value);
}

Scalar only_element(const Tensor& t) {
  if (t.numel() != 1)
    throw ValueError("only a tensor of one element can be converted to a Python number; this one has ",
                     t.numel());
  return item(t);
}

int tensor_bool(PyObject* o) {
  if (PyObject* result; taken_over("__bool__", {o}, &result)) return number(result);
  return guarded_int([&] {
    const Tensor& t = tensor_of(o);
    if (t.numel() != 1)
      throw RuntimeError("the truth value of a tensor with more than one value is ambiguous: the tensor has ",
                         t.numel(), " elements, not 1");
    return int(item(t).to_bool());
  });
}

PyObject* tensor_int(PyObject* o) {
  if (PyObject* result; taken_over("__int__", {o}, &result)) return result;
  return guarded([&] {
    Scalar s = only_element(tensor_of(o));
    if (s.is_complex()) throw TypeError("a complex tensor cannot be converted to int");
    py::object number = py::reinterpret_steal<py::object>(wrap(s));
    return checked(PyNumber_Long(number.ptr()));
  });
}

PyObject* tensor_float(PyObject* o) {
  if (PyObject* result; taken_over("__float__", {o}, &result)) return result;
  return guarded([&] {
    Scalar s = only_element(tensor_of(o));
    if (s.is_complex()) throw TypeError("a complex tensor cannot be converted to float");
    return PyFloat_FromDouble(s.to_double());
  });
}

PyObject* tensor_index(PyObject* o) {
  if (PyObject* result; taken_over("__index__", {o}, &result)) return result;
  return guarded([&] {
    const Tensor& t = tensor_of(o);
    if (t.numel() != 1 || t.is_inexact())
      throw TypeError("only integer tensors of a single element can be converted to an index");
    return PyLong_FromLongLong(item(t).to_int());
  });
}

// ---- sequences

Py_ssize_t tensor_length(PyObject* o) {
  if (PyObject* result; taken_over("__len__", {o}, &result)) return number(result);
  return guarded_int([&]() -> Py_ssize_t {
    const Tensor& t = tensor_of(o);
    if (t.dim() == 0) throw TypeError("len() of a 0-d tensor");
    return t.size(0);
  });
}

PyObject* tensor_iter(PyObject* o) {
  return guarded([&] {
    if (tensor_of(o).dim() == 0) throw TypeError("iteration over a 0-d tensor");
    // Through Python where a class may override unbind, so that rows are of that class.
    py::object rows = Overrides::possible()
                          ? py::handle(o).attr("unbind")(0)
                          : py::reinterpret_steal<py::object>(wrap(unbind(tensor_of(o), 0)));
    return checked(PyObject_GetIter(rows.ptr()));
  });
}

int tensor_contains(PyObject* o, PyObject* element) {
  if (PyObject* result; taken_over("__contains__", {o, element}, &result)) return number(result);
  return guarded_int([&]() -> int {
    Tensor x, y;
    if (!operands(o, element, x, y))
      throw RuntimeError("`in` needs a tensor or a number, not ", Py_TYPE(element)->tp_name);
    return item(any(eq(x, y))).to_bool();
  });
}

PyObject* tensor_repr(PyObject* o) {
  if (PyObject* result; taken_over("__repr__", {o}, &result)) return result;
  return guarded([&] {
    static py::object* repr = new py::object(py::module_::import("mlx._printing").attr("tensor_repr"));
    return (*repr)(py::handle(o)).release().ptr();
  });
}

PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(PyTensor, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(PyTensor, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

template <class F>
void* slot(F* f) {
  return reinterpret_cast<void*>(f);
}

}  // namespace

PyObject* wrap(const Tensor& t) {
  if (!t.defined()) return Py_NewRef(Py_None);
  if (t.impl()->python) return Py_NewRef(static_cast<PyObject*>(t.impl()->python));
  if (t.impl()->wrapped_number) return new_object(tensor_type, to(t, mlx::result_type({&t}), false, true));
  return new_object(tensor_type, t);
}

PyObject* wrap_as(PyTypeObject* type, const Tensor& t) { return new_object(type, t); }

PyObject* wrap(const TensorList& list) {
  py::object tuple =
      py::reinterpret_steal<py::object>(checked(PyTuple_New(static_cast<Py_ssize_t>(list.size()))));
  for (size_t i = 0; i < list.size(); ++i)
    PyTuple_SET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i), checked(wrap(list[i])));
  return tuple.release().ptr();
}

void make_tensor_type(py::module_& module) {
  PyType_Slot slots[] = {
      {Py_tp_new, slot(tensor_new)},
      {Py_tp_dealloc, slot(tensor_dealloc)},
      {Py_tp_traverse, slot(tensor_traverse)},
      {Py_tp_clear, slot(tensor_clear)},
      {Py_tp_repr, slot(tensor_repr)},
      {Py_tp_hash, slot(tensor_hash)},
      {Py_bf_getbuffer, slot(get_buffer)},
      {Py_bf_releasebuffer, slot(release_buffer)},
      {Py_tp_richcompare, slot(compare)},
      {Py_tp_iter, slot(tensor_iter)},
      {Py_tp_members, members},
      {Py_tp_getset, tensor_properties},
      {Py_tp_methods, tensor_methods},
      {Py_nb_add, slot(binary<"add", "add", slot_add>)},
      {Py_nb_subtract, slot(binary<"sub", "__rsub__", slot_sub>)},
      {Py_nb_multiply, slot(binary<"mul", "mul", mlx::mul>)},
      {Py_nb_true_divide, slot(binary<"div", "__rtruediv__", slot_div>)},
      {Py_nb_floor_divide, slot(binary<"__floordiv__", "__rfloordiv__", mlx::floor_divide>)},
      {Py_nb_remainder, slot(binary<"remainder", "__rmod__", mlx::remainder>)},
      {Py_nb_divmod, slot(slot_divmod)},
      {Py_nb_power, slot(slot_pow)},
      {Py_nb_matrix_multiply, slot(slot_matmul)},
      {Py_nb_and, slot(binary<"__and__", "bitwise_and", mlx::bitwise_and>)},
      {Py_nb_or, slot(binary<"__or__", "bitwise_or", mlx::bitwise_or>)},
      {Py_nb_xor, slot(binary<"__xor__", "bitwise_xor", mlx::bitwise_xor>)},
      {Py_nb_lshift, slot(binary<"__lshift__", "__rlshift__", mlx::bitwise_left_shift>)},
      {Py_nb_rshift, slot(binary<"__rshift__", "__rrshift__", mlx::bitwise_right_shift>)},
      {Py_nb_negative, slot(unary<"neg", mlx::neg>)},
      {Py_nb_positive, slot(unary<"positive", slot_positive>)},
      {Py_nb_absolute, slot(unary<"abs", mlx::abs>)},
      {Py_nb_invert, slot(unary<"__invert__", mlx::bitwise_not>)},
      {Py_nb_inplace_add, slot(inplace<"add_", slot_add_>)},
      {Py_nb_inplace_subtract, slot(inplace<"sub_", slot_sub_>)},
      {Py_nb_inplace_multiply, slot(inplace<"mul_", mlx::mul_>)},
      {Py_nb_inplace_true_divide, slot(inplace<"div_", slot_div_>)},
      {Py_nb_inplace_floor_divide, slot(inplace<"floor_divide_", mlx::floor_divide_>)},
      {Py_nb_inplace_remainder, slot(inplace<"remainder_", mlx::remainder_>)},
      {Py_nb_inplace_power, slot(slot_pow_)},
      {Py_nb_inplace_and, slot(inplace<"bitwise_and_", mlx::bitwise_and_>)},
      {Py_nb_inplace_or, slot(inplace<"bitwise_or_", mlx::bitwise_or_>)},
      {Py_nb_inplace_xor, slot(inplace<"bitwise_xor_", mlx::bitwise_xor_>)},
      {Py_nb_inplace_lshift, slot(inplace<"bitwise_left_shift_", mlx::bitwise_left_shift_>)},
      {Py_nb_inplace_rshift, slot(inplace<"bitwise_right_shift_", mlx::bitwise_right_shift_>)},
      {Py_nb_bool, slot(tensor_bool)},
      {Py_nb_int, slot(tensor_int)},
      {Py_nb_float, slot(tensor_float)},
      {Py_nb_index, slot(tensor_index)},
      {Py_mp_length, slot(tensor_length)},
      {Py_mp_subscript, slot(get_item)},
      {Py_mp_ass_subscript, slot(set_item)},
      {Py_sq_contains, slot(tensor_contains)},
      {0, nullptr}};
  PyType_Spec spec = {"mlx.Tensor", sizeof(PyTensor), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
  tensor_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
  py::handle type(reinterpret_cast<PyObject*>(tensor_type));
  type.attr("__array_priority__") = 1000;  // NumPy's operators give way to ours
  type.attr("__module__") = "mlx";
  module.attr("Tensor") = type;
}

}  // namespace mlx::bindings
