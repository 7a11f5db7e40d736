// t[index] and t[index] = value.
//
// Integers, slices, None and Ellipsis are views, applied one after the other. Tensors, lists, arrays and
// bools select element by element; they are collected while the views are made and applied together at the
// end.

#include <pybind11/numpy.h>

#include "base/representable.h"
#include "bindings/overrides.h"
#include "bindings/tensor_type.h"
#include "ops.h"
#include "ops/pointwise.h"

namespace mlx::bindings {
namespace {

bool is_integer_index(PyObject* o) { return PyLong_Check(o) && !PyBool_Check(o); }

int64_t to_int64(PyObject* o) {
  py::object index = py::reinterpret_steal<py::object>(checked(PyNumber_Index(o)));
  int64_t v = PyLong_AsLongLong(index.ptr());
  if (v == -1 && PyErr_Occurred()) throw_python_error();
  return v;
}

Tensor selected(const Tensor& t, int64_t dim, int64_t index) {
  if (t.dim() == 0)
    throw IndexError(
        "invalid index of a 0-dim tensor. Use `tensor.item()` in Python to convert a 0-dim tensor to a "
        "number");
  return select(t, dim, index);
}

Tensor sliced(const Tensor& t, int64_t dim, PyObject* o) {
  if (t.dim() == 0) throw IndexError("slice() cannot be applied to a 0-dim tensor.");
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(o, &start, &stop, &step) < 0) throw_python_error();
  if (step <= 0) throw ValueError("slice(): step must be greater than zero, not ", step);
  const auto* s = reinterpret_cast<PySliceObject*>(o);
  if (s->start == Py_None && s->stop == Py_None && step == 1) return slice(t, dim, 0, t.size(dim), 1);
  return slice(t, dim, start, stop, step);
}

// A list, range or array as an index tensor.
Tensor index_tensor(PyObject* o) {
  Tensor t = tensor_from_data(o, std::nullopt, false);
  return t.numel() == 0 && t.dtype() == default_dtype() ? to(t, DType::Int64, false, false) : t;
}

// PyTorch takes a short list that holds slices, sequences or tensors as if it were a tuple.
bool stands_for_tuple(PyObject* index) {
  if (!PyList_Check(index) || PyList_GET_SIZE(index) >= 32) return false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(index); ++i) {
    PyObject* o = PyList_GET_ITEM(index, i);
    if (o == Py_None || o == Py_Ellipsis || PySlice_Check(o) || is_tensor(o) ||
        (PySequence_Check(o) && !PyUnicode_Check(o)))
      return true;
  }
  return false;
}

// What an index of several parts came to: a view, and the tensors that index it.
class Selection {
 public:
  Selection(const Tensor& t, PyObject* index) : view_(t) {
    if (PyTuple_Check(index) || stands_for_tuple(index)) {
      const Py_ssize_t n = PySequence_Fast_GET_SIZE(index);
      int64_t specified = 0;
      for (Py_ssize_t i = 0; i < n; ++i) specified += dims_of(PySequence_Fast_GET_ITEM(index, i));
      if (specified > t.dim()) throw IndexError("too many indices for tensor of dimension ", t.dim());
      for (Py_ssize_t i = 0; i < n; ++i) apply(PySequence_Fast_GET_ITEM(index, i), specified);
    } else {
      apply(index, dims_of(index));
    }
  }

  const Tensor& view() const { return view_; }
  bool is_view() const { return !advanced_; }
  const TensorList& indices() const { return indices_; }

 private:
  Tensor view_;
  int64_t dim_ = 0;  // the next dimension of the view
  int64_t given_ = -1;
  bool advanced_ = false;
  bool ellipsis_ = false;
  TensorList indices_;

  // How many dimensions a part of the index consumes.
  static int64_t dims_of(PyObject* o) {
    if (o == Py_None || o == Py_Ellipsis || PyBool_Check(o)) return 0;
    if (is_tensor(o)) {
      const Tensor& t = tensor_of(o);
      return t.dtype() == DType::Bool || t.dtype() == DType::UInt8 ? t.dim() : 1;
    }
    if (py::isinstance<py::array>(o)) {
      auto a = py::reinterpret_borrow<py::array>(o);
      return a.dtype().kind() == 'b' ? a.ndim() : 1;
    }
    if (PyList_Check(o) || (PySequence_Check(o) && !PyUnicode_Check(o))) {
      Tensor t = index_tensor(o);
      return t.dtype() == DType::Bool ? t.dim() : 1;
    }
    return 1;
  }

  void apply(PyObject* o, int64_t specified) {
    if (is_integer_index(o)) {
      view_ = selected(view_, dim_, to_int64(o));
    } else if (PySlice_Check(o)) {
      view_ = sliced(view_, dim_++, o);
    } else if (o == Py_None) {
      view_ = unsqueeze(view_, dim_++);
    } else if (o == Py_Ellipsis) {
      if (ellipsis_) throw IndexError("an index can only have a single ellipsis ('...')");
      ellipsis_ = true;
      dim_ += remaining(specified);
    } else if (PyBool_Check(o)) {
      add_truth(o == Py_True);
    } else if (is_tensor(o)) {
      add_tensor(tensor_of(o));
    } else if (PyIndex_Check(o) && !PySequence_Check(o)) {
      view_ = selected(view_, dim_, to_int64(o));
    } else if (py::isinstance<py::array>(o) || (PySequence_Check(o) && !PyUnicode_Check(o))) {
      add_tensor(index_tensor(o));
    } else if (is_number(o) && !PyFloat_Check(o) && !PyComplex_Check(o)) {
      Tensor t = tensor_from_data(o, std::nullopt, false);  // NumPy's bool
      if (t.dtype() != DType::Bool) invalid(o);
      add_truth(item(t).to_bool());
    } else {
      invalid(o);
    }
  }

