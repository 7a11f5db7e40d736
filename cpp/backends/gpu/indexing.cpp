// Elements by index. Indices are checked by the host, which reads them where they are: an index that a kernel
// under way still writes is waited for, as the error could not be raised here otherwise.

#include "backends/gpu/elementwise.h"
#include "base/index_error.h"

namespace mlx::gpu {
namespace {

constexpr size_t kMaxDims = 8;
constexpr uint32_t kThreads = 256;

// As in metal/indexing.metal.
struct Walk {
  uint32_t count, dims, dim;
  uint32_t sizes[kMaxDims];
  int64_t steps[3][kMaxDims];
};

// A walk over `shape`, or false if a kernel cannot make it.
bool make_walk(Walk& walk, const Shape& shape, size_t dim, const Shape& indexed, const Shape& other,
               const Shape& index) {
  if (shape.size() > kMaxDims || numel(shape) > INT32_MAX) return false;
  walk = {static_cast<uint32_t>(numel(shape)),
          static_cast<uint32_t>(shape.size()),
          static_cast<uint32_t>(dim),
          {},
          {}};
  for (size_t d = 0; d < shape.size(); ++d) {
    walk.sizes[d] = static_cast<uint32_t>(shape[d]);
    walk.steps[0][d] = indexed[d], walk.steps[1][d] = other[d], walk.steps[2][d] = index[d];
  }
  return true;
}

// ---- checks

template <class T, class F>
void for_elements(const T* p, const Shape& shape, const Shape& strides, size_t d, F& f) {
  if (d == shape.size()) return f(static_cast<int64_t>(*p));
  for (int64_t i = 0; i < shape[d]; ++i) for_elements(p + i * strides[d], shape, strides, d + 1, f);
}

void check_indices(const Tensor& index, const char* op, int64_t low, int64_t size, int64_t dim) {
  make_readable(index, op);
  auto check = [&](int64_t v) {
    if (v < low || v >= size)
      throw OutOfBoundsError(op, "(): index ", v, " is out of bounds for dimension ", dim, " with size ",
                             size);
  };
  visit(index.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>)
      for_elements(index.data<T>(), index.shape(), index.strides(), 0, check);
  });
}

// ---- moving

const char* item_text(DType t) {
  switch (item_size(t)) {
    case 1:
      return "uchar";
    case 2:
      return "ushort";
    case 4:
      return "uint";
    default:
      return "ulong";
  }
}

bool queue_gather(const Launch& launch, Runtime& runtime, const Tensor& in, const Tensor& index,
                  const Walk& walk) {
  const Tensor& out = launch.out();
  const Kernel* kernel = gpu::kernel(runtime, "indexing", "gather", {{"T", item_text(out.dtype())}});
  run(runtime, launch, kernel, {read(in), read(index), write(out), bytes(walk)},
      groups_of(walk.count, kThreads), {kThreads});
  return true;
}

// How an element joins what is there, in terms of a and b.
const char* join_text(Update update, DType type) {
  switch (update) {
    case Update::Set:
      return "b";
    case Update::Add:
      return type == DType::Bool ? "a | b" : "a + b";
    case Update::Mul:
      return type == DType::Bool ? "a & b" : "a * b";
    case Update::Max:
      return is_floating(type) ? "a != a ? a : b != b ? b : max(a, b)" : "max(a, b)";
    case Update::Min:
      break;
  }
  return is_floating(type) ? "a != a ? a : b != b ? b : min(a, b)" : "min(a, b)";
}

bool queue_scatter(const Launch& launch, Runtime& runtime, const Tensor& index, const Tensor& values,
                   Walk walk, Update update) {
  const Tensor& out = launch.out();
  const DType type = out.dtype();
  if (!has_type(type) || (is_complex(type) && (update == Update::Max || update == Update::Min))) return false;
  const bool moved = update == Update::Set;
  const char* element = moved ? item_text(type) : memory_text(type);
  const char* sum = is_reduced(type) ? "float" : element;
  if (!moved && (type == DType::Bool || type == DType::UInt8 || type == DType::Int8 || type == DType::Int16))
    sum = "int";
  const Kernel* kernel = gpu::kernel(runtime, "indexing", "scatter",
                                     {{"T", element}, {"SUM", sum}, {"JOIN", join_text(update, type)}});
  walk.count /= walk.sizes[walk.dim];
  run(runtime, launch, kernel, {gpu::update(out), read(index), read(values), bytes(walk)},
      groups_of(walk.count, kThreads), {kThreads});
  return true;
}

