// Python's view of the small values: dtypes, devices, sizes, numbers, random generators.

#include <pybind11/stl.h>

#include <map>

#include "backends/backend.h"
#include "bindings/args.h"
#include "bindings/tensor_type.h"

namespace mlx::bindings {

PyTypeObject* size_type = nullptr;

namespace {

PyObject* dtype_objects[kDTypeCount];
PyTypeObject* dtype_type = nullptr;

struct DTypeObject {
  DType value;
};

// Shorter names that PyTorch has for the same dtypes.
constexpr std::pair<const char*, DType> kDtypeAliases[] = {
    {"float", DType::Float32},    {"double", DType::Float64},    {"half", DType::Float16},
    {"short", DType::Int16},      {"int", DType::Int32},         {"long", DType::Int64},
    {"cfloat", DType::Complex64}, {"cdouble", DType::Complex128}};

Device parse_device(const std::string& text) {
  size_t colon = text.find(':');
  std::string kind = text.substr(0, colon);
  Device d;
  if (kind == "cpu")
    d.type = DeviceType::CPU;
  else if (kind == "mps" || kind == "metal")
    d.type = DeviceType::MPS;
  else if (kind == "cuda")
    d.type = DeviceType::CUDA;
  else
    throw RuntimeError("device: expected one of cpu, mps (or metal), cuda as the device type, not '", text,
                       "'");
  if (colon == std::string::npos) return d;
  std::string digits = text.substr(colon + 1);
  if (digits.empty() || digits.size() > 2 || digits.find_first_not_of("0123456789") != std::string::npos)
    throw RuntimeError("device: invalid device string '", text, "'");
  d.index = static_cast<int8_t>(std::stoi(digits));
  return d;
}

// "cpu" and "cpu:0" are one device, and so are "mps" and "mps:0".
Device normal(Device d) {
  if (d.type == DeviceType::CPU) return {};
  if (d.type == DeviceType::MPS && d.index > 0)
    throw RuntimeError("device: there is one Metal device, mps:0, not ", d);
  return {d.type, std::max<int8_t>(d.index, 0)};
}

PyObject* size_repr(PyObject* self) {
  py::str inner = py::repr(py::reinterpret_steal<py::object>(checked(PySequence_List(self))));
  return PyUnicode_FromFormat("mlx.Size(%U)", inner.ptr());
}

PyObject* size_numel(PyObject* self, PyObject*) {
  int64_t n = 1;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self); ++i) n *= PyLong_AsLongLong(PyTuple_GET_ITEM(self, i));
  return PyLong_FromLongLong(n);
}

PyObject* size_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return guarded([&] {
    py::object size = py::reinterpret_steal<py::object>(checked(PyTuple_Type.tp_new(type, args, kwargs)));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(size.ptr()); ++i) {
      PyObject* item = PyTuple_GET_ITEM(size.ptr(), i);
      if (PyLong_Check(item)) continue;
      PyTuple_SET_ITEM(size.ptr(), i, checked(PyNumber_Index(item)));  // tensors and NumPy's numbers
      Py_DECREF(item);
    }
    return size.release().ptr();
  });
}

// What tuple makes of sizes is a Size again: x.shape[1:], x.shape[:-1] + (n,), 2 * x.shape.
PyObject* as_size(PyObject* made) {
  if (!made || !PyTuple_CheckExact(made)) return made;
  py::object tuple = py::reinterpret_steal<py::object>(made);
  return PyTuple_Type.tp_new(size_type, py::make_tuple(tuple).ptr(), nullptr);
}

// Sizes on either side: (n,) + x.shape comes here too.
PyObject* size_add(PyObject* left, PyObject* right) {
  if (!PyTuple_Check(left) || !PyTuple_Check(right)) Py_RETURN_NOTIMPLEMENTED;
  return as_size(PyTuple_Type.tp_as_sequence->sq_concat(left, right));
}

PyObject* size_repeat(PyObject* self, Py_ssize_t times) {
  return as_size(PyTuple_Type.tp_as_sequence->sq_repeat(self, times));
}

