// Sharing memory with other libraries: DLPack and Python's buffer protocol.

#include <pybind11/stl.h>

#include "bindings/tensor_type.h"
#include "ops.h"

namespace mlx::bindings {
namespace {

template <class... Parts>
[[noreturn]] void throw_buffer_error(const Parts&... parts) {
  PyErr_SetString(PyExc_BufferError, str(parts...).c_str());
  throw_python_error();
}

// ---- DLPack's structures (version 1.0 of its ABI, and the unversioned one before it)

struct DLDevice {
  int32_t type, id;
};
struct DLDataType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};
struct DLManagedTensorVersioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(DLManagedTensorVersioned*);
  uint64_t flags;
  DLTensor tensor;
};

constexpr int32_t kCpu = 1;
constexpr uint64_t kIsCopied = 2;
enum Code : uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBFloat = 4, kComplex = 5, kBool = 6 };

template <class Managed>
struct Capsule;
template <>
struct Capsule<DLManagedTensor> {
  static constexpr const char *name = "dltensor", *used = "used_dltensor";
};
template <>
struct Capsule<DLManagedTensorVersioned> {
  static constexpr const char *name = "dltensor_versioned", *used = "used_dltensor_versioned";
};

DLDataType dl_dtype(DType t) {
  const uint8_t bits = static_cast<uint8_t>(8 * item_size(t));
  if (t == DType::Bool) return {kBool, bits, 1};
  if (t == DType::UInt8) return {kUInt, bits, 1};
  if (t == DType::BFloat16) return {kBFloat, bits, 1};
  return {is_complex(t) ? kComplex : is_floating(t) ? kFloat : kInt, bits, 1};
}

DType dtype_of_dl(DLDataType d) {
  for (int i = 0; i < kDTypeCount && d.lanes == 1; ++i) {
    const DLDataType own = dl_dtype(static_cast<DType>(i));
    if (own.code == d.code && own.bits == d.bits) return static_cast<DType>(i);
  }
  throw_buffer_error("from_dlpack(): no dtype for type code ", int(d.code), " of ", int(d.bits), " bits in ",
                     d.lanes, " lanes");
}

// What an exported tensor keeps alive. Needs no interpreter to be freed.
template <class Managed>
struct Export {
  Managed managed{};
  Ref<Storage> storage;
  Shape shape, strides;
};

template <class Managed>
PyObject* export_capsule(const Tensor& t, bool copied) {
  make_readable(t, "__dlpack__()", true);
  auto owned = std::make_unique<Export<Managed>>();
  owned->storage = t.storage();
  owned->shape = t.shape();
  owned->strides = t.strides();
  // Strides of dimensions with at most one element mean nothing; readers expect the usual ones.
  const Shape usual = contiguous_strides(t.shape());
  for (size_t d = 0; d < owned->shape.size(); ++d)
    if (owned->shape[d] <= 1) owned->strides[d] = usual[d];
  owned->managed.tensor = {t.raw(),
                           {kCpu, 0},
                           static_cast<int32_t>(t.dim()),
                           dl_dtype(t.dtype()),
                           owned->shape.data(),
                           owned->strides.data(),
                           0};
  owned->managed.context = owned.get();
  owned->managed.deleter = [](Managed* m) {
    std::unique_ptr<Export<Managed>>(static_cast<Export<Managed>*>(m->context));
  };
  if constexpr (std::is_same_v<Managed, DLManagedTensorVersioned>) {
    owned->managed.major = 1;
    owned->managed.flags = copied ? kIsCopied : 0;
  }
  PyObject* capsule = PyCapsule_New(&owned->managed, Capsule<Managed>::name, [](PyObject* c) {
    if (!PyCapsule_IsValid(c, Capsule<Managed>::name)) return;  // taken over by a reader
    auto* m = static_cast<Managed*>(PyCapsule_GetPointer(c, Capsule<Managed>::name));
    if (m->deleter) m->deleter(m);
  });
  checked(capsule);
  owned.release();
  return capsule;
}