// ---- the kernels

bool index_offsets(const IndexOffsets& k, const Launch& launch, Runtime& runtime) {
  const Tensor &out = launch.out(), &index = launch.in(0);
  if (!is_integral(index.dtype())) return false;
  check_indices(index, k.op, -k.size, k.size, k.dim);
  Elementwise kernel(runtime, k.op, out.shape());
  kernel.input(out, DType::Int64);
  kernel.input(index, DType::Int64);
  kernel.value(k.size, DType::Int64);
  kernel.value(k.stride, DType::Int64);
  kernel.output(out, out.strides(), DType::Int64);
  return kernel.run("index_offsets", [] {
    return Arithmetic{"", "    const long y0 = x0 + (x1 < 0 ? x1 + x2 : x1) * x3;\n"};
  });
}

// The strides of a tensor of dimensions (b, a) beside (b, n, a), where a step along n is a step of an offset.
Shape with_offsets(const Shape& strides, int before) {
  Shape all = strides;
  all.insert(static_cast<size_t>(before), 1);
  return all;
}

Shape only_along(size_t dims, int dim) {
  Shape steps(dims);
  steps[dim] = 1;
  return steps;
}

bool gather_rows(const GatherRows& k, const Launch& launch, Runtime& runtime) {
  const Tensor &out = launch.out(), &in = launch.in(0);
  Walk walk;
  if (!make_walk(walk, out.shape(), static_cast<size_t>(k.before), with_offsets(in.strides(), k.before),
                 out.strides(), only_along(out.shape().size(), k.before)))
    return false;
  return queue_gather(launch, runtime, in, launch.in(1), walk);
}

bool scatter_rows(const ScatterRows& k, const Launch& launch, Runtime& runtime) {
  const Tensor& values = launch.in(1);
  if (values.numel() == 0) return true;
  Walk walk;
  if (!make_walk(walk, values.shape(), static_cast<size_t>(k.before),
                 with_offsets(launch.out().strides(), k.before), values.strides(),
                 only_along(values.shape().size(), k.before)))
    return false;
  return queue_scatter(launch, runtime, launch.in(0), values, walk, k.update);
}

bool gather(const Gather& k, const Launch& launch, Runtime& runtime) {
  const Tensor &out = launch.out(), &in = launch.in(0), &index = launch.in(1);
  check_indices(index, k.op, 0, in.size(k.dim), k.dim);
  Walk walk;
  if (!make_walk(walk, index.shape(), static_cast<size_t>(k.dim), in.strides(), out.strides(),
                 index.strides()))
    return false;
  return queue_gather(launch, runtime, in, index, walk);
}

bool scatter(const Scatter& k, const Launch& launch, Runtime& runtime) {
  const Tensor &out = launch.out(), &index = launch.in(0), &source = launch.in(1);
  if (index.numel() == 0) return true;
  check_indices(index, k.op, 0, out.size(k.dim), k.dim);
  Walk walk;
  if (!make_walk(walk, index.shape(), static_cast<size_t>(k.dim), out.strides(), source.strides(),
                 index.strides()))
    return false;
  return queue_scatter(launch, runtime, index, source, walk, k.update);
}

// A row of the matrix is a line along the dimension of the index.
bool take_along(const TakeAlong&, const Launch& launch, Runtime& runtime) {
  const Tensor &out = launch.out(), &in = launch.in(0), &index = launch.in(1);
  Walk walk;
  return make_walk(walk, index.shape(), 1, in.strides(), out.strides(), index.strides()) &&
         queue_gather(launch, runtime, in, index, walk);
}

bool add_along(const AddAlong&, const Launch& launch, Runtime& runtime) {
  const Tensor &out = launch.out(), &values = launch.in(0), &index = launch.in(1);
  if (index.numel() == 0) return true;
  Walk walk;
  return make_walk(walk, index.shape(), 1, out.strides(), values.strides(), index.strides()) &&
         queue_scatter(launch, runtime, index, values, walk, Update::Add);
}

GPU_KERNEL(TakeAlong, take_along);
GPU_KERNEL(AddAlong, add_along);
GPU_KERNEL(IndexOffsets, index_offsets);
GPU_KERNEL(GatherRows, gather_rows);
GPU_KERNEL(ScatterRows, scatter_rows);
GPU_KERNEL(Gather, gather);
GPU_KERNEL(Scatter, scatter);

}  // namespace
}  // namespace mlx::gpu