PyObject* size_subscript(PyObject* self, PyObject* index) {
  return as_size(PyTuple_Type.tp_as_mapping->mp_subscript(self, index));
}

PyMethodDef size_methods[] = {
    {"numel", size_numel, METH_NOARGS, "The number of elements of a tensor of this size."},
    {nullptr, nullptr, 0, nullptr}};

void add_size(py::module_& m) {
  PyType_Slot slots[] = {{Py_tp_repr, reinterpret_cast<void*>(size_repr)},
                         {Py_tp_new, reinterpret_cast<void*>(size_new)},
                         {Py_tp_methods, size_methods},
                         {Py_nb_add, reinterpret_cast<void*>(size_add)},
                         {Py_sq_repeat, reinterpret_cast<void*>(size_repeat)},
                         {Py_mp_subscript, reinterpret_cast<void*>(size_subscript)},
                         {0, nullptr}};
  PyType_Spec spec = {"mlx.Size", 0, 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  py::tuple bases = py::make_tuple(py::handle(reinterpret_cast<PyObject*>(&PyTuple_Type)));
  size_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpecWithBases(&spec, bases.ptr())));
  m.attr("Size") = py::handle(reinterpret_cast<PyObject*>(size_type));
}

void add_dtypes(py::module_& m) {
  py::class_<DTypeObject> type(m, "dtype");
  type.def_property_readonly("is_floating_point", [](const DTypeObject& d) { return is_floating(d.value); })
      .def_property_readonly("is_complex", [](const DTypeObject& d) { return is_complex(d.value); })
      .def_property_readonly(
          "is_signed", [](const DTypeObject& d) { return d.value != DType::Bool && d.value != DType::UInt8; })
      .def_property_readonly("itemsize", [](const DTypeObject& d) { return item_size(d.value); })
      .def("to_real",
           [](const DTypeObject& d) { return py::reinterpret_steal<py::object>(wrap(to_real(d.value))); })
      .def("to_complex",
           [](const DTypeObject& d) { return py::reinterpret_steal<py::object>(wrap(to_complex(d.value))); })
      .def("__repr__", [](const DTypeObject& d) { return str(d.value); })
      // Pickles as the name of an attribute of this module.
      .def("__reduce__", [](const DTypeObject& d) { return std::string(name(d.value)); });
  dtype_type = reinterpret_cast<PyTypeObject*>(type.ptr());
  py::object names = py::module_::import("types").attr("SimpleNamespace")();
  for (int i = 0; i < kDTypeCount; ++i) {
    DType t = static_cast<DType>(i);
    py::object o = py::cast(DTypeObject{t});
    dtype_objects[i] = o.inc_ref().ptr();
    m.attr(name(t)) = o;
    names.attr(name(t)) = o;
  }
  for (auto [alias, t] : kDtypeAliases) m.attr(alias) = py::handle(dtype_objects[static_cast<int>(t)]);
  m.attr("_dtypes") = names;
}

// The defaults that `with device:` will put back.
std::vector<Device>& left_devices() {
  static thread_local std::vector<Device> devices;
  return devices;
}

Device available(Device d) {
  backend(d.type);
  return normal(d);
}

