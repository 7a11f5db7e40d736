#include "bindings/op_table.h"

#include <structmember.h>

#include <cstddef>
#include <cstring>
#include <map>

#include "bindings/autocast.h"
#include "bindings/overrides.h"
#include "ops/pointwise.h"

namespace mlx::bindings {

// Defined in the generated op_bindings_N.cpp.
void add_ops_0(std::vector<OpEntry>& table);
void add_ops_1(std::vector<OpEntry>& table);
void add_ops_2(std::vector<OpEntry>& table);
void add_ops_3(std::vector<OpEntry>& table);

namespace {

constexpr int kMaxArguments = 32;

// One name of Python with all its overloads.
struct OpGroup {
  std::string name;
  std::string path;
  struct Overload {
    OpEntry entry;
    std::vector<PyObject*> names;  // interned, one an argument
    int positional = 0;            // how many arguments may be given by position
    int varargs = -1;              // the argument that takes all remaining integers: view(2, 3)
  };
  std::vector<Overload> overloads;
};

struct OpObject {
  PyObject_HEAD vectorcallfunc vectorcall;
  OpGroup* group;
};

PyTypeObject* function_type = nullptr;
PyTypeObject* method_type = nullptr;
PyObject* out_name = nullptr;

// ---- binding arguments

// Words that PyTorch accepts besides a row's own: NumPy's, and those of its documentation.
struct OtherWord {
  const char* given;
  const char* own;
};
constexpr OtherWord kOtherWords[] = {
    {"axis", "dim"},
    {"keepdims", "keepdim"},
    {"x", "input"},
    {"self", "input"},
    {"tensor", "input"},
    {"split_size_or_sections", "split_size"},
    {"split_size_or_sections", "split_sizes"},
};

auto by_other_word(const OpGroup::Overload& o, const char* text) {
  for (const OtherWord& word : kOtherWords) {
    if (strcmp(text, word.given)) continue;
    auto same = [&](PyObject* own) { return PyUnicode_CompareWithASCIIString(own, word.own) == 0; };
    auto at = std::find_if(o.names.begin(), o.names.end(), same);
    if (at != o.names.end()) return at;
  }
  // What a row calls A, B or L after the documentation, PyTorch itself calls input in some functions.
  const bool first = !strcmp(text, "input") && o.entry.count && o.entry.arguments[0].kind == Kind::Tensor;
  return first ? o.names.begin() : o.names.end();
}

// Assigns the call's arguments to the overload's parameters; false (with the reason) when they do not fit.
bool bind(const OpGroup::Overload& o, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
          PyObject** values, py::object& packed, std::string* why) {
  std::fill(values, values + o.entry.count, nullptr);
  if (o.varargs >= 0 && nargs > o.varargs && PyLong_Check(args[o.varargs])) {
    packed = py::reinterpret_steal<py::object>(checked(PyTuple_New(nargs - o.varargs)));
    for (Py_ssize_t i = o.varargs; i < nargs; ++i)
      PyTuple_SET_ITEM(packed.ptr(), i - o.varargs, Py_NewRef(args[i]));
    values[o.varargs] = packed.ptr();
    std::copy(args, args + o.varargs, values);
  } else if (nargs > o.positional) {
    *why = str("takes ", o.positional, " positional argument", o.positional == 1 ? "" : "s", " but ", nargs,
               nargs == 1 ? " was" : " were", " given");
    return false;
  } else {
    std::copy(args, args + nargs, values);
  }
  for (Py_ssize_t k = 0, n = kwnames ? PyTuple_GET_SIZE(kwnames) : 0; k < n; ++k) {
    PyObject* name = PyTuple_GET_ITEM(kwnames, k);
    auto matches = [&](PyObject* own) { return own == name || PyUnicode_Compare(own, name) == 0; };
    auto at = std::find_if(o.names.begin(), o.names.end(), matches);
    if (at == o.names.end()) {
      const char* text = PyUnicode_AsUTF8(name);
      at = by_other_word(o, text);
      if (at == o.names.end()) {
        *why = str("got an unexpected keyword argument '", text, "'");
        return false;
      }
    }
    size_t i = static_cast<size_t>(at - o.names.begin());
    if (values[i]) {
      *why = str("got multiple values for argument '", o.entry.arguments[i].name, "'");
      return false;
    }
    values[i] = args[nargs + k];
  }
  for (int i = 0; i < o.entry.count; ++i) {
    if (!values[i] && !o.entry.arguments[i].has_default) {
      *why = str("missing required argument '", o.entry.arguments[i].name, "' (position ", i + 1, ")");
      return false;
    }
  }
  return true;
}

bool fits(const OpEntry& entry, PyObject* const* values) {
  for (int i = 0; i < entry.count; ++i)
    if (values[i] && !accepts(entry.arguments[i], values[i])) return false;
  return true;
}

[[noreturn]] void no_overload(const OpGroup& group, PyObject* const* args, Py_ssize_t nargs,
                              PyObject* kwnames) {
  std::string got;
  Py_ssize_t named = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
  for (Py_ssize_t i = 0; i < nargs + named; ++i) {
    if (i) got += ", ";
    if (i >= nargs) got += str(PyUnicode_AsUTF8(PyTuple_GET_ITEM(kwnames, i - nargs)), "=");
    got += Py_TYPE(args[i])->tp_name;
  }
  std::string expected;
  for (auto& o : group.overloads) expected += str("\n  ", o.entry.schema);
  throw TypeError(group.name, "(): no form takes the arguments (", got, "); expected one of:", expected);
}

// ---- out=

// Gives `out` the shape and the elements of `result`, as PyTorch's out= does.
void write_out(const Tensor& out, const Tensor& result) {
  if (!can_cast(result.dtype(), out.dtype()))
    throw RuntimeError("result type ", short_name(result.dtype()),
                       " can't be cast to the desired output type ", short_name(out.dtype()));
  if (out.requires_grad() || result.requires_grad())
    throw RuntimeError(
        "functions with out=... arguments don't support automatic differentiation, but one of the arguments "
        "requires grad");
  if (has_internal_overlap(out))
    throw RuntimeError(
        "unsupported operation: more than one element of the out= tensor refers to a single memory location; "
        "clone() it first");
  if (out.shape() != result.shape()) {
    Tensor fresh = allocate(result.shape(), out.dtype(), out.device());
    TensorImpl& impl = *out.impl();
    impl.storage = fresh.storage();
    impl.offset = 0;
    impl.numel = fresh.numel();
    impl.shape = fresh.shape();
    impl.strides = fresh.strides();
    impl.contiguous = true;
  }
  copy_data(out, result);
  out.changed();
}

PyObject* call_with_out(const OpGroup& group, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                        Py_ssize_t at);

PyObject* run(const OpGroup& group, const OpEntry& entry, PyObject** values) {
  if (!Autocast::active()) return entry.call(Args(entry, values));
  py::list held;
  cast_arguments(group.path, values, entry.count, held);
  return entry.call(Args(entry, values));
}

PyObject* call(const OpGroup& group, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject* values[kMaxArguments];
  py::object packed;
  std::string why;
  if (group.overloads.size() == 1) {
    const auto& o = group.overloads[0];
    if (bind(o, args, nargs, kwnames, values, packed, &why)) return run(group, o.entry, values);
  } else {
    for (const auto& o : group.overloads)
      if (bind(o, args, nargs, kwnames, values, packed, &why) && fits(o.entry, values))
        return run(group, o.entry, values);
  }
  for (Py_ssize_t k = 0, n = kwnames ? PyTuple_GET_SIZE(kwnames) : 0; k < n; ++k)
    if (PyUnicode_Compare(PyTuple_GET_ITEM(kwnames, k), out_name) == 0)
      return call_with_out(group, args, nargs, kwnames, k);
  if (group.overloads.size() == 1) throw TypeError(group.name, "() ", why);
  no_overload(group, args, nargs, kwnames);
}

// The call without its out= argument, and the result written there.
PyObject* call_with_out(const OpGroup& group, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                        Py_ssize_t at) {
  std::vector<PyObject*> rest(args, args + nargs);
  py::list names;
  py::object out = py::reinterpret_borrow<py::object>(args[nargs + at]);
  for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(kwnames); ++k) {
    if (k == at) continue;
    names.append(py::handle(PyTuple_GET_ITEM(kwnames, k)));
    rest.push_back(args[nargs + k]);
  }
  py::tuple rest_names(names);
  py::object result = py::reinterpret_steal<py::object>(call(group, rest.data(), nargs, rest_names.ptr()));
  if (out.is_none()) return result.release().ptr();
  if (is_tensor(out.ptr()) && is_tensor(result.ptr())) {
    write_out(tensor_of(out.ptr()), tensor_of(result.ptr()));
  } else if (PyTuple_Check(result.ptr()) && (PyTuple_Check(out.ptr()) || PyList_Check(out.ptr())) &&
             py::len(out) == py::len(result)) {
    for (size_t i = 0; i < py::len(result); ++i) {
      py::object to = out[py::int_(i)], from = result[py::int_(i)];
      if (!is_tensor(to.ptr())) throw TypeError(group.name, "(): every element of out must be a Tensor");
      write_out(tensor_of(to.ptr()), tensor_of(from.ptr()));
    }
  } else {
    throw TypeError(group.name, "(): out must be ",
                    is_tensor(result.ptr()) ? "a Tensor" : "a tuple of Tensors");
  }
  return out.release().ptr();
}

// Where an override takes over, the function that it is told is the object that was called.
PyObject* op_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  PyObject* result;
  if (Overrides::possible() && overridden(self, args, nargs, kwnames, &result)) return result;
  result = guarded([&] { return call(*reinterpret_cast<OpObject*>(self)->group, args, nargs, kwnames); });
  return result ? result : rescued(self, args, nargs, kwnames);
}

