#pragma once
// Tensor: a strided view of a storage. This room knows layout and views, nothing of arithmetic
// or gradients.

#include <memory>
#include <vector>

#include "base/dtype.h"
#include "base/error.h"
#include "base/fast_thread_local.h"
#include "base/scalar.h"
#include "base/small_vector.h"
#include "tensor/storage.h"

namespace mlx {

// What the tape hangs on a tensor that takes part in differentiation (see tape/autograd_meta.h).
struct GradMeta {
  virtual ~GradMeta() = default;
};

// How a view came about, where writing to it needs care.
enum class ViewKind : uint8_t {
  Plain,
  NoGrad,   // made while nothing was recorded
  Several,  // one of several views that one call returned
};

// Whether this thread makes inference tensors: ones that are never recorded.
struct InferenceMode {
  static inline constinit MLX_FAST_THREAD_LOCAL bool on = false;
};

struct TensorImpl : RefCounted {
  Ref<Storage> storage;
  int64_t offset = 0;  // of the first element, in elements
  int64_t numel = 1;
  Shape shape;
  Shape strides;  // in elements
  DType dtype = DType::Float32;
  bool contiguous = true;       // row-major without gaps
  bool wrapped_number = false;  // made from a Python number: gives way to tensors when dtypes are promoted
  bool requires_grad = false;   // a leaf that asked for a gradient, or the result of a recorded op
  bool inference = false;       // made in inference mode: never recorded
  bool untracked = false;       // `.data`: writes through it are not counted as changes
  ViewKind view_kind = ViewKind::Plain;
  uint32_t view_version = 0;  // of the storage when this view's gradient history was last brought up to date
  Ref<TensorImpl> base;       // the tensor that this one is a differentiable view of
  std::unique_ptr<GradMeta> grad_meta;
  void* python = nullptr;  // the Python object that stands for this tensor while it lives (borrowed)

  static void destroy(TensorImpl* impl);
};

class Tensor {
 public:
  Tensor() = default;  // undefined: "no tensor"
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}

  bool defined() const { return bool(impl_); }
  explicit operator bool() const = delete;  // say defined(), or item<bool>()
  TensorImpl* impl() const { return impl_.get(); }
  const Ref<TensorImpl>& ref() const { return impl_; }
  bool is(const Tensor& o) const { return impl_ == o.impl_; }

  const Shape& shape() const { return impl_->shape; }
  const Shape& strides() const { return impl_->strides; }
  int64_t dim() const { return static_cast<int64_t>(impl_->shape.size()); }
  int64_t numel() const { return impl_->numel; }
  int64_t offset() const { return impl_->offset; }
  int64_t size(int64_t d) const { return impl_->shape[wrapped(d)]; }
  int64_t stride(int64_t d) const { return impl_->strides[wrapped(d)]; }
  DType dtype() const { return impl_->dtype; }
  Device device() const { return impl_->storage->device(); }
  size_t item_size() const { return mlx::item_size(impl_->dtype); }
  bool is_contiguous() const { return impl_->contiguous; }
  bool requires_grad() const { return impl_->requires_grad; }
  bool is_complex() const { return mlx::is_complex(dtype()); }
  bool is_floating() const { return mlx::is_floating(dtype()); }
  bool is_inexact() const { return mlx::is_inexact(dtype()); }
  const Ref<Storage>& storage() const { return impl_->storage; }
  uint32_t version() const { return impl_->storage->version(); }
  // Counts a write to this tensor's memory.
  void changed() const {
    if (!impl_->untracked) impl_->storage->bump_version();
  }

  // The first element; of a GPU's tensor, after make_readable().
  void* raw() const {
    return static_cast<char*>(impl_->storage->data()) + impl_->offset * static_cast<int64_t>(item_size());
  }
  template <class T>
  T* data() const {
    return static_cast<T*>(raw());
  }

  // The dimension that `d` means, counted from the end when negative.
  size_t wrapped(int64_t d) const;

 private:
  Ref<TensorImpl> impl_;
};

using TensorList = std::vector<Tensor>;