  [[noreturn]] static void invalid(PyObject* o) {
    if (PyUnicode_Check(o)) throw TypeError("a tensor cannot be indexed by a str");
    throw IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
        "(got ",
        Py_TYPE(o)->tp_name, ")");
  }

  // Dimensions that an ellipsis stands for: those of the tensor that no other part consumes.
  int64_t remaining(int64_t specified) {
    if (given_ < 0) given_ = original_dims_ - specified;
    return given_;
  }

  void put(Tensor index) {
    advanced_ = true;
    indices_.resize(static_cast<size_t>(std::max<int64_t>(dim_, static_cast<int64_t>(indices_.size()))));
    indices_.push_back(std::move(index));
    ++dim_;
  }

  // A bool takes a new dimension of size one, whole or not at all.
  void add_truth(bool value) {
    view_ = unsqueeze(view_, dim_);
    put(value ? zeros({1}, DType::Int64) : empty({0}, DType::Int64));
  }

  void add_tensor(const Tensor& t) {
    if (t.dim() == 0 && t.dtype() != DType::UInt8 && t.dtype() != DType::Bool && !t.is_inexact()) {
      view_ = selected(view_, dim_, item(t).to_int());
    } else if (t.dim() == 0 && !t.is_inexact()) {
      add_truth(item(t).to_bool());
    } else {
      const int64_t dims = t.dtype() == DType::Bool || t.dtype() == DType::UInt8 ? t.dim() : 1;
      put(t);
      dim_ += dims - 1;
    }
  }

  int64_t original_dims_ = view_.dim();
};

// Undoes put()'s placeholders: a mask of k dimensions stands for k entries, so later indices move down.
TensorList packed(const Selection& s) {
  TensorList out;
  const TensorList& indices = s.indices();
  for (size_t d = 0; d < indices.size(); ++d) {
    out.push_back(indices[d]);
    if (!indices[d].defined()) continue;
    const Tensor& t = indices[d];
    if (t.dtype() == DType::Bool || t.dtype() == DType::UInt8)
      d += static_cast<size_t>(std::max<int64_t>(t.dim() - 1, 0));
  }
  return out;
}

// The value as a tensor of the target's dtype, without leading dimensions of size one beyond the target's.
Tensor value_for(const Tensor& target, PyObject* value) {
  // A number goes straight into the target's dtype: on the way through the default one it would lose digits.
  const bool number = is_number(value);
  if (number) check_representable(scalar_of(value), target.dtype());
  Tensor v = is_tensor(value) ? tensor_of(value)
             : number         ? scalar_tensor(scalar_of(value), target.dtype())
                              : tensor_from_data(value, std::nullopt, false);
  if (v.is_complex() && !target.is_complex() && !is_tensor(value) && !number)
    throw RuntimeError("value cannot be converted to type ", target.dtype(), " without overflow");
  return v.dtype() == target.dtype() && v.device() == target.device()
             ? v
             : to(v, std::optional<Device>(target.device()), std::optional<DType>(target.dtype()));
}

Tensor without_leading_ones(Tensor v, int64_t dims) {
  while (v.dim() > dims && v.size(0) == 1) v = select(v, 0, 0);
  return v;
}

void assign(const Tensor& view, PyObject* value) {
  if (is_number(value) && !PyComplex_Check(value)) {
    fill_(view, scalar_of(value));
    return;
  }
  copy_(view, without_leading_ones(value_for(view, value), view.dim()), false);
}

}  // namespace

PyObject* get_item(PyObject* self, PyObject* index) {
  PyObject* args[] = {self, index};
  PyObject* result;
  if (Overrides::possible() && overridden_method("__getitem__", args, 2, nullptr, &result)) return result;
  result = guarded([&] {
    const Tensor& t = tensor_of(self);
    if (is_integer_index(index)) return wrap(selected(t, 0, to_int64(index)));
    if (PySlice_Check(index)) return wrap(sliced(t, 0, index));
    Selection s(t, index);
    if (!s.is_view()) return wrap(_index(s.view(), packed(s)));
    return wrap(s.view().is(t) ? view(t, t.shape()) : s.view());
  });
  return result ? result : rescued_operator("__getitem__", args, 2, false);
}

int set_item(PyObject* self, PyObject* index, PyObject* value) {
  PyObject* args[] = {self, index, value};
  PyObject* result;
  if (value && Overrides::possible() && overridden_method("__setitem__", args, 3, nullptr, &result)) {
    Py_XDECREF(result);
    return result ? 0 : -1;
  }
  return guarded_int([&] {
    if (!value) throw TypeError("Tensor does not support deleting items");
    const Tensor& t = tensor_of(self);
    if (is_integer_index(index)) {
      assign(selected(t, 0, to_int64(index)), value);
      return 0;
    }
    Selection s(t, index);
    if (s.is_view()) {
      assign(s.view(), value);
      return 0;
    }
    const TensorList indices = packed(s);
    Tensor v = value_for(t, value);
    // The result has at most the view's dimensions plus those of the widest index.
    int64_t widest = 0;
    for (const Tensor& i : indices)
      if (i.defined()) widest = std::max(widest, i.dim());
    index_put_(s.view(), indices, without_leading_ones(v, s.view().dim() + widest - 1));
    return 0;
  });
}

}  // namespace mlx::bindings
