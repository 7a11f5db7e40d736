// mlx.jit's half in C++: traces, compiled programs, and the guards that tell whether a program still fits
// what a function reaches by closure.

#include <pybind11/stl.h>

#include <unordered_set>

#include "bindings/autocast.h"
#include "bindings/tensor_type.h"
#include "jit/batch.h"
#include "jit/trace.h"
#include "ops/check.h"
#include "ops/generator.h"
#include "tape/grad_mode.h"

namespace mlx::bindings {
py::object to_numpy(const Tensor& t, bool force);  // tensor_data.cpp

namespace {

// A kernel that is a Python function of NumPy arrays: the outputs, which it fills, then the inputs.
void call_python(void* context, const Launch& launch) {
  py::gil_scoped_acquire gil;
  py::list arrays;
  for (const Tensor* t : launch.outputs) arrays.append(to_numpy(*t, true));
  for (const Tensor* t : launch.inputs) arrays.append(to_numpy(*t, true));
  py::handle(static_cast<PyObject*>(context))(*arrays);
}

std::shared_ptr<void> keep_python(void* context) {
  return {Py_NewRef(static_cast<PyObject*>(context)), [](void* p) {
            py::gil_scoped_acquire gil;
            Py_DECREF(static_cast<PyObject*>(p));
          }};
}

using jit::Compiled;
using jit::Trace;

TensorList tensors_of(const py::handle& sequence) {
  TensorList out;
  for (py::handle item : sequence) out.push_back(item.is_none() ? Tensor() : py::cast<Tensor>(item));
  return out;
}

// A place where Python keeps a value that a traced function depends on.
struct Slot {
  enum Kind : uint8_t { Item, Attribute, Cell, Gradient, Length } kind;  // Item: of a dict, list or tuple
  py::object container, key;

  // The value that is there now; null when there is none.
  py::object value() const {
    switch (kind) {
      case Item:
        // Not by PyObject_GetItem: a defaultdict would make what is missing.
        if (PyDict_Check(container.ptr()))
          return py::reinterpret_borrow<py::object>(PyDict_GetItemWithError(container.ptr(), key.ptr()));
        return found(PyObject_GetItem(container.ptr(), key.ptr()));
      case Attribute:
        return found(PyObject_GetAttr(container.ptr(), key.ptr()));
      case Cell:
        return found(PyCell_Get(container.ptr()));
      case Length:
        return py::int_(PyObject_Size(container.ptr()));
      case Gradient:
        break;
    }
    auto* meta = autograd_meta_if_any(tensor_of(container.ptr()));
    return meta && meta->grad.defined() ? py::cast(meta->grad) : py::none();
  }

 private:
  static py::object found(PyObject* o) {
    if (!o) PyErr_Clear();
    return py::reinterpret_steal<py::object>(o);
  }
};

// A tensor as a trace saw it, but for its elements.
struct TensorKind {
  DType dtype;
  Device device;
  bool requires_grad, leaf;
  int64_t offset;
  Shape shape, strides;

  explicit TensorKind(const Tensor& t)
      : dtype(t.dtype()),
        device(t.device()),
        requires_grad(t.requires_grad()),
        leaf(is_leaf(t)),
        offset(t.offset()),
        shape(t.shape()),
        strides(t.strides()) {}
  bool fits(const Tensor& t) const {
    return dtype == t.dtype() && device == t.device() && requires_grad == t.requires_grad() &&
           offset == t.offset() && shape == t.shape() && strides == t.strides() && leaf == is_leaf(t);
  }
};

// Stands for "nothing was there" among the values of slots.
PyObject* missing = nullptr;

// What a function reached when it was traced: values that must be the same, and tensors, of which each call
// takes the ones that are there.
class Guards {
 public:
  // Slots with the values that they held: tuples (kind, container, key, value). A value that is a tensor
  // stands for any like it; others have to be the same object, or equal where they are plain.
  explicit Guards(const py::list& slots) {
    for (py::handle item : slots) {
      auto [kind, container, key, value] =
          py::cast<std::tuple<int, py::object, py::object, py::object>>(item);
      Slot slot{static_cast<Slot::Kind>(kind), container, key};
      if (is_tensor(value.ptr()))
        tensors_.push_back({std::move(slot), number_of(tensor_of(value.ptr()))});
      else
        values_.push_back({std::move(slot), value});
    }
    for (const Tensor& t : current_) sharing_.push_back(first_with_storage(t));
  }