// Throws TraceError unless `op` may look at the elements: inside a traced function a tensor stands for the
// values of every call to come.
void check_readable(const Tensor& t, const char* op);
// The same, and waits for what a GPU was told to write there. `shared`: the elements will be looked at, or
// changed, at any later time.
void make_readable(const Tensor& t, const char* op, bool shared = false);
// Whether the elements are out of reach for that reason.
bool is_traced(const Tensor& t);

// ---- making tensors

// The widest float that a device has: float64, but float32 on Metal.
DType widest_float(Device device);
// Uninitialised memory, row-major. Throws RuntimeError on a negative or overflowing size, TypeError on a
// dtype that the device has not.
Tensor allocate(const Shape& shape, DType dtype, Device device = {});
// The same for a tensor that the caller fills on the spot, through data().
Tensor allocate_on_host(const Shape& shape, DType dtype);
// Uninitialised memory with these strides (which must not overlap).
Tensor allocate_strided(const Shape& shape, const Shape& strides, DType dtype, Device device = {});
// A tensor over a storage; `offset` counts elements from its start.
Tensor tensor_over(Ref<Storage> storage, Shape shape, Shape strides, int64_t offset, DType dtype);
// Another view of the same storage; `offset` counts from the start of the storage.
Tensor view_of(const Tensor& base, Shape shape, Shape strides, int64_t offset);
// A zero-dimensional tensor of the CPU that holds a number; throws RuntimeError when it does not fit the
// dtype. `wrapped` numbers give way in dtype promotion.
Tensor scalar_tensor(const Scalar& value, DType dtype);
Tensor wrapped_number(const Scalar& value);
// A tensor over memory that somebody else owns.
Tensor adopt(void* data, const Shape& shape, const Shape& strides, DType dtype, Device device,
             std::function<void()> release);
// A second tensor of the same storage and layout without any gradient state.
Tensor alias(const Tensor& t);

// ---- layout arithmetic

Shape contiguous_strides(const Shape& shape);
bool is_contiguous(const Shape& shape, const Shape& strides);
bool is_contiguous_channels_last(const Tensor& t);
// The number of elements; throws RuntimeError on a negative size or when the count overflows 63 bits.
int64_t checked_numel(const Shape& shape);
int64_t numel(const Shape& shape);
// The dimension that `d` means for a tensor of `ndim` dimensions; IndexError names the range.
int64_t wrap_dim(int64_t d, int64_t ndim);
// A mask of distinct dimensions; an empty list means all when `empty_is_all`.
std::vector<bool> dim_mask(const Shape& dims, int64_t ndim, bool empty_is_all = true);
// The shape that both broadcast to. RuntimeError names both shapes and the sizes that differ.
Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op = "broadcast_shapes");
// The strides with which a tensor is read as the larger `shape` (0 where it is repeated).
Shape broadcast_strides(const Tensor& t, const Shape& shape);
// Strides that view `shape, strides` as `target` without copying; false when there are none.
bool view_strides(const Shape& shape, const Shape& strides, const Shape& target, Shape& out);
// `target` with a single -1 replaced by what the element count leaves.
Shape infer_size(const Shape& target, int64_t numel);
// Whether two elements of a tensor, or of two tensors, may lie at the same address.
bool has_internal_overlap(const Tensor& t);
bool may_share_memory(const Tensor& a, const Tensor& b);
// Same memory, same layout: element i of one is element i of the other.
bool same_layout(const Tensor& a, const Tensor& b);

// ---- dtypes of several operands

// The dtype in which tensors (and wrapped numbers) meet, by PyTorch's categories: tensors with
// dimensions, then zero-dimensional tensors, then Python numbers.
class Promotion {
 public:
  void add(const Tensor& t);
  void add(const Scalar& s) { join(wrapped_, s.dtype()); }
  DType result() const;

 private:
  struct Level {
    bool any = false;
    DType dtype = DType::Bool;
  };
  static void join(Level& level, DType t);
  static Level combine(const Level& strong, const Level& weak);
  Level dims_, zero_, wrapped_;
};

inline DType result_type(std::initializer_list<const Tensor*> operands) {
  Promotion p;
  for (const Tensor* t : operands) p.add(*t);
  return p.result();
}

}  // namespace mlx