// ---- the callable types

PyObject* op_repr(PyObject* self) {
  return PyUnicode_FromFormat("<built-in op %s>", reinterpret_cast<OpObject*>(self)->group->path.c_str());
}

PyObject* op_name(PyObject* self, void*) {
  return PyUnicode_FromString(reinterpret_cast<OpObject*>(self)->group->name.c_str());
}

PyObject* op_doc(PyObject* self, void*) {
  std::string text;
  for (auto& o : reinterpret_cast<OpObject*>(self)->group->overloads) {
    text += str(text.empty() ? "" : "\n", o.entry.schema, "\n");
    if (*o.entry.doc) text += str("\n", o.entry.doc, "\n");
  }
  return PyUnicode_FromString(text.c_str());
}

PyObject* op_module(PyObject*, void*) { return PyUnicode_FromString("mlx"); }

// Pickles by name: functions are found again as attributes of the package.
PyObject* op_reduce(PyObject* self, PyObject*) {
  return guarded([&] {
    py::object get = py::module_::import("mlx._C").attr("_find_op");
    return py::make_tuple(get, py::make_tuple(reinterpret_cast<OpObject*>(self)->group->path))
        .release()
        .ptr();
  });
}

PyObject* method_get(PyObject* self, PyObject* object, PyObject*) {
  return object ? PyMethod_New(self, object) : Py_NewRef(self);
}

