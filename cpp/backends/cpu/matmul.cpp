// Matrix products: BLAS for floating-point and complex types, the packed product for half types and for
// strides that BLAS does not know, plain loops for integers.

#include "backends/cpu/blas.h"
#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/matrix_product.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/tiles.h"

namespace mlx::cpu {
namespace {

// A stack of matrices as BLAS wants it: rows a distance apart, elements adjacent, perhaps transposed.
struct Matrices {
  Tensor tensor;  // keeps a packed copy alive
  bool transposed = false;
  int64_t leading = 1;
};

Tensor packed(const Tensor& t, DType dtype) {
  Tensor copy = allocate(t.shape(), dtype);
  copy_elements(copy, t);
  return copy;
}

// Whether dimension `along` is adjacent in memory and steps along `across` do not overlap.
bool has_rows(const Tensor& t, int64_t across, int64_t along) {
  return (t.stride(along) == 1 || t.size(along) == 1) &&
         (t.stride(across) >= std::max<int64_t>(t.size(along), 1) || t.size(across) == 1);
}

bool is_blas_layout(const Tensor& t) { return has_rows(t, -2, -1) || has_rows(t, -1, -2); }

Matrices as_matrices(const Tensor& t, DType compute) {
  int64_t rows = t.size(-2), columns = t.size(-1);
  if (t.dtype() == compute) {
    if (has_rows(t, -2, -1))
      return {t, false, t.size(-2) == 1 ? std::max<int64_t>(columns, 1) : t.stride(-2)};
    if (has_rows(t, -1, -2)) return {t, true, t.size(-1) == 1 ? std::max<int64_t>(rows, 1) : t.stride(-1)};
  }
  return {packed(t, compute), false, std::max<int64_t>(columns, 1)};
}

// The element offset of matrix number i of a stack.
int64_t offset_of(const Tensor& t, int64_t i) {
  int64_t offset = 0;
  for (int64_t d = t.dim() - 3; d >= 0; --d) {
    offset += i % t.size(d) * t.stride(d);
    i /= t.size(d);
  }
  return offset;
}

template <class T>
void blas_product(const Matrices& a, const Matrices& b, const Tensor& out, int64_t m, int64_t n, int64_t k,
                  T beta) {
  int64_t count = out.numel() / (m * n);
  std::vector<GemmOperands<T>> items;
  items.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i)
    items.push_back({a.tensor.data<T>() + offset_of(a.tensor, i), b.tensor.data<T>() + offset_of(b.tensor, i),
                     out.data<T>() + i * m * n});
  if (count == 1)
    gemm<T>(a.transposed, b.transposed, m, n, k, T(1), items[0].a, a.leading, items[0].b, b.leading, beta,
            items[0].c, n);
  else
    gemm_batch<T>(a.transposed, b.transposed, m, n, k, T(1), a.leading, b.leading, beta, n, items);
}

// Integers wrap around, so they are multiplied as unsigned numbers.
template <class T>
void integer_product(const Tensor& a, const Tensor& b, const Tensor& out, int64_t m, int64_t n, int64_t k,
                     bool add) {
  using U = std::make_unsigned_t<T>;
  parallel_for(0, out.numel() / n, std::max<int64_t>(1, 32768 / std::max<int64_t>(n * k, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   U* c = out.data<U>() + row * n;
                   const U* x = a.data<U>() + row * k;
                   const U* y = b.data<U>() + row / m * k * n;
                   if (!add) std::fill_n(c, n, U(0));
                   for (int64_t p = 0; p < k; ++p)
                     for (int64_t j = 0; j < n; ++j) c[j] = static_cast<U>(c[j] + x[p] * y[p * n + j]);
                 }
               });
}

const void* matrix_at(const Tensor& t, int64_t i) {
  return static_cast<const char*>(t.raw()) + offset_of(t, i) * static_cast<int64_t>(item_size(t.dtype()));
}

Tensor broadcast(const Tensor& t, const Shape& shape) {
  return view_of(t, shape, broadcast_strides(t, shape), t.offset());
}

// `addend` has out's shape, or is missing.
void packed_products(const Tensor& a, const Tensor& b, const Tensor& out, const Tensor& addend) {
  const int64_t m = a.size(-2), k = a.size(-1), n = b.size(-1), count = out.numel() / (m * n);
  const ProductKernels& kernels =
      a.dtype() == DType::BFloat16 ? bfloat16_product_kernels() : product_kernels();
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const bool split_each = count < 4 * num_threads() && work >= 1 << 18;
  const int64_t grain =
      split_each ? count : static_cast<int64_t>(std::max(1.0, (1 << 17) / std::max(work, 1.0)));
  parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const MatrixSource left(matrix_at(a, i), a.dtype(), a.stride(-2), a.stride(-1)),
          right(matrix_at(b, i), b.dtype(), b.stride(-1), b.stride(-2));
      MatrixTarget target(const_cast<void*>(matrix_at(out, i)), out.dtype(), n);
      if (addend.defined())
        target.start_with({matrix_at(addend, i), addend.dtype(), addend.stride(-2), addend.stride(-1)});
      multiply({kernels, m, n, k, left, right, target, addend.defined()});
    }
  });
}

// Whether the packed product is the better one. BLAS is, for vectors, for small matrices (which it does not
// pack at all), and where it has matrix units of its own to work with.
bool is_packed(const Tensor& a, const Tensor& b, const Tensor& out) {
  if (a.dtype() != b.dtype() || compute_type(a.dtype()) != DType::Float32) return false;
  if (a.dtype() != DType::Float32) return true;
  if (!is_blas_layout(a) || !is_blas_layout(b)) return true;
  // Lines of a transposed left operand are short in memory, which more columns have to make up for.
  const int64_t m = out.size(-2), n = out.size(-1), min_columns = a.stride(-1) == 1 ? 16 : 32;
  constexpr int64_t kMinWork = int64_t{1} << 21;
  return !kBlasHasMatrixUnits && m > 1 && n >= min_columns && a.size(-1) >= kMinWork / m / n;
}

void matmul(const MatMul&, const Launch& launch) {
  const Tensor &out = launch.out(), &a = launch.in(0), &b = launch.in(1);
  if (out.numel() == 0) return;
  const bool add = launch.inputs.size() > 2;
  if (is_packed(a, b, out))
    return packed_products(a, b, out, add ? broadcast(launch.in(2), out.shape()) : Tensor());
  int64_t m = a.size(-2), k = a.size(-1), n = b.size(-1);
  DType compute = compute_type(out.dtype());
  Tensor target = compute == out.dtype() ? out : allocate(out.shape(), compute);
  if (add) copy_elements(target, launch.in(2));
  visit_compute(compute, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>)
      integer_product<T>(packed(a, compute), packed(b, compute), target, m, n, k, add);
    else
      blas_product<T>(as_matrices(a, compute), as_matrices(b, compute), target, m, n, k, T(add ? 1 : 0));
  });
  if (!target.is(out)) copy_elements(out, target);
}

CPU_KERNEL(MatMul, matmul);

}  // namespace
}  // namespace mlx::cpu