  // Whether all fits; the tensors are then in current(). Else failure() names the slot.
  bool check() {
    for (const Fixed& f : values_) {
      const py::object now = f.slot.value();
      if (now.ptr() == (f.value.ptr() == missing ? nullptr : f.value.ptr())) continue;
      if (!now || Py_TYPE(now.ptr()) != Py_TYPE(f.value.ptr()) || !is_plain(now.ptr()) ||
          PyObject_RichCompareBool(now.ptr(), f.value.ptr(), Py_EQ) != 1)
        return fail(f.slot);
    }
    std::fill(bound_.begin(), bound_.end(), false);
    for (const Bound& b : tensors_) {
      const py::object now = b.slot.value();
      if (!now || !is_tensor(now.ptr())) return fail(b.slot);
      const Tensor& t = tensor_of(now.ptr());
      if (bound_[b.number] ? !current_[b.number].is(t) : !kinds_[b.number].fits(t)) return fail(b.slot);
      bound_[b.number] = true;
      current_[b.number] = t;
    }
    // Tensors that shared memory still do, and the others do not.
    for (size_t i = 0; i < current_.size(); ++i)
      if (storages_[i] != current_[i].storage().get()) return check_sharing();
    return true;
  }

  const TensorList& current() const { return current_; }
  std::string failure() const { return failure_; }
  // The number of a tensor with this storage; -1 for none.
  int with_storage(const Storage* s) const {
    for (size_t i = 0; i < current_.size(); ++i)
      if (current_[i].storage().get() == s) return static_cast<int>(i);
    return -1;
  }
  void release() { std::fill(current_.begin(), current_.end(), Tensor()); }

 private:
  struct Fixed {
    Slot slot;
    py::object value;
  };
  struct Bound {
    Slot slot;
    size_t number;
  };

  static bool is_plain(PyObject* o) {
    return PyFloat_CheckExact(o) || PyLong_CheckExact(o) || PyBool_Check(o) || PyUnicode_CheckExact(o) ||
           PyTuple_CheckExact(o) || PyBytes_CheckExact(o) || PyComplex_CheckExact(o);
  }
  size_t number_of(const Tensor& t) {
    for (size_t i = 0; i < current_.size(); ++i)
      if (current_[i].is(t)) return i;
    current_.push_back(t);
    kinds_.emplace_back(t);
    bound_.push_back(false);
    storages_.push_back(t.storage().get());
    return current_.size() - 1;
  }
  size_t first_with_storage(const Tensor& t) const {
    size_t i = 0;
    while (current_[i].storage() != t.storage()) ++i;
    return i;
  }
  bool check_sharing() {
    for (size_t i = 0; i < current_.size(); ++i)
      if (first_with_storage(current_[i]) != sharing_[i]) {
        failure_ = "which tensors share memory";
        return false;
      }
    for (size_t i = 0; i < current_.size(); ++i) storages_[i] = current_[i].storage().get();
    return true;
  }
  bool fail(const Slot& slot) {
    const std::string key = py::cast<std::string>(py::str(py::repr(slot.key)));
    failure_ = slot.kind == Slot::Gradient ? "a gradient"
               : slot.kind == Slot::Cell   ? "a closure's " + key
                                           : key;
    return false;
  }