template <class Managed>
Tensor import_capsule(PyObject* capsule) {
  auto* m = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Capsule<Managed>::name));
  if (!m) throw_python_error();
  const DLTensor& t = m->tensor;
  if (t.device.type != kCpu)
    throw_buffer_error("from_dlpack(): the tensor lies on device type ", t.device.type,
                       "; only CPU memory can be shared");
  if constexpr (std::is_same_v<Managed, DLManagedTensorVersioned>)
    if (m->major != 1) throw_buffer_error("from_dlpack(): DLPack version ", m->major, " is not supported");
  const DType dtype = dtype_of_dl(t.dtype);
  Shape shape, strides;
  for (int32_t d = 0; d < t.ndim; ++d) {
    shape.push_back(t.shape[d]);
    if (t.strides && t.strides[d] < 0)
      throw_buffer_error("from_dlpack(): negative strides are not supported; copy the array first");
  }
  if (t.strides)
    strides = Shape(t.strides, t.strides + t.ndim);
  else
    strides = contiguous_strides(shape);
  if (PyCapsule_SetName(capsule, Capsule<Managed>::used)) throw_python_error();
  return adopt(static_cast<char*>(t.data) + t.byte_offset, shape, strides, dtype, Device{}, [m] {
    if (m->deleter) m->deleter(m);
  });
}

void check_exportable(const Tensor& t, const char* what) {
  if (t.requires_grad())
    throw_buffer_error(what, ": can't export a tensor that requires grad, use tensor.detach()");
  // Metal's memory is the host's too.
  if (t.device().type == DeviceType::CUDA)
    throw_buffer_error(what, ": the tensor lies on ", t.device(), "; use tensor.cpu()");
}

// ---- the buffer protocol

const char* buffer_format(DType t) {
  constexpr const char* formats[kDTypeCount] = {"?", "B",     "b", "h", "i",  "q",
                                                "e", nullptr, "f", "d", "Zf", "Zd"};
  return formats[static_cast<int>(t)];
}

struct BufferLayout {
  Tensor tensor;
  std::vector<Py_ssize_t> shape, strides;
};

// A tensor over a Python buffer's memory.
Tensor from_buffer(py::object buffer, DType dtype, int64_t count, int64_t offset) {
  auto view = std::make_unique<Py_buffer>();
  if (PyObject_GetBuffer(buffer.ptr(), view.get(), PyBUF_WRITABLE) < 0) {
    PyErr_Clear();
    if (PyObject_GetBuffer(buffer.ptr(), view.get(), PyBUF_SIMPLE) < 0) throw_python_error();
  }
  Py_buffer* held = view.release();
  auto release = [held] {
    if (!Py_IsInitialized()) return;
    py::gil_scoped_acquire gil;
    PyBuffer_Release(held);
    std::unique_ptr<Py_buffer> last(held);
  };
  const int64_t length = held->len, size = static_cast<int64_t>(item_size(dtype));
  auto refuse = [&](const std::string& why) {
    release();
    throw ValueError("frombuffer(): ", why);
  };
  if (length == 0 || count == 0)
    refuse(str("both buffer length (", length, ") and count (", count, ") must not be 0"));
  if (offset < 0 || offset >= length)
    refuse(str("offset (", offset, " bytes) must be non-negative and no greater than buffer length (", length,
               " bytes) - 1"));
  if (count < 0 && (length - offset) % size)
    refuse(str("buffer length (", length - offset, " bytes) after offset (", offset,
               " bytes) must be a multiple of element size (", size, ")"));
  const int64_t n = count < 0 ? (length - offset) / size : count;
  if (offset + n * size > length)
    refuse(str("requested buffer length (", n, " * ", size, " bytes) after offset (", offset,
               " bytes) must not be greater than actual buffer length (", length, " bytes)"));
  return adopt(static_cast<char*>(held->buf) + offset, {n}, {1}, dtype, Device{}, release);
}

}  // namespace

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  view->obj = nullptr;
  try {
    const Tensor& t = tensor_of(self);
    check_exportable(t, "memoryview()");
    make_readable(t, "memoryview()", true);
    const char* format = buffer_format(t.dtype());
    if (!format) throw_buffer_error("memoryview(): Python's buffers have no format for ", t.dtype());
    if (!t.is_contiguous() && (flags & PyBUF_STRIDES) != PyBUF_STRIDES)
      throw_buffer_error("memoryview(): the tensor is not contiguous; use tensor.contiguous()");
    auto layout = std::make_unique<BufferLayout>();
    layout->tensor = t;
    for (int64_t d = 0; d < t.dim(); ++d) {
      layout->shape.push_back(t.size(d));
      layout->strides.push_back(t.stride(d) * static_cast<Py_ssize_t>(t.item_size()));
    }
    view->buf = t.raw();
    view->len = t.numel() * static_cast<Py_ssize_t>(t.item_size());
    view->readonly = 0;
    view->itemsize = static_cast<Py_ssize_t>(t.item_size());
    view->format = flags & PyBUF_FORMAT ? const_cast<char*>(format) : nullptr;
    view->ndim = static_cast<int>(t.dim());
    view->shape = flags & PyBUF_ND ? layout->shape.data() : nullptr;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? layout->strides.data() : nullptr;
    view->suboffsets = nullptr;
    view->internal = layout.release();
    view->obj = Py_NewRef(self);
    return 0;
  } catch (...) {
    set_python_error();
    return -1;
  }
}