PyGetSetDef op_properties[] = {{"__name__", op_name, nullptr, nullptr, nullptr},
                               {"__qualname__", op_name, nullptr, nullptr, nullptr},
                               {"__doc__", op_doc, nullptr, nullptr, nullptr},
                               {"__module__", op_module, nullptr, nullptr, nullptr},
                               {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef op_methods[] = {{"__reduce__", op_reduce, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
PyMemberDef op_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(OpObject, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyTypeObject* make_op_type(const char* name, bool method) {
  std::vector<PyType_Slot> slots = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                                    {Py_tp_repr, reinterpret_cast<void*>(op_repr)},
                                    {Py_tp_getset, op_properties},
                                    {Py_tp_methods, op_methods},
                                    {Py_tp_members, op_members}};
  if (method) slots.push_back({Py_tp_descr_get, reinterpret_cast<void*>(method_get)});
  slots.push_back({0, nullptr});
  // A method descriptor's calls need no bound-method object in between.
  unsigned flags =
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | (method ? Py_TPFLAGS_METHOD_DESCRIPTOR : 0);
  PyType_Spec spec = {name, sizeof(OpObject), 0, flags, slots.data()};
  return reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)));
}

py::object make_op(PyTypeObject* type, OpGroup* group) {
  auto* op = PyObject_New(OpObject, type);
  op->vectorcall = op_vectorcall;
  op->group = group;
  return py::reinterpret_steal<py::object>(checked(reinterpret_cast<PyObject*>(op)));
}

OpGroup::Overload overload(const OpEntry& entry) {
  OpGroup::Overload o{entry, {}, 0, -1};
  int lists = 0, last_list = -1;
  for (int i = 0; i < entry.count; ++i) {
    const Argument& a = entry.arguments[i];
    o.names.push_back(checked(PyUnicode_InternFromString(a.name)));
    if (a.keyword_only) continue;
    ++o.positional;
    if (a.kind == Kind::IntList) {
      ++lists;
      last_list = i;
    }
  }
  // As in PyTorch: a list of integers that is the only argument (after the tensor) may be spread out.
  bool after_tensor = entry.count && entry.arguments[0].kind == Kind::Tensor;
  if (lists == 1 && o.positional == (after_tensor ? 2 : 1) && last_list == o.positional - 1)
    o.varargs = last_list;
  return o;
}

std::map<std::string, OpGroup*>& groups() {
  static auto* all = new std::map<std::string, OpGroup*>;
  return *all;
}

OpGroup& group_at(const std::string& path) {
  OpGroup*& g = groups()[path];
  if (!g) g = new OpGroup{path.substr(path.rfind('.') + 1), path, {}};
  return *g;
}

bool takes_input(const OpEntry& e) {
  return e.count && e.arguments[0].kind <= Kind::Operand && !strcmp(e.arguments[0].name, "input");
}

}  // namespace