  std::vector<Fixed> values_;
  std::vector<Bound> tensors_;
  TensorList current_;  // of each tensor that was told apart
  std::vector<TensorKind> kinds_;
  std::vector<bool> bound_;
  std::vector<const Storage*> storages_;  // at the last check
  std::vector<size_t> sharing_;           // the first tensor with the same storage
  std::string failure_;
};

std::vector<Ref<Storage>> storages_of(const TensorList& tensors) {
  std::vector<Ref<Storage>> out;
  out.reserve(tensors.size());
  for (const Tensor& t : tensors) out.push_back(t.defined() ? t.storage() : Ref<Storage>());
  return out;
}

py::list wrap_all(const TensorList& tensors) {
  py::list out(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) PyList_SET_ITEM(out.ptr(), i, checked(wrap(tensors[i])));
  return out;
}

std::vector<jit::View> views_of(Trace& trace, const py::handle& tensors, const std::vector<int>& buffers) {
  std::vector<jit::View> out;
  for (const Tensor& t : tensors_of(tensors)) out.push_back(trace.view(t));
  for (int b : buffers) out.push_back(trace.bytes_of(b));
  return out;
}

// Pairs of a tensor and the gradient that it had before the trace.
template <class T>
py::list touched_grads(const T& trace) {
  py::list out;
  for (const auto& [leaf, before] : trace.touched_grads()) out.append(py::make_tuple(leaf, before));
  return out;
}

void add_trace(py::module_& m) {
  py::class_<Trace>(m, "_Trace")
      .def(py::init<std::vector<Ref<Generator>>>())
      .def("start", &Trace::start)
      .def("stop", &Trace::stop)
      .def("placeholder", &Trace::placeholder)
      .def("mark", &Trace::mark)
      .def("rewind", &Trace::rewind)
      .def_property_readonly("first_node", &Trace::first_node)
      .def("buffer", [](Trace& t, const Tensor& tensor) { return t.view(tensor).buffer; })
      .def("externals", &Trace::externals)
      .def("external_tensor",
           [](Trace& t, int external) {
             const Ref<Storage> s = t.storage_of(external);
             const int64_t n = static_cast<int64_t>(s->bytes());
             return tensor_over(s, {n}, {1}, 0, DType::UInt8);
           })
      .def("carried_over", &Trace::carried_over)
      .def("touched_grads", &touched_grads<Trace>)
      .def(
          "compile",
          [](Trace& t, size_t begin, size_t end, const std::vector<int>& arguments, py::object results,
             const std::vector<int>& more) {
            return t.compile(begin, end, arguments, views_of(t, results, more));
          },
          py::arg("begin"), py::arg("end"), py::arg("arguments"), py::arg("results"),
          py::arg("more_results") = std::vector<int>());
  // A new tensor that function(array of the result, *arrays of the inputs) fills; also in compiled programs.
  m.def("_host_call", [](py::object function, const py::object& inputs, const std::vector<int64_t>& shape,
                         py::object dtype) {
    const TensorList list = tensors_of(inputs);
    std::vector<const Tensor*> in;
    for (const Tensor& t : list) in.push_back(&t);
    Tensor out = allocate(shape, dtype_of(dtype.ptr()));
    const Tensor* outputs[] = {&out};
    launch(HostCall{call_python, keep_python, function.ptr()}, std::span<const Tensor* const>(outputs),
           std::span<const Tensor* const>(in));
    return out;
  });
  m.def("_is_tracing", [] { return Tracing::on; });
  m.def(
      "_raise_if_any",
      [](const Tensor& wrong, const std::string& message, bool is_value) {
        static auto* messages = new std::unordered_set<std::string>;  // programs point to them
        raise_if_any(wrong, is_value ? Check::Value : Check::Runtime,
                     messages->insert(message).first->c_str());
      },
      py::arg("wrong"), py::arg("message"), py::arg("is_value") = false,
      "RuntimeError (or ValueError) with this message if an element is true: at once, or in each call of the "
      "function that is being compiled.");
  // Whether the elements are out of reach, since the tensor stands for those of every call.
  m.def("_is_traced", [](const Tensor& t) { return is_traced(t); });
  // Whether a tensor was made in a trace.
  m.def("_is_symbol", [](const Tensor& t) { return t.storage()->symbol() != 0; });
  // Gives a tensor that was made in a trace the storage of another of the same layout.
  m.def("_materialize", [](const Tensor& symbol, const Tensor& with) {
    symbol.impl()->storage = with.storage();
    symbol.impl()->offset = with.offset();
    symbol.impl()->base = {};
  });
  m.def("_storage_key", [](const Tensor& t) { return reinterpret_cast<uintptr_t>(t.storage().get()); });
  // What else an op's result depends on.
  m.def("_modes", [] {
    return py::make_tuple(GradMode::enabled(), GradMode::inference(), static_cast<int>(default_dtype()),
                          autocast_key());
  });
  // Bytes that are the same for tensors that a program need not tell apart: layout, dtype, device, need of a
  // gradient, and which of them share a storage.
  m.def("_layouts", [](const py::object& tensors) {
    const TensorList list = tensors_of(tensors);
    std::vector<int64_t> words;
    for (size_t i = 0; i < list.size(); ++i) {
      const Tensor& t = list[i];
      size_t first = 0;
      while (list[first].storage() != t.storage()) ++first;
      words.insert(words.end(),
                   {static_cast<int64_t>(t.dtype()), static_cast<int64_t>(t.device().type), t.device().index,
                    t.requires_grad(), static_cast<int64_t>(first), t.offset(), t.dim()});
      words.insert(words.end(), t.shape().begin(), t.shape().end());
      words.insert(words.end(), t.strides().begin(), t.strides().end());
    }
    return py::bytes(reinterpret_cast<const char*>(words.data()), words.size() * sizeof(int64_t));
  });
}

void add_batch_trace(py::module_& m) {
  using jit::BatchTrace;
  py::class_<BatchTrace>(m, "_BatchTrace")
      .def(py::init<int64_t>())
      .def("start", &BatchTrace::start)
      .def("stop", &BatchTrace::stop)
      .def("placeholder", &BatchTrace::placeholder, py::arg("tensor"), py::arg("dim"))
      .def_property_readonly("first_node", &BatchTrace::first_node)
      .def("draws", &BatchTrace::draws)
      .def("touched_grads", &touched_grads<BatchTrace>)
      .def("run",
           [](BatchTrace& t, const py::object& results) { return wrap_all(t.run(tensors_of(results))); });
}

struct Starts {
  std::vector<jit::DrawStart> list;
};

void add_compiled(py::module_& m) {
  py::class_<Starts>(m, "_Starts");
  py::class_<Compiled>(m, "_Compiled")
      // The results for the storages of these tensors (None: an external one that no call brings).
      .def(
          "run",
          [](const Compiled& c, py::object inputs, const Starts* starts) {
            return wrap_all(c.run(storages_of(tensors_of(inputs)), starts ? &starts->list : nullptr));
          },
          py::arg("inputs"), py::arg("starts") = nullptr)
      // Where the generators stand, for a backward pass that draws the numbers of its forward pass again.
      .def("starts", [](const Compiled& c) { return Starts{c.starts()}; })
      // Whether it writes to some of these tensors, and two of them share memory.
      .def("may_interfere",
           [](const Compiled& c, py::object inputs) {
             if (c.program->written().empty()) return false;
             std::vector<const Storage*> all;
             for (const Tensor& t : tensors_of(inputs))
               if (t.defined()) all.push_back(t.storage().get());
             std::sort(all.begin(), all.end());
             return std::adjacent_find(all.begin(), all.end()) != all.end();
           })
      // Lets go of the storages that calls bring.
      .def("forget_external", &Compiled::forget_external)
      .def("used_inputs", [](const Compiled& c) { return c.program->used_inputs(); })
      // Whether it writes to its inputs.
      .def_property_readonly("writes", [](const Compiled& c) { return !c.program->written().empty(); })
      .def_property_readonly("draws",
                             [](const Compiled& c) {
                               for (const auto& s : c.streams)
                                 if (s.reset || s.end.position) return true;
                               return false;
                             })
      .def_property_readonly("operations",
                             [](const Compiled& c) { return c.program->graph().operations.size(); })
      .def("text", [](const Compiled& c) { return jit::to_text(c.program->graph()); })
      // For a picture: of each operation its name, whether it is fused, its outputs, operands and inputs.
      .def("summary", [](const Compiled& c) {
        py::list out;
        for (auto& s : jit::summarise(c.program->graph()))
          out.append(py::make_tuple(s.name, s.fused, s.outputs, s.operands, s.inputs));
        return out;
      });
}

}  // namespace

void add_compiler(py::module_& m) {
  trace_error = checked(PyErr_NewExceptionWithDoc(
      "mlx.jit.TraceError",
      "A function cannot be compiled as it is written, or a tensor of its trace was kept.",
      PyExc_RuntimeError, nullptr));
  m.attr("_TraceError") = py::handle(trace_error);
  missing = py::module_::import("builtins").attr("object")().release().ptr();
  m.attr("_missing") = py::handle(missing);
  add_trace(m);
  add_batch_trace(m);
  add_compiled(m);
  py::class_<Guards>(m, "_Guards")
      .def(py::init<const py::list&>())
      .def("check", &Guards::check)
      // Two lists of the tensors that check() found, by number (None for -1); it then lets go of them all.
      .def("take",
           [](Guards& g, const std::vector<int>& first, const std::vector<int>& second) {
             auto chosen = [&](const std::vector<int>& numbers) {
               TensorList out;
               for (int n : numbers) out.push_back(n < 0 ? Tensor() : g.current()[n]);
               return wrap_all(out);
             };
             py::tuple out = py::make_tuple(chosen(first), chosen(second));
             g.release();
             return out;
           })
      .def("number_of",
           [](const Guards& g, const Tensor& t) {
             for (size_t i = 0; i < g.current().size(); ++i)
               if (g.current()[i].is(t)) return static_cast<int>(i);
             return -1;
           })
      .def("with_storage_of",
           [](const Guards& g, const Tensor& t) { return g.with_storage(t.storage().get()); })
      .def_property_readonly("failure", &Guards::failure);
}

}  // namespace mlx::bindings