void release_buffer(PyObject*, Py_buffer* view) {
  std::unique_ptr<BufferLayout> last(static_cast<BufferLayout*>(view->internal));
}

void add_interchange(py::module_& m) {
  m.def("_to_dlpack", [](const Tensor& t, bool versioned, bool copied) {
    check_exportable(t, "__dlpack__()");
    return py::reinterpret_steal<py::object>(versioned ? export_capsule<DLManagedTensorVersioned>(t, copied)
                                                       : export_capsule<DLManagedTensor>(t, copied));
  });
  m.def("_from_dlpack", [](py::object capsule) {
    if (PyCapsule_IsValid(capsule.ptr(), Capsule<DLManagedTensorVersioned>::name))
      return import_capsule<DLManagedTensorVersioned>(capsule.ptr());
    if (PyCapsule_IsValid(capsule.ptr(), Capsule<DLManagedTensor>::name))
      return import_capsule<DLManagedTensor>(capsule.ptr());
    throw ValueError("from_dlpack(): expected a DLPack capsule that was not used before");
  });
  m.def("_from_buffer", [](py::object buffer, py::object dtype, int64_t count, int64_t offset) {
    return from_buffer(buffer, dtype_of(dtype.ptr()), count, offset);
  });
  // All bytes of a tensor's storage, where they lie, and a tensor over such bytes: for pickle and deepcopy.
  m.def("_storage_bytes", [](const Tensor& t) {
    Tensor bytes = alias(t);
    bytes.impl()->dtype = DType::UInt8;
    return view_of(bytes, {static_cast<int64_t>(t.storage()->bytes())}, {1}, 0);
  });
  m.def("_storage_address", [](const Tensor& t) { return reinterpret_cast<uintptr_t>(t.storage().get()); });
  m.def("_from_storage", [](const Tensor& bytes, py::object dtype, const std::vector<int64_t>& shape,
                            const std::vector<int64_t>& strides, int64_t offset) {
    Tensor all = alias(bytes);
    all.impl()->dtype = dtype_of(dtype.ptr());
    const int64_t room = bytes.numel() / static_cast<int64_t>(all.item_size());
    return alias(as_strided(view_of(all, {room}, {1}, 0), Shape(shape), Shape(strides), offset));
  });
}

}  // namespace mlx::bindings