void add_devices(py::module_& m) {
  py::class_<Device> type(m, "device");
  type.def(py::init([](const Device& d) { return d; }))
      .def(py::init([](const std::string& text, py::object index) {
             Device d = parse_device(text);
             if (!index.is_none()) d.index = static_cast<int8_t>(py::cast<int>(index));
             return d;
           }),
           py::arg("type"), py::arg("index") = py::none())
      .def_property_readonly("type", [](const Device& d) { return name(d.type); })
      .def_property_readonly(
          "index", [](const Device& d) { return d.index < 0 ? py::object(py::none()) : py::int_(d.index); })
      .def("__repr__",
           [](const Device& d) {
             return d.index < 0 ? str("device(type='", name(d.type), "')")
                                : str("device(type='", name(d.type), "', index=", int(d.index), ")");
           })
      .def("__str__", [](const Device& d) { return str(d); })
      .def("__hash__", [](const Device& d) { return static_cast<int>(d.type) * 256 + d.index; })
      .def("__eq__", [](const Device& a,
                        py::object b) { return py::isinstance<Device>(b) && a == py::cast<Device>(b); })
      .def("__reduce__",
           [](const Device& d) { return py::make_tuple(py::type::of<Device>(), py::make_tuple(str(d))); });
  type.def("__enter__",
           [](const Device& d) {
             left_devices().push_back(DefaultDevice::value);
             return DefaultDevice::value = available(d);
           })
      .def("__exit__", [](const Device&, py::args) {
        DefaultDevice::value = left_devices().back();
        left_devices().pop_back();
      });
  m.def("_has_device", [](const std::string& text) { return has_backend(parse_device(text).type); });
  m.def(
      "get_default_device", [] { return DefaultDevice::value; },
      "Where tensors are made on this thread when no device is named.");
  m.def(
      "set_default_device",
      [](py::object device) {
        DefaultDevice::value = device.is_none() ? Device{} : available(device_of(device.ptr()));
      },
      py::arg("device"),
      "Make tensors there, on this thread, when no device is named; None means the CPU. RuntimeError names "
      "the "
      "devices there are when it is missing.");
}

void add_generator(py::module_& m) {
  py::class_<Generator, Ref<Generator>>(m, "Generator", "A stream of random numbers with a state of its own.")
      .def(py::init([](py::object device) {
             device_of(device.ptr());  // which must be one; the numbers are the same on all
             Ref<Generator> g(new Generator);
             g->set(default_generator()->seed());
             return g;
           }),
           py::arg("device") = "cpu")
      .def("manual_seed",
           [](Ref<Generator> g, py::int_ seed) {
             g->set(PyLong_AsUnsignedLongLongMask(seed.ptr()));
             return g;
           })
      .def("initial_seed", [](const Generator& g) { return g.seed(); })
      .def(
          "clone_state",
          [](const Generator& g) {
            Ref<Generator> copy(new Generator);
            copy->set(g.seed(), g.position());
            return copy;
          },
          "Another generator that gives the same numbers from here on.")
      .def("seed",
           [](Generator& g) {
             uint64_t seed = py::cast<uint64_t>(py::module_::import("secrets").attr("randbits")(63));
             g.set(seed);
             return seed;
           })
      .def_property_readonly("device", [](const Generator&) { return Device{}; })
      .def("_state", [](const Generator& g) { return py::make_tuple(g.seed(), g.position()); })
      .def("_set_state", [](Generator& g, uint64_t seed, uint64_t position) { g.set(seed, position); });
  m.attr("default_generator") = py::cast(default_generator());
}

}  // namespace

PyObject* wrap(DType t) { return Py_NewRef(dtype_objects[static_cast<int>(t)]); }
PyObject* wrap(Device d) { return py::cast(d).release().ptr(); }

PyObject* wrap(const Shape& ints) {
  PyObject* out = checked(size_type->tp_alloc(size_type, static_cast<Py_ssize_t>(ints.size())));
  for (size_t i = 0; i < ints.size(); ++i)
    PyTuple_SET_ITEM(out, static_cast<Py_ssize_t>(i), PyLong_FromLongLong(ints[i]));
  return out;
}

PyObject* wrap(const Scalar& s) {
  switch (s.kind()) {
    case Scalar::Kind::Bool:
      return PyBool_FromLong(s.to_bool());
    case Scalar::Kind::Int:
      return PyLong_FromLongLong(s.to_int());
    case Scalar::Kind::Float:
      return PyFloat_FromDouble(s.to_double());
    case Scalar::Kind::Complex:
      break;
  }
  return PyComplex_FromDoubles(s.to_complex().real(), s.to_complex().imag());
}

bool is_number(PyObject* o) {
  if (PyFloat_Check(o) || PyLong_Check(o) || PyComplex_Check(o)) return true;
  if (is_tensor(o)) return false;
  // NumPy's scalars: they have numbers' slots and no length.
  auto* slots = Py_TYPE(o)->tp_as_number;
  auto* sequence = Py_TYPE(o)->tp_as_sequence;
  if (!slots || !(slots->nb_index || slots->nb_float) || (sequence && sequence->sq_length)) return false;
  static PyObject* generic = py::object(py::module_::import("numpy").attr("generic")).release().ptr();
  return PyObject_IsInstance(o, generic) == 1;
}

