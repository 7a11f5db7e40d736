#include "bindings/overrides.h"

#include <string>
#include <vector>

namespace mlx::bindings {
namespace {

PyObject* override_name = nullptr;  // "__torch_function__"
PyObject* no_override = nullptr;    // the value of that attribute in classes which do not override

// The override that a class has or inherits (borrowed), or null.
PyObject* override_of(PyTypeObject* type) {
  PyObject* found = override_name ? _PyType_Lookup(type, override_name) : nullptr;
  return found == no_override ? nullptr : found;
}

bool is_plain(PyObject* o) {
  return Py_TYPE(o) == tensor_type || o == Py_None || PyLong_Check(o) || PyFloat_CheckExact(o) ||
         PyUnicode_CheckExact(o) || PySlice_Check(o) || o == Py_Ellipsis;
}

// The arguments whose classes override: one of each class, in the order of the call, but subclasses before
// their bases.
class Overriding {
 public:
  Overriding(PyObject* const* args, Py_ssize_t count, bool tensors) : tensors_(tensors) {
    for (Py_ssize_t i = 0; i < count; ++i) look(args[i], true);
  }
  const std::vector<PyObject*>& objects() const { return objects_; }

 private:
  void look(PyObject* o, bool inside) {
    if (is_plain(o)) return;
    if (override_of(Py_TYPE(o))) {
      if (tensors_ || !is_tensor(o)) add(o);
    } else if (inside && (PyTuple_Check(o) || PyList_Check(o))) {
      for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
        look(PySequence_Fast_GET_ITEM(o, i), false);
    }
  }

  void add(PyObject* o) {
    auto at = objects_.end();
    for (auto it = objects_.begin(); it != objects_.end(); ++it) {
      if (Py_TYPE(*it) == Py_TYPE(o)) return;
      if (at == objects_.end() && PyType_IsSubtype(Py_TYPE(o), Py_TYPE(*it))) at = it;
    }
    objects_.insert(at, o);
  }

  bool tensors_;  // whether tensors are asked too
  std::vector<PyObject*> objects_;
};

py::object ask(PyObject* function, const Overriding& who, PyObject* const* args, Py_ssize_t nargs,
               PyObject* kwnames) {
  py::tuple types(who.objects().size()), positional(static_cast<size_t>(nargs));
  for (size_t i = 0; i < types.size(); ++i)
    types[i] = py::handle(reinterpret_cast<PyObject*>(Py_TYPE(who.objects()[i])));
  for (Py_ssize_t i = 0; i < nargs; ++i) positional[static_cast<size_t>(i)] = py::handle(args[i]);
  py::dict named;
  for (Py_ssize_t k = 0, n = kwnames ? PyTuple_GET_SIZE(kwnames) : 0; k < n; ++k)
    named[py::handle(PyTuple_GET_ITEM(kwnames, k))] = py::handle(args[nargs + k]);
  for (PyObject* o : who.objects()) {
    py::object result = py::handle(o).attr(override_name)(py::handle(function), types, positional, named);
    if (result.ptr() != Py_NotImplemented) return result;
  }
  return py::reinterpret_borrow<py::object>(Py_NotImplemented);
}

[[noreturn]] void refused(PyObject* function, const Overriding& who) {
  std::string types;
  for (PyObject* o : who.objects()) types += str(types.empty() ? "" : ", ", Py_TYPE(o)->tp_name);
  throw TypeError(py::cast<std::string>(py::handle(function).attr("__name__")),
                  "(): every __torch_function__ among the arguments returned NotImplemented: ", types);
}

struct How {
  bool tensors = true;      // whether tensors are asked too
  bool may_refuse = false;  // whether NotImplemented is a result
};

bool hand_over(PyObject* function, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, How how,
               PyObject** result) noexcept {
  bool any = true;
  *result = guarded([&]() -> PyObject* {
    Overriding who(args, nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0), how.tensors);
    if (who.objects().empty()) return any = false, nullptr;
    py::object given = ask(function, who, args, nargs, kwnames);
    if (given.ptr() == Py_NotImplemented && !how.may_refuse) refused(function, who);
    return given.release().ptr();
  });
  return any;
}

// A method or attribute of Tensor itself (borrowed).
PyObject* member(const char* name) {
  PyObject* found = PyDict_GetItemString(tensor_type->tp_dict, name);
  if (!found) PyErr_Format(PyExc_SystemError, "Tensor has no method %s", name);
  return found;
}

// Runs what is called in its scope as if no class overrode anything.
class NoOverrides {
 public:
  NoOverrides() { ++Overrides::disabled; }
  ~NoOverrides() { --Overrides::disabled; }
  NoOverrides(const NoOverrides&) = delete;
};

struct DisableTorchFunctionSubclass {};

}  // namespace