const char* OpEntry::short_name() const {
  const char* dot = strrchr(path, '.');
  return dot ? dot + 1 : path;
}

namespace {

// One field a line, as tensors take several.
PyObject* result_repr(PyObject* o) {
  return guarded([&] {
    std::string text = str(Py_TYPE(o)->tp_name, "(");
    py::object fields = py::reinterpret_borrow<py::object>(o).attr("__match_args__");
    for (size_t i = 0; i < py::len(fields); ++i)
      text += str(i ? ",\n" : "\n", py::cast<std::string>(fields[py::int_(i)]), "=",
                  py::cast<std::string>(py::repr(PyTuple_GET_ITEM(o, static_cast<Py_ssize_t>(i)))));
    return py::str(text + ")").release().ptr();
  });
}

}  // namespace

PyTypeObject* result_type(const char* op, std::vector<const char*> fields) {
  auto* list = new std::vector<PyStructSequence_Field>;
  for (const char* f : fields) list->push_back({f, nullptr});
  list->push_back({nullptr, nullptr});
  auto* name = new std::string(str("mlx.return_types.", op));
  PyStructSequence_Desc desc = {name->c_str(), nullptr, list->data(), static_cast<int>(fields.size())};
  auto* type =
      reinterpret_cast<PyTypeObject*>(checked(reinterpret_cast<PyObject*>(PyStructSequence_NewType(&desc))));
  type->tp_repr = result_repr;
  return type;
}

void add_ops(py::module_& module) {
  out_name = checked(PyUnicode_InternFromString("out"));
  function_type = make_op_type("mlx.builtin_op", false);
  method_type = make_op_type("mlx.builtin_method", true);
  std::vector<OpEntry> table;
  add_ops_0(table);
  add_ops_1(table);
  add_ops_2(table);
  add_ops_3(table);
  for (const OpEntry& e : table) {
    std::string path = e.path;
    group_at(path).overloads.push_back(overload(e));
    if (path.find('.') == std::string::npos && takes_input(e))
      group_at("Tensor." + path).overloads.push_back(overload(e));
  }
  py::dict namespaces;
  for (auto& [path, group] : groups()) {
    size_t dot = path.rfind('.');
    std::string space = dot == std::string::npos ? "" : path.substr(0, dot);
    if (space == "Tensor") {
      // Attributes (real, imag) come before ops of the same name.
      if (PyDict_GetItemString(tensor_type->tp_dict, group->name.c_str())) continue;
      py::handle(reinterpret_cast<PyObject*>(tensor_type)).attr(group->name.c_str()) =
          make_op(method_type, group);
    } else {
      if (!namespaces.contains(space.c_str())) namespaces[space.c_str()] = py::dict();
      py::object ops = namespaces[space.c_str()];
      ops[group->name.c_str()] = make_op(function_type, group);
    }
  }
  for (auto [name, op] : py::dict(py::object(namespaces[""]))) module.attr(name) = op;
  module.attr("_op_namespaces") = namespaces;
  module.def("_find_op", [namespaces](const std::string& path) {
    auto at = groups().find(path);
    if (at == groups().end()) throw py::attribute_error("mlx has no op named " + path);
    // The same object as ever, so that a copy of a function is the function.
    const size_t dot = path.rfind('.');
    const std::string space = dot == std::string::npos ? "" : path.substr(0, dot);
    if (namespaces.contains(space)) return py::object(namespaces[py::str(space)][py::str(at->second->name)]);
    return make_op(method_type, at->second);
  });
  module.def("_write_out", write_out);
  module.def("_op_schemas", [] {
    py::list all;
    for (auto& [path, group] : groups())
      for (auto& o : group->overloads) all.append(py::make_tuple(path, o.entry.schema, o.entry.doc));
    return all;
  });
}

}  // namespace mlx::bindings