Scalar scalar_of(PyObject* o) {
  if (PyBool_Check(o)) return o == Py_True;
  if (PyLong_Check(o)) {
    int overflow = 0;
    int64_t v = PyLong_AsLongLongAndOverflow(o, &overflow);
    if (overflow) throw RuntimeError("value cannot be converted to type int64_t without overflow");
    return v;
  }
  if (PyFloat_Check(o)) return PyFloat_AS_DOUBLE(o);
  if (PyComplex_Check(o)) return std::complex<double>(PyComplex_RealAsDouble(o), PyComplex_ImagAsDouble(o));
  if (is_tensor(o)) {
    py::object value = py::handle(o).attr("item")();
    return scalar_of(value.ptr());
  }
  py::object value = py::handle(o).attr("item")();  // NumPy's scalars
  if (is_number(value.ptr()) && !py::isinstance(value, py::type::handle_of(o))) return scalar_of(value.ptr());
  throw TypeError("expected a number, not ", Py_TYPE(o)->tp_name);
}

bool is_dtype(PyObject* o) {
  return Py_TYPE(o) == dtype_type || o == reinterpret_cast<PyObject*>(&PyFloat_Type) ||
         o == reinterpret_cast<PyObject*>(&PyLong_Type) || o == reinterpret_cast<PyObject*>(&PyBool_Type) ||
         o == reinterpret_cast<PyObject*>(&PyComplex_Type);
}

DType dtype_of(PyObject* o) {
  if (Py_TYPE(o) == dtype_type) return py::cast<const DTypeObject&>(py::handle(o)).value;
  if (o == reinterpret_cast<PyObject*>(&PyFloat_Type)) return DType::Float64;
  if (o == reinterpret_cast<PyObject*>(&PyLong_Type)) return DType::Int64;
  if (o == reinterpret_cast<PyObject*>(&PyBool_Type)) return DType::Bool;
  return DType::Complex128;
}

bool is_device(PyObject* o) { return PyUnicode_Check(o) || py::isinstance<Device>(o); }

Device device_of(PyObject* o) {
  return normal(PyUnicode_Check(o) ? parse_device(py::cast<std::string>(py::handle(o)))
                                   : py::cast<Device>(py::handle(o)));
}

void add_values(py::module_& m) {
  add_size(m);
  add_dtypes(m);
  add_devices(m);
  add_generator(m);
  m.def(
      "set_default_dtype",
      [](py::handle d) {
        if (!is_dtype(d.ptr()) || !is_floating(dtype_of(d.ptr())))
          throw TypeError("set_default_dtype(): only floating-point types are supported as the default type");
        set_default_dtype(dtype_of(d.ptr()));
      },
      py::arg("d"));
  m.def("get_default_dtype", [] { return py::reinterpret_steal<py::object>(wrap(default_dtype())); });
  m.def(
      "promote_types",
      [](py::handle a, py::handle b) {
        return py::reinterpret_steal<py::object>(wrap(promote(dtype_of(a.ptr()), dtype_of(b.ptr()))));
      },
      py::arg("type1"), py::arg("type2"));
  m.def(
      "can_cast", [](py::handle a, py::handle b) { return can_cast(dtype_of(a.ptr()), dtype_of(b.ptr())); },
      py::arg("from_"), py::arg("to"));
  m.def(
      "result_type",
      [](py::handle a, py::handle b) {
        Promotion p;
        for (py::handle o : {a, b}) {
          if (is_tensor(o.ptr()))
            p.add(tensor_of(o.ptr()));
          else
            p.add(scalar_of(o.ptr()));
        }
        return py::reinterpret_steal<py::object>(wrap(p.result()));
      },
      py::arg("tensor1"), py::arg("tensor2"));
}

}  // namespace mlx::bindings