void note_class(PyTypeObject* type) {
  if (!Overrides::seen && override_of(type)) Overrides::seen = true;
}

bool overridden(PyObject* function, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                PyObject** result) noexcept {
  return hand_over(function, args, nargs, kwnames, {}, result);
}

bool overridden_method(const char* name, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                       PyObject** result) noexcept {
  PyObject* function = member(name);
  if (!function) return *result = nullptr, true;
  return hand_over(function, args, nargs, kwnames, {}, result);
}

bool overridden_operator(const char* name, PyObject* const* args, Py_ssize_t nargs,
                         PyObject** result) noexcept {
  PyObject* function = member(name);
  if (!function) return *result = nullptr, true;
  return hand_over(function, args, nargs, nullptr, {.may_refuse = true}, result);
}

bool overridden_getter(const char* name, PyObject* self, PyObject** result) noexcept {
  if (Py_TYPE(self) == tensor_type || !override_of(Py_TYPE(self))) return false;
  PyObject* descriptor = member(name);
  PyObject* function = descriptor ? PyObject_GetAttrString(descriptor, "__get__") : nullptr;
  if (!function) return *result = nullptr, true;
  const bool any = hand_over(function, &self, 1, nullptr, {}, result);
  Py_DECREF(function);
  return any;
}

PyObject* rescued(PyObject* function, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                  bool may_refuse) noexcept {
  if (Overrides::disabled) return nullptr;
  PyObject *type, *value, *traceback, *result;
  PyErr_Fetch(&type, &value, &traceback);
  if (!hand_over(function, args, nargs, kwnames, {.tensors = false, .may_refuse = may_refuse}, &result)) {
    PyErr_Restore(type, value, traceback);
    return nullptr;
  }
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(traceback);
  return result;
}

PyObject* rescued_operator(const char* name, PyObject* const* args, Py_ssize_t nargs,
                           bool may_refuse) noexcept {
  PyObject* function = PyDict_GetItemString(tensor_type->tp_dict, name);
  return function ? rescued(function, args, nargs, nullptr, may_refuse) : nullptr;
}

void add_overrides(py::module_& module) {
  override_name = checked(PyUnicode_InternFromString("__torch_function__"));
  module.def(
      "_disabled_torch_function_impl",
      [](const py::object& function, const py::object&, const py::object& args, const py::object& kwargs) {
        NoOverrides scope;
        return function(*py::tuple(args), **(kwargs.is_none() ? py::dict() : py::dict(kwargs)));
      },
      py::arg("func"), py::arg("types"), py::arg("args") = py::tuple(), py::arg("kwargs") = py::none());
  no_override = py::object(module.attr("_disabled_torch_function_impl")).release().ptr();
  py::class_<DisableTorchFunctionSubclass>(module, "DisableTorchFunctionSubclass")
      .def(py::init())
      .def("__enter__", [](const DisableTorchFunctionSubclass&) { ++Overrides::disabled; })
      .def("__exit__", [](const DisableTorchFunctionSubclass&, const py::args&) { --Overrides::disabled; });
  module.def("_torch_function_enabled", [] { return Overrides::disabled == 0; });
  // The arguments that would be asked, in that order.
  module.def("_overriding", [](const py::tuple& args) {
    std::vector<PyObject*> all;
    for (py::handle a : args) all.push_back(a.ptr());
    py::list out;
    if (Overrides::disabled) return out;
    const Overriding who(all.data(), static_cast<Py_ssize_t>(all.size()), true);
    for (PyObject* o : who.objects()) out.append(py::handle(o));
    return out;
  });
}

}  // namespace mlx::bindings
