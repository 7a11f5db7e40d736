#include "bindings/autocast.h"

#include <array>
#include <string_view>
#include <unordered_map>

#include "ops.h"

namespace mlx::bindings {
namespace {

struct Setting {
  bool enabled = false;
  DType dtype = DType::BFloat16;
};

// One a kind of device. GPUs began with float16, and CPUs with bfloat16.
thread_local std::array<Setting, 3> settings = {Setting{}, Setting{false, DType::Float16},
                                                Setting{false, DType::Float16}};

Setting& setting(DeviceType type) { return settings[static_cast<size_t>(type)]; }

using Policies = std::unordered_map<std::string_view, CastPolicy>;

void add(Policies& to, CastPolicy policy, std::initializer_list<std::string_view> names) {
  for (auto name : names) to.emplace(name, policy);
}

// Products: where half the bytes are half the time, and sums are kept in float32 anyway.
void add_products(Policies& p) {
  add(p, CastPolicy::Lower,
      {"conv1d",
       "conv2d",
       "conv3d",
       "conv_transpose1d",
       "conv_transpose2d",
       "conv_transpose3d",
       "matmul",
       "mm",
       "bmm",
       "addmm",
       "addbmm",
       "baddbmm",
       "linear",
       "_einsum",
       "_tensordot",
       "inner",
       "multi_dot",
       "vecdot",
       "prelu",
       "_scaled_dot_product_attention",
       "_lstm_layer",
       "_rnn_layer"});
}

void add_losses(Policies& p) {
  add(p, CastPolicy::Float32,
      {"binary_cross_entropy_with_logits", "cosine_embedding_loss", "hinge_embedding_loss", "huber_loss",
       "kl_div", "l1_loss", "margin_ranking_loss", "mse_loss", "nll_loss", "poisson_nll_loss",
       "smooth_l1_loss", "soft_margin_loss", "triplet_margin_loss", "cdist", "prod", "_gru_layer"});
}

const Policies& cpu_policies() {
  static const Policies policies = [] {
    Policies p;
    add_products(p);
    add_losses(p);
    add(p, CastPolicy::Float32,
        {"binary_cross_entropy",
         "cross_entropy",
         "avg_pool3d",
         "_max_pool3d",
         "_adaptive_avg_pool3d",
         "_adaptive_max_pool3d",
         "local_response_norm",
         "polar",
         "quantile",
         "nanquantile",
         "trace",
         "view_as_complex",
         "cholesky",
         "cholesky_inverse",
         "cholesky_solve",
         "inv",
         "inverse",
         "pinverse",
         "solve",
         "svd",
         "svdvals",
         "qr",
         "eig",
         "eigh",
         "eigvals",
         "eigvalsh",
         "lstsq",
         "lu_factor",
         "lu_solve"});
    add(p, CastPolicy::Widest, {"cat", "concat", "concatenate", "stack", "index_copy"});
    return p;
  }();
  return policies;
}

const Policies& gpu_policies() {
  static const Policies policies = [] {
    Policies p;
    add_products(p);
    add_losses(p);
    add(p, CastPolicy::Lower, {"mv", "addmv", "addr"});
    add(p, CastPolicy::Float32,
        {"acos",       "asin",        "cosh",        "erfinv",     "exp",
         "expm1",      "log",         "log10",       "log2",       "log1p",
         "reciprocal", "rsqrt",       "sinh",        "tan",        "pow",
         "softplus",   "layer_norm",  "rms_norm",    "group_norm", "cosine_similarity",
         "dist",       "pdist",       "renorm",      "logsumexp",  "cumprod",
         "cumsum",     "softmax",     "log_softmax", "softmin",    "cross_entropy",
         "norm",       "vector_norm", "matrix_norm", "sum"});
    add(p, CastPolicy::Widest,
        {"addcdiv", "addcmul", "atan2", "bilinear", "cross", "dot", "vdot", "index_put", "scatter_add", "cat",
         "concat", "concatenate", "stack"});
    return p;
  }();
  return policies;
}

// Half-precision and float32 tensors on a device where it is on; float64 was asked for by name.
bool is_eligible(const Tensor& t) {
  return setting(t.device().type).enabled && is_floating(t.dtype()) && t.dtype() != DType::Float64;
}

template <class F>
void for_each_tensor(PyObject* value, F&& f) {
  if (!value) return;
  if (is_tensor(value)) return f(tensor_of(value));
  if (PyTuple_Check(value) || PyList_Check(value))
    for (Py_ssize_t i = 0, n = PySequence_Fast_GET_SIZE(value); i < n; ++i)
      if (PyObject* item = PySequence_Fast_GET_ITEM(value, i); is_tensor(item)) f(tensor_of(item));
}

// The dtype that eligible tensors are cast to.
DType target(CastPolicy policy, DeviceType device, bool any_float32) {
  if (policy == CastPolicy::Float32 || (policy == CastPolicy::Widest && any_float32)) return DType::Float32;
  return setting(device).dtype;
}

Tensor cast(const Tensor& t, DType dtype) {
  return t.dtype() == dtype || !is_eligible(t) ? t : to(t, dtype, false, false);
}

// A value with its tensors cast; the value itself when there is nothing to cast.
py::object cast_value(PyObject* value, DType dtype) {
  if (is_tensor(value)) return py::cast(cast(tensor_of(value), dtype));
  py::tuple items = py::reinterpret_steal<py::tuple>(checked(PySequence_Tuple(value)));
  py::tuple made(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    py::object item = items[i];
    made[i] = is_tensor(item.ptr()) ? py::cast(cast(tensor_of(item.ptr()), dtype)) : item;
  }
  return made;
}

}  // namespace

CastPolicy cast_policy(const std::string& path, DeviceType device) {
  const Policies& policies = device == DeviceType::CPU ? cpu_policies() : gpu_policies();
  const size_t dot = path.rfind('.');
  auto at = policies.find(std::string_view(path).substr(dot == std::string::npos ? 0 : dot + 1));
  return at == policies.end() ? CastPolicy::None : at->second;
}

void cast_arguments(const std::string& path, PyObject** values, int count, py::list& held) {
  std::optional<DeviceType> device;
  bool any_float32 = false;
  for (int i = 0; i < count; ++i)
    for_each_tensor(values[i], [&](const Tensor& t) {
      if (!is_eligible(t)) return;
      if (!device) device = t.device().type;
      any_float32 |= t.dtype() == DType::Float32;
    });
  if (!device) return;
  const CastPolicy policy = cast_policy(path, *device);
  if (policy == CastPolicy::None) return;
  const DType dtype = target(policy, *device, any_float32);
  for (int i = 0; i < count; ++i) {
    bool has_tensors = false;
    for_each_tensor(values[i], [&](const Tensor&) { has_tensors = true; });
    if (!has_tensors) continue;
    held.append(cast_value(values[i], dtype));
    values[i] = py::object(held[held.size() - 1]).ptr();
  }
}

void cast_operands(const char* op, Tensor& a, Tensor& b) {
  for (const Tensor* t : {&a, &b}) {
    if (!is_eligible(*t)) continue;
    const DeviceType device = t->device().type;
    const CastPolicy policy = cast_policy(op, device);
    if (policy == CastPolicy::None) return;
    const DType dtype = target(policy, device, true);
    a = cast(a, dtype);
    b = cast(b, dtype);
    return;
  }
}

int64_t autocast_key() {
  int64_t key = 0;
  for (const Setting& s : settings) key = key * 64 + (s.enabled ? 1 + static_cast<int>(s.dtype) : 0);
  return key;
}

void add_autocast(py::module_& m) {
  m.def("_autocast_setting", [](const std::string& device) {
    const Setting& s = setting(device_of(py::str(device).ptr()).type);
    return py::make_tuple(s.enabled, py::reinterpret_steal<py::object>(wrap(s.dtype)));
  });
  m.def("_set_autocast", [](const std::string& device, bool enabled, py::handle dtype) {
    setting(device_of(py::str(device).ptr()).type) = {enabled, dtype_of(dtype.ptr())};
    Autocast::active_ = false;
    for (const Setting& s : settings) Autocast::active_ |= s.enabled;
  });
  m.def("_autocast_active", &Autocast::active);
}

}  // namespace mlx::bindings
